// Which interface of the host's becomes an underlay for a tunnel of the database: the one that the kernel's route to
// its remote leads out of, unless the file has an underlay for it. Asks the host once for each remote.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "control/config/config.h"

namespace causeway::ovsdb {

// What only this host knows.
struct Host {
  // The interface of the kernel's route to a remote; null: there is no route. May be empty: then no remote has one.
  std::function<std::optional<std::string>(const IpAddress&)> interface_to;
};

class Underlays {
 public:
  // Both outlive it.
  Underlays(const config::Config& yaml, const Host& host);

  // Null: the file has one, or nobody knows the way.
  std::optional<std::string> interface_to(const IpAddress& remote);
  // Whether it is an address of an ethernet of the file; a link-local one may be another host's, too.
  bool is_own(const IpAddress& address) const { return own_.contains(address); }

 private:
  std::optional<std::string> find(const IpAddress& remote) const;

  const Host& host_;
  std::vector<IpPrefix> reached_;              // by underlays of the file
  std::unordered_set<std::string> followers_;  // the host's interfaces whose routes underlays of the file follow
  std::unordered_set<IpAddress> own_;
  std::unordered_map<IpAddress, std::optional<std::string>> known_;
};

}  // namespace causeway::ovsdb
