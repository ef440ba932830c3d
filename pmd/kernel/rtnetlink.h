// Questions to the kernel about its network interfaces: rtnetlink(7), by libmnl. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "dataplane/wire/address.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"

struct nlmsghdr;

namespace causeway {

// An interface as the kernel sees it (linux/if_link.h).
struct LinkState {
  int index = 0;
  std::string name;
  bool up = false;   // set up, and with a carrier
  uint16_t mtu = 0;  // bytes of IP packet
  MacAddress mac{};  // zero: no Ethernet
  uint64_t tx_dropped = 0;
};

// The kernel's way to an address.
struct KernelRoute {
  IpPrefix to;                       // the network that the route is for; length 0: the default route
  std::string interface;             // which it leaves by
  IpAddress source;                  // of packets that go there
  std::optional<IpAddress> gateway;  // none: the address is on the link
};

// One socket, in the network namespace that its thread was in when it was made.
class Rtnetlink {
 public:
  static constexpr int kHere = -1;  // as a namespace: the socket's own

  Rtnetlink();

  // The namespace behind a descriptor, as this socket's calls it: kHere, or the id that it has in this one. An id keeps
  // no namespace alive. Null: there is none to be had.
  std::optional<int> namespace_id(int namespace_fd) const;

  // By index, or by name where that is 0; null and errno: ENODEV where there is none. `nsid`: in which namespace.
  std::optional<LinkState> link(int index, const std::string& name, int nsid = kHere) const;

  // The route that a packet to `to` would take; null: there is none, or no address to send from.
  std::optional<KernelRoute> route_to(const IpAddress& to) const;

  // Each changes an interface of the socket's own namespace.
  Error set_up(int index) const;
  Error set_mtu(int index, uint16_t mtu) const;
  Error set_mac(int index, const MacAddress& mac) const;
  Error remove(int index) const;

 private:
  // Sends a request and gives the answer, if there is one, to `read`. False, and errno: the kernel's refusal.
  bool ask(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& read) const;

  FileDescriptor socket_;
  mutable uint32_t sequence_ = 0;
};

// Tells that something has changed, in the namespace that it was made in.
class RtnetlinkEvents {
 public:
  enum class Of : uint8_t {
    links,      // interfaces, those too that have moved to other namespaces from this one
    networks,   // addresses and routes
    neighbors,  // which on a busy host do all the time
  };
  explicit RtnetlinkEvents(Of of);

  int fd() const noexcept { return socket_.get(); }  // readable: something has happened; -1: nothing is to be had
  void drain() const;                                // what has happened is to be looked for

 private:
  FileDescriptor socket_;
};

}  // namespace causeway
