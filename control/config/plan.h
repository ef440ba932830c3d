// What has to happen to get from one configuration to another: an ordered list of operations. Removals come
// before what they depend on, additions after it. `plan` prints the list, gateway/apply runs it and, on
// failure, runs what was done backwards.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

// What an operation is about.
enum class Thing : uint8_t { system, ethernet, vlan, bridge, tunnel, member, static_mac, sflow, mirror, host_path };

enum class Verb : uint8_t {
  remove,
  close,   // an ethernet's device goes to another ethernet: closed before that one opens it
  open,    // as reopen, of one that was closed for another
  reopen,  // changed in a way that needs the device closed and opened; memberships stay
  change,  // in place; a bridge's parameters only. Of a system key: there is nothing to run. Of sFlow: from or to none,
           // too
  add,     // a bridge without members and static MACs: those are operations of their own
};

struct OperationKind {
  Thing thing = Thing::system;
  Verb verb = Verb::change;
  bool operator==(const OperationKind&) const = default;
};

// Every kind, in the order in which operations appear.
inline constexpr std::array<OperationKind, 26> kOperationOrder{{
    {Thing::system, Verb::change},    {Thing::mirror, Verb::remove},   {Thing::static_mac, Verb::remove},
    {Thing::member, Verb::remove},    {Thing::tunnel, Verb::remove},   {Thing::bridge, Verb::remove},
    {Thing::host_path, Verb::remove}, {Thing::vlan, Verb::remove},     {Thing::ethernet, Verb::remove},
    {Thing::ethernet, Verb::close},   {Thing::ethernet, Verb::reopen}, {Thing::ethernet, Verb::open},
    {Thing::ethernet, Verb::change},  {Thing::ethernet, Verb::add},    {Thing::vlan, Verb::change},
    {Thing::vlan, Verb::add},         {Thing::host_path, Verb::add},   {Thing::bridge, Verb::add},
    {Thing::bridge, Verb::change},    {Thing::tunnel, Verb::change},   {Thing::tunnel, Verb::add},
    {Thing::member, Verb::add},       {Thing::static_mac, Verb::add},  {Thing::mirror, Verb::change},
    {Thing::mirror, Verb::add},       {Thing::sflow, Verb::change},
}};
// The kind's place there.
size_t order_of(OperationKind kind);

std::string to_string(OperationKind kind);  // "ethernet-change"

// A system key, "system.workers": whoever looks at the others asks the configuration each time.
constexpr bool needs_restart(std::string_view system_key) { return system_key != "system.admins"; }

// null `before`: added; null `after`: removed. Swapped, the operation is its own undo.
template <typename T>
struct Change {
  const T* before = nullptr;
  const T* after = nullptr;
};

// Points into the two configurations that were compared; both must outlive it (Plan).
struct Operation {
  OperationKind kind;
  std::string name;             // the ethernet, VLAN, tunnel or bridge; the interface that joins or leaves; the
                                // interface behind a static MAC; the system key ("system.workers")
  std::string bridge;           // of a member or a static MAC
  std::string text;             // one line for people: "+ tunnel gnv1 geneve id 124 172.31.0.1 -> 172.31.0.2"
  Change<Ethernet> ethernet{};  // or VLAN, or host path; the one that fits `kind` is set
  Change<Tunnel> tunnel{};
  Change<Bridge> bridge_parameters{};
  Change<StaticMac> static_mac{};
  Change<Sflow> sflow{};
  Change<Mirror> mirror{};
};

// Why an operation failed, or could not be undone.
struct ApplyError {
  std::string key;  // "ethernets.up0"
  std::string what;
};

// What takes it back.
Operation opposite(Operation operation);
// The key an operation is about: "ethernets.up0".
std::string key_of(const Operation& operation);

// Nothing changed: empty.
std::vector<Operation> diff_config(const Config& before, const Config& after);

// The way from one configuration to another, and both of them. Made for `before`: where something else runs by now, it
// has to be made anew.
struct Plan {
  std::shared_ptr<const Config> before;
  std::shared_ptr<const Config> after;
  std::vector<Operation> operations;
};
Plan make_plan(std::shared_ptr<const Config> before, std::shared_ptr<const Config> after);

}  // namespace causeway::config
