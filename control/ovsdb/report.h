// What the database is told of the running gateway: columns of the vswitch schema (ovs-vswitchd.conf.db(5)), in the
// words that ovs-vswitchd uses. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/gateway/gateway.h"
#include "control/ovsdb/interface_state.h"
#include "control/ovsdb/mapping/incremental.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// Why an interface doesn't work, by the UUID of its row.
using InterfaceErrors = std::map<std::string, std::string>;

class Report {
 public:
  // The bridges and interfaces that there are from now on: all of them.
  void follow(const Database& rows);
  // Of some ports, which have no others' interfaces.
  void follow(const RowPatch& rows);

  // Operations for one transaction (RFC 7047 section 5.2): only what has changed since the last ones. `look`: at which
  // interfaces; a new one is told with its counters at once, as libvirt wants it.
  enum class Look : uint8_t {
    at_followed,  // those of the last follow()
    at_all,       // nothing where the last one was a moment ago: these take a tenth of the time at most
    at_counters,  // of all, too
  };
  // With `applied` the rows of that next_cfg are in use, and cur_cfg says so in the same transaction: ovs-vsctl looks
  // at ofport and error once it sees it.
  std::vector<nlohmann::json> operations(const InterfaceErrors& errors, const Gateway& gateway, Look look,
                                         std::optional<int64_t> applied);
  // The database may have forgotten what it was told.
  void forget();

  // OpenFlow numbers of a bridge's interfaces by their names; the bridge's own isn't among them.
  std::map<std::string, int64_t> port_numbers(const std::string& bridge) const;

 private:
  using Clock = std::chrono::steady_clock;
  using Operations = std::vector<nlohmann::json>;

  struct Interface {
    std::string name;
    int64_t number = 0;                  // OpenFlow's, of its port; 0: none yet
    std::optional<InterfaceState> told;  // none: nothing was
  };
  // In the order of UUIDs: the number of one that has none doesn't depend on the way it came.
  using Interfaces = std::map<std::string, Interface, std::less<>>;
  struct Bridge {
    std::string name;
    Interfaces interfaces;   // by UUID
    std::set<int64_t> used;  // numbers
    void enter(const std::string& uuid, const Row& row);
    void leave(const std::string& uuid);
    void keep(const std::map<std::string_view, const Row*>& rows);  // and lets all others leave
    // The one that was asked for or that it had, as long as it is free; otherwise a free one.
    int64_t choose(int64_t known, const Row& row) const;
  };

  void tell_interface(const std::string& uuid, Interface& interface, const InterfaceErrors& errors,
                      const Gateway& gateway, bool statistics, Operations& operations);
  // Adds an operation that sets those of `columns` that the row hasn't yet.
  void tell(const std::string& table, const std::string& uuid, const Columns& columns, Operations& operations);

  Clock::time_point next_look_;
  std::string root_;                       // UUID; empty: there is no such row
  std::map<std::string, Bridge> bridges_;  // by UUID
  // Of the last follow(): UUIDs of bridges and interfaces. None: it was of all.
  std::optional<std::vector<std::pair<std::string, std::string>>> followed_;
  std::map<std::string, Columns> told_;  // of bridges and the root, by UUID
};

}  // namespace causeway::ovsdb
