// A UNIX stream socket that takes connections at a path. One that a dead process has left there is
// replaced, a living one's is not; nor does the end of one that somebody has replaced take the new one's away.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class Listener {
 public:
  Listener() = default;
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // What went wrong begins with the path. `mode`: who may connect. `alive`: a process takes connections there already.
  Error open(const std::string& path, mode_t mode, bool& alive);
  bool is_open() const noexcept { return socket_.valid(); }
  int fd() const noexcept { return socket_.get(); }

 private:
  FileDescriptor socket_;
  std::string path_;
  uint64_t inode_ = 0;  // of the socket's file
};

}  // namespace causeway
