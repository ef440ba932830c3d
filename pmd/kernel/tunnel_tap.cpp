#include "pmd/kernel/tunnel_tap.h"

#include <fstream>

#include "pmd/kernel/tap_queue.h"
#include "pmd/system_error.h"

namespace causeway {

std::optional<TunnelTap> TunnelTap::open(const LinuxInterface& interface, bool& unsupported, std::string& error) {
  bool tunnels = true;
  OpenError failed;
  FileDescriptor fd = open_tap_queue("cw-tso%d", false, tunnels, failed);
  unsupported = failed.empty() && !tunnels;
  if (unsupported) return std::nullopt;
  std::optional<LinuxInterface> found;
  if (failed.empty()) found = LinuxInterface::of_tap(fd.get(), failed);
  error = failed.text;
  if (!found) return std::nullopt;
  TunnelTap tap(std::move(fd), std::move(*found));
  // It is no station: nothing of the kernel's own is to come out of it. Without IPv6 in the kernel there is no file.
  std::ofstream("/proc/sys/net/ipv6/conf/" + tap.tap_.name() + "/disable_ipv6") << 1;
  tap.to_interface_ = IngressHook::redirect(tap.tap_.index(), interface.index(), error);
  if (tap.to_interface_ && !interface.has_address()) tap.silence_ = IngressHook::drop(interface.index(), error);
  if (error.empty()) error = tap.tap_.set_mtu(interface.state().mtu).text();
  if (error.empty()) error = tap.tap_.set_up().text();
  if (!error.empty()) return std::nullopt;
  return tap;
}

std::optional<TunnelTap> TunnelTap::take_over(std::span<const int> descriptors, std::string& error) {
  bool tunnels = true;
  OpenError failed;
  FileDescriptor fd = take_over_tap_queue(descriptors[0], tunnels, failed);
  std::optional<LinuxInterface> found;
  if (failed.empty()) found = LinuxInterface::of_tap(fd.get(), failed);
  error = failed.text;
  if (!found) return std::nullopt;
  TunnelTap tap(std::move(fd), std::move(*found));
  for (const int hook : descriptors.subspan(1)) {
    FileDescriptor taken = FileDescriptor::duplicate(hook);
    if (!taken.valid()) {
      error = system_error("a hook that was handed over");
      return std::nullopt;
    }
    (tap.to_interface_ ? tap.silence_ : tap.to_interface_).emplace(std::move(taken));
  }
  return tap;
}

std::vector<int> TunnelTap::descriptors() const {
  std::vector<int> all{fd_.get(), to_interface_->descriptor()};
  if (silence_) all.push_back(silence_->descriptor());
  return all;
}

}  // namespace causeway
