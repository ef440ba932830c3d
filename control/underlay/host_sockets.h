// Sockets of ours that take nothing, on addresses that are the host's (`addresses: host`). Its kernel sees what comes
// in by tunnels, too: as long as somebody listens it doesn't answer "port unreachable" (RFC 1122 section 3.2.2.1),
// which the peers would believe. Where a tunnel is a multicast group's the kernel is the member. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/wire/address.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class HostSockets {
 public:
  // On all addresses of the host in this network namespace. What can't be listened on is logged, once, and tried again
  // at the next call.
  void listen(const std::set<uint16_t>& udp_ports, bool gre);

  // On an interface of the host's; one socket a group, since the kernel allows few to each.
  void join(const std::string& interface, const IpAddress& group);
  void leave(const std::string& interface, const IpAddress& group) { memberships_.erase({interface, group}); }

 private:
  std::map<uint16_t, FileDescriptor> udp_;  // not valid: it is taken
  std::vector<FileDescriptor> gre_;         // IPv4 and IPv6
  std::map<std::pair<std::string, IpAddress>, FileDescriptor> memberships_;
};

}  // namespace causeway
