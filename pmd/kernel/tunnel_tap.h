// The way out for tunnelled super-packets through an existing Linux interface. Packet sockets don't take them, a TAP
// does: so there is one in front, and what we write to it leaves by the interface, where the kernel or the NIC cuts it.
//
//     us -- write --> TAP -- tc hook, redirect --> interface -- wire
//     us <-- packet socket --------------------------'
//
// What arrives the kernel's own stacks don't get to see then (it costs, and they might answer), unless the host has
// an address on the interface. Everything goes with this object or the process, however that ends. Control thread;
// the descriptor is for workers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pmd/error.h"
#include "pmd/kernel/linux_interface.h"
#include "pmd/kernel/redirect.h"

namespace causeway {

class TunnelTap {
 public:
  // Null and `error` if it can't be; `unsupported` where that is because the kernel cuts no tunnels.
  static std::optional<TunnelTap> open(const LinuxInterface& interface, bool& unsupported, std::string& error);

  // The one that another process has open, by its descriptors().
  static std::optional<TunnelTap> take_over(std::span<const int> descriptors, std::string& error);

  int fd() const noexcept { return fd_.get(); }
  std::vector<int> descriptors() const;
  Error set_mtu(uint16_t mtu) { return tap_.set_mtu(mtu); }

 private:
  TunnelTap(FileDescriptor fd, LinuxInterface tap) : fd_(std::move(fd)), tap_(std::move(tap)) {}

  FileDescriptor fd_;
  LinuxInterface tap_;
  std::optional<IngressHook> to_interface_;
  std::optional<IngressHook> silence_;
};

}  // namespace causeway
