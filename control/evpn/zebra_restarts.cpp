#include "control/evpn/zebra_restarts.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace causeway {

// "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode", a line a socket: `Eth` is the protocol, `Groups` hexadecimal.
std::set<uint64_t> neighbor_followers(std::istream& list) {
  std::set<uint64_t> followers;
  std::string line;
  std::getline(list, line);  // the titles
  while (std::getline(list, line)) {
    std::istringstream words(line);
    std::string socket;
    std::string skipped;
    int protocol = -1;
    uint32_t groups = 0;
    uint64_t inode = 0;
    words >> socket >> protocol >> skipped >> std::hex >> groups >> std::dec;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> inode;
    if (words && protocol == NETLINK_ROUTE && (groups & RTMGRP_NEIGH) != 0) followers.insert(inode);
  }
  return followers;
}

bool ZebraRestarts::look() {
  std::ifstream list("/proc/thread-self/net/netlink");
  std::set<uint64_t> followers = neighbor_followers(list);
  const bool came = looked_ && !std::ranges::includes(followers_, followers);
  followers_ = std::move(followers);
  looked_ = true;
  return came;
}

}  // namespace causeway
