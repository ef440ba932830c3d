// Whether a routing daemon has begun anew: somebody follows neighbors who didn't before. The kernel lists all sockets
// of rtnetlink in /proc/net/netlink (proc(5)). `bridge monitor` looks the same: it is a hint, no more.
#pragma once

#include <cstdint>
#include <istream>
#include <set>

namespace causeway {

// The inodes of the sockets in such a list that hear of neighbors.
std::set<uint64_t> neighbor_followers(std::istream& list);

class ZebraRestarts {
 public:
  // True: somebody has come since the last look. Not at the first.
  bool look();

 private:
  std::set<uint64_t> followers_;
  bool looked_ = false;
};

}  // namespace causeway
