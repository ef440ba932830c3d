// What the kernel does with frames that arrive at an interface, before its own stacks see them: a two-line BPF
// program at the interface's tc hook (TCX, Linux 6.6). The kernel takes it away when this object, or the
// process, ends, however it ends: nothing is left to clean up. Control thread only.
#pragma once

#include <optional>
#include <string>

#include "pmd/file_descriptor.h"

namespace causeway {

class IngressHook {
 public:
  // Frames leave by another interface; super-packets stay whole.
  static std::optional<IngressHook> redirect(int interface, int to_interface, std::string& error);
  // Frames end here. Packet sockets have got their copy by then.
  static std::optional<IngressHook> drop(int interface, std::string& error);
  // What another process has made, by its descriptor.
  explicit IngressHook(FileDescriptor link) : link_(std::move(link)) {}
  int descriptor() const noexcept { return link_.get(); }

 private:
  FileDescriptor link_;
};

}  // namespace causeway
