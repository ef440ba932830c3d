// Questions to the kernel about its network interfaces: rtnetlink(7), by libmnl. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "dataplane/wire/address.h"
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

  // Each changes an interface of the socket's own namespace. An empty string means done, anything else says why not.
  std::string set_up(int index) const;
  std::string set_mtu(int index, uint16_t mtu) const;
  std::string set_mac(int index, const MacAddress& mac) const;

 private:
  // Sends a request and gives the answer, if there is one, to `read`. False, and errno: the kernel's refusal.
  bool ask(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& read) const;

  FileDescriptor socket_;
  mutable uint32_t sequence_ = 0;
};

// Tells that interfaces have come, gone or changed: in the namespace it was made in, and in those that interfaces have
// moved to from there.
class LinkEvents {
 public:
  LinkEvents();

  int fd() const noexcept { return socket_.get(); }  // readable: something has happened; -1: nothing is to be had
  void drain() const;                                // what has happened is to be looked for

 private:
  FileDescriptor socket_;
};

}  // namespace causeway
