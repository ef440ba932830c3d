#include "control/ctl/render.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "control/ctl/table.h"
#include "dataplane/drop_reason.h"

namespace causeway {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 10> kSubjects{"ports", "bridges", "tunnels",  "fdb",       "neighbors",
                                                     "flows", "workers", "offloads", "multicast", "control"};

// The columns of each subject; one that is not here shows all it has.
const std::map<std::string, std::vector<std::string>>& columns_of_subjects() {
  static const std::map<std::string, std::vector<std::string>> columns{
      {"ports",
       {"name", "kind", "bridge", "vlan", "state", "mtu", "mac", "addresses", "rx_packets", "rx_bytes", "tx_packets",
        "tx_bytes", "rx_drops", "tx_drops", "rx_workers", "rss"}},
      {"bridges", {"name", "interfaces", "macs", "max_macs", "macs_refused", "mac_moves", "ageing_time_s"}},
      {"tunnels",
       {"name", "mode", "id", "local", "remote", "bridge", "vlan", "state", "mtu", "path_mtu", "rx_packets",
        "tx_packets"}},
      {"fdb", {"bridge", "vlan", "mac", "port", "remote", "type", "age_s"}},
      {"neighbors", {"port", "address", "mac", "state", "age_s", "waiting_frames"}},
      {"workers",
       {"id", "core", "queues", "rx_packets", "gro_in", "gro_out", "busy_cycles", "idle_cycles", "flow_cache_entries",
        "flow_cache_hits", "flow_cache_misses"}},
      {"flows", {"worker", "bridge", "vlan", "from", "from_remote", "source", "destination", "to", "to_remote"}},
      {"offloads", {"port", "offload", "state", "reason"}},
      {"multicast", {"port", "group", "protocol", "state", "tunnels", "querier"}},
  };
  return columns;
}

std::string_view meaning_of(const std::string& reason) {
  const auto found = std::find_if(kDropReasonText.begin(), kDropReasonText.end(),
                                  [&reason](const DropReasonText& text) { return text.name == reason; });
  return found == kDropReasonText.end() ? std::string_view{} : found->meaning;
}

}  // namespace

std::span<const std::string_view> show_subjects() { return kSubjects; }

std::string render_show(const std::string& subject, const json& result) {
  if (subject == "control") return render_table(json::array({result}), {});
  const json& rows = subject == "flows" ? result.at("flows") : result;
  if (rows.empty()) return "no " + (subject == "fdb" ? std::string("fdb entries") : subject) + "\n";
  const auto found = columns_of_subjects().find(subject);
  std::string table =
      render_table(rows, found == columns_of_subjects().end() ? std::vector<std::string>{} : found->second);
  if (&rows != &result && result.value("cached", uint64_t{0}) > rows.size()) {
    table += std::to_string(rows.size()) + " of " + result.at("cached").dump() + " that are cached\n";
  }
  return table;
}

std::string render_verdicts(const json& rows) { return render_table(rows, {"offload", "state", "reason"}); }

std::string render_stats(const json& stats, bool all) {
  const json drops = stats.value("drops", json::object());
  const json workers = stats.value("workers", json::array());
  std::vector<std::string> columns{"drops"};
  for (const json& worker : workers) columns.push_back("worker_" + worker.value("id", json(0)).dump());
  columns.insert(columns.end(), {"reason", "meaning"});

  json rows = json::array();
  for (const auto& [reason, count] : drops.items()) {
    if (!all && count == 0) continue;
    json row{{"drops", count}, {"reason", reason}, {"meaning", meaning_of(reason)}};
    for (size_t i = 0; i < workers.size(); ++i) {
      row[columns[i + 1]] = workers[i].value("drops", json::object()).value(reason, uint64_t{0});
    }
    rows.push_back(std::move(row));
  }
  // Not drops: the frames went on.
  std::string options;
  const json unknown = stats.value("unknown_geneve_options", json::object());
  for (const auto& [name, count] : unknown.items()) {
    options += "unknown GENEVE options of class " + name + ": " + count.dump() + "\n";
  }
  if (rows.empty()) return "no drops\n" + options;
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) { return a["drops"] > b["drops"]; });
  return render_table(rows, columns) + options;
}

std::string render_operations(const json& result) {
  const json operations = result.is_object() ? result.value("operations", json::array()) : result;
  if (!operations.is_array() || operations.empty()) return "nothing to change\n";
  std::string text;
  for (const json& operation : operations) {
    text += (operation.is_string() ? operation.get<std::string>() : operation.dump()) + "\n";
  }
  return text;
}

}  // namespace causeway
