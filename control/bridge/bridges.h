// Bridges: names, members, flood lists.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/bridge/fdb.h"
#include "control/config/config.h"
#include "control/publish/publisher.h"
#include "pmd/error.h"

namespace causeway {

class Bridges {
 public:
  struct Bridge {
    BridgeIndex index = kNoBridge;
    config::Bridge settings;                                     // ageing time and limits; members stand below
    std::map<std::string, std::vector<AdjacencyIndex>> members;  // a tunnel with several remotes has several
  };

  Bridges(Tables& tables, Publisher& publisher, Fdb& fdb) : tables_(tables), publisher_(publisher), fdb_(fdb) {}
  ~Bridges();

  // Fails where there are too many.
  Error add(const std::string& name, const config::Bridge& settings);
  void change(const std::string& name, const config::Bridge& settings);
  void remove(const std::string& name);
  // `adjacencies`: of the interface, those that floods go to; a fabric may have none.
  void set_members(const std::string& bridge, const std::string& interface, std::vector<AdjacencyIndex> adjacencies);
  void remove_member(const std::string& bridge, const std::string& interface);

  const Bridge* find(const std::string& name) const;
  // The bridge an interface is in; null: none.
  const Bridge* bridge_of(const std::string& interface) const;
  const std::string& name_of(BridgeIndex index) const;
  const std::map<std::string, Bridge>& all() const { return bridges_; }

  // Publishes the flood lists that changed since the last call.
  void commit();

 private:
  void list_by_vlan(BridgeEntry& entry) const;

  Tables& tables_;
  Publisher& publisher_;
  Fdb& fdb_;
  std::map<std::string, Bridge> bridges_;
  std::map<BridgeIndex, std::string> names_;
  std::map<std::string, std::string> bridge_of_;  // interface -> bridge
  std::set<std::string> changed_;
};

}  // namespace causeway
