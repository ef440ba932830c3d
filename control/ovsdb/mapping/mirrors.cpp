#include "control/ovsdb/mapping/mirrors.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "control/ovsdb/columns.h"
#include "control/yaml/section_readers.h"
#include "dataplane/flow/vlan_rules.h"

namespace causeway::ovsdb {
namespace {

constexpr Column kColumns[] = {{"name", ColumnKind::text},
                               {"select_all", ColumnKind::flag},
                               {"select_src_port", ColumnKind::texts},
                               {"select_dst_port", ColumnKind::texts},
                               {"select_vlan", ColumnKind::integers},
                               {"output_port", ColumnKind::text},
                               {"output_vlan", ColumnKind::integer}};

class Mirrors {
 public:
  Mirrors(const Database& rows, const std::string& name, config::Config& config,
          const std::vector<std::string>& outputs, Notes& notes)
      : ports_(table_of(rows, "Port")),
        interfaces_(table_of(rows, "Interface")),
        mirrors_(table_of(rows, "Mirror")),
        bridge_(name),
        members_(config.bridges.at(name).interfaces),
        outputs_(outputs),
        config_(config),
        notes_(notes) {}

  void read(const Row& bridge) {
    for_each_text(bridge, "mirrors", [&](const std::string& uuid) {
      if (const auto found = mirrors_.find(uuid); found != mirrors_.end()) add_output(found->second);
    });
    selectable_ = members_;
    for (const auto& [name, waiting] : waiting_) std::erase(selectable_, waiting.mirror.output_port);
    for (const auto& [name, waiting] : waiting_) add(name, *waiting.row, waiting.mirror);
  }

 private:
  // Whose output is there.
  struct Waiting {
    const Row* row = nullptr;
    config::Mirror mirror;
  };

  void ignore(std::string_view mirror, std::string_view why) {
    notes_.add("Bridge.mirrors", fmt::format("{}: mirror {} {} and is ignored", bridge_, shown(mirror), why));
  }

  // The interface of a Port; none: it isn't among these.
  std::optional<std::string> interface_of(const std::string& port, const std::vector<std::string>& among) const {
    const auto found = ports_.find(port);
    std::optional<std::string> member;
    if (found == ports_.end()) return member;
    for_each_text(found->second, "interfaces", [&](const std::string& uuid) {
      const auto interface = interfaces_.find(uuid);
      const std::string* const name = interface != interfaces_.end() ? text_at(interface->second, "name") : nullptr;
      if (name != nullptr && std::ranges::binary_search(among, *name)) member = *name;
    });
    return member;
  }

  void add_output(const Row& row) {
    const std::string name = text_of(row, "name").value_or("");
    if (const std::string_view column = wrong_column(row, kColumns); !column.empty()) {
      return ignore(name, fmt::format("has a column {} of a wrong type", column));
    }
    Waiting waiting;
    waiting.row = &row;
    const int64_t vlan = integer_of(row, "output_vlan").value_or(0);
    if (const std::string* const port = text_at(row, "output_port")) {
      waiting.mirror.output_port = interface_of(*port, members_).value_or(interface_of(*port, outputs_).value_or(""));
    } else if (vlan > 0 && vlan < int64_t{kVlans} - 1) {
      waiting.mirror.output_vlan = static_cast<uint16_t>(vlan);
    }
    if (waiting.mirror.output_port.empty() && waiting.mirror.output_vlan == 0)
      return ignore(name, "has no output that is there");
    if (!waiting_.emplace(name, waiting).second) ignore(name, "is there twice");
  }

  std::vector<std::string> selected(const Row& row, std::string_view column) const {
    std::vector<std::string> names;
    for_each_text(row, column, [&](const std::string& port) {
      if (auto name = interface_of(port, selectable_)) names.push_back(std::move(*name));
    });
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  void add(const std::string& name, const Row& row, config::Mirror mirror) {
    if (flag_of(row, "select_all")) {
      mirror.select_src_port = selectable_;  // of this bridge: they have all come in somewhere
    } else {
      mirror.select_src_port = selected(row, "select_src_port");
      mirror.select_dst_port = selected(row, "select_dst_port");
    }
    for (const int64_t vlan : integers_of(row, "select_vlan")) {
      if (vlan >= 0 && vlan < int64_t{kVlans}) mirror.select_vlan.push_back(static_cast<uint16_t>(vlan));
    }
    if (mirror.select_src_port.empty() && mirror.select_dst_port.empty()) return ignore(name, "selects nothing");
    // Names are a bridge's own in Open vSwitch.
    const std::string own = config_.mirrors.contains(name) ? fmt::format("{}.{}", bridge_, name) : name;
    if (config_.mirrors.contains(own)) return ignore(name, "has a name that is taken");
    if (const std::string error = config::name_error(own, config::kLongestName); !error.empty()) {
      return ignore(name, fmt::format("can't be called so here ({})", error));
    }
    if (says_something(row, "snaplen")) {
      notes_.add("Bridge.mirrors.snaplen", fmt::format("{}: snaplen of a mirror has no equal and is ignored", bridge_));
    }
    std::erase(members_, mirror.output_port);
    config_.mirrors.emplace(own, std::move(mirror));
  }

  const TableRows& ports_;
  const TableRows& interfaces_;
  const TableRows& mirrors_;
  const std::string& bridge_;
  std::vector<std::string>& members_;        // sorted
  std::vector<std::string> selectable_;      // of these; outputs have no frames of their own
  const std::vector<std::string>& outputs_;  // sorted, and not in the bridge
  config::Config& config_;
  Notes& notes_;
  std::map<std::string, Waiting> waiting_;  // by name
};

}  // namespace

void read_mirrors(const Database& rows, const Row& bridge, const std::string& name, config::Config& config,
                  const std::vector<std::string>& outputs, Notes& notes) {
  if (says_something(bridge, "mirrors")) Mirrors(rows, name, config, outputs, notes).read(bridge);
}

}  // namespace causeway::ovsdb
