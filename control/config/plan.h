// What has to happen to get from one configuration to another: an ordered list of operations. Removals come
// before what they depend on, additions after it. `plan` prints the list, gateway/apply runs it and, on
// failure, runs what was done backwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

// In the order in which operations of each kind appear.
enum class OperationKind : uint8_t {
  restart_needed,  // a system key that a running daemon does not change; nothing to run
  static_mac_remove,
  member_remove,  // interface leaves bridge
  tunnel_remove,
  bridge_remove,
  vlan_remove,
  ethernet_remove,
  ethernet_close,   // its device goes to another ethernet: closed before that one opens it
  ethernet_reopen,  // changed in a way that needs the device closed and opened; memberships stay
  ethernet_open,    // as ethernet_reopen, of one that was closed for another
  ethernet_change,  // changed in place: mtu, macaddress, addresses, routes, neighbors, offloads, vlan, isolated
  ethernet_add,
  vlan_change,
  vlan_add,
  bridge_add,     // without members and static MACs: those are operations of their own
  bridge_change,  // parameters only
  tunnel_change,
  tunnel_add,
  member_add,
  static_mac_add,
};

// null `before`: added; null `after`: removed. Swapped, the operation is its own undo.
template <typename T>
struct Change {
  const T* before = nullptr;
  const T* after = nullptr;
};

// Points into the two configurations that were compared; both must outlive it.
struct Operation {
  OperationKind kind;
  std::string name;             // the ethernet, VLAN, tunnel or bridge; the interface that joins or leaves; the
                                // interface behind a static MAC; the system key ("system.workers")
  std::string bridge;           // member_* and static_mac_*
  std::string text;             // one line for people: "+ tunnel gnv1 geneve id 124 172.31.0.1 -> 172.31.0.2"
  Change<Ethernet> ethernet{};  // or VLAN; the one that fits `kind` is set
  Change<Tunnel> tunnel{};
  Change<Bridge> bridge_parameters{};
  Change<StaticMac> static_mac{};
};

const char* to_string(OperationKind kind);

// Why an operation failed, or could not be undone.
struct ApplyError {
  std::string key;  // "ethernets.up0"
  std::string what;
};

// Nothing changed: empty.
std::vector<Operation> diff_config(const Config& before, const Config& after);

}  // namespace causeway::config
