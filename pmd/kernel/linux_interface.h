// One Linux network interface, as rtnetlink shows it: for the ports that stand on one. Control thread only.
#pragma once

#include <optional>
#include <string>

#include "dataplane/wire/address.h"
#include "pmd/error.h"
#include "pmd/kernel/rtnetlink.h"
#include "pmd/open_error.h"

namespace causeway {

class LinuxInterface {
 public:
  // Finds the interface in the network namespace of the calling thread; later calls stay in that one.
  static std::optional<LinuxInterface> find(const std::string& name, OpenError& error);
  // The interface of a TAP's descriptor, in the same namespace.
  static std::optional<LinuxInterface> of_tap(int tap_fd, OpenError& error);

  // Looks again. False: it is removed, renamed or in another namespace, and what was seen last stays.
  bool look();
  // The same for a TAP's, wherever it is by now: it may have moved to another network namespace (a container's) and
  // have another name there. Nothing is held in that one, which thus can end. False: the TAP is no more.
  bool look_for_tap(int tap_fd);

  // When it was last looked at.
  const LinkState& state() const noexcept { return state_; }
  const std::string& name() const noexcept { return state_.name; }
  int index() const noexcept { return state_.index; }
  bool is_here() const noexcept { return nsid_ == Rtnetlink::kHere; }  // in the namespace that it was found in
  bool has_address() const noexcept;     // of the host's own, link-local ones aside; in the calling thread's namespace
  uint64_t tx_dropped() const noexcept;  // now

  // Those of a TAP that moved are tried where it is.
  Error set_up(int tap_fd = -1);
  Error set_mtu(uint16_t mtu, int tap_fd = -1);
  Error set_mac(const MacAddress& mac, int tap_fd = -1);
  Error remove(int tap_fd = -1);

 private:
  template <typename Change>
  Error change(int tap_fd, Change&& change);

  Rtnetlink rtnetlink_;
  int nsid_ = Rtnetlink::kHere;
  LinkState state_;
};

}  // namespace causeway
