#include "control/ctl/top/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/ctl/rates.h"
#include "control/ctl/render.h"
#include "control/ctl/table.h"
#include "control/ctl/top/numbers.h"

namespace causeway::top {
namespace {

using nlohmann::json;

constexpr std::string_view kSubjects[] = {"control", "workers", "bridges", "ports", "tunnels"};
constexpr std::string_view kOrdinaryDrops[] = {"control_ignored", "host_traffic", "link_local_multicast"};
constexpr double kBits = 8;  // of a byte

Rate number_at(const json& row, const std::string& field) {
  const auto found = row.find(field);
  return found != row.end() && found->is_number() ? Rate(found->get<double>()) : std::nullopt;
}

Rate sum(Rate a, Rate b) { return a && b ? Rate(*a + *b) : a ? a : b; }

void add(Rates& to, const Rates& rates) {
  to.in_packets = sum(to.in_packets, rates.in_packets);
  to.in_bits = sum(to.in_bits, rates.in_bits);
  to.out_packets = sum(to.out_packets, rates.out_packets);
  to.out_bits = sum(to.out_bits, rates.out_bits);
  to.drops = sum(to.drops, rates.drops);
}

Rates rates_of(const json& row) {
  const auto bits = [](Rate bytes) { return bytes ? Rate(*bytes * kBits) : bytes; };
  return {number_at(row, "rx_packets_per_s"), bits(number_at(row, "rx_bytes_per_s")),
          number_at(row, "tx_packets_per_s"), bits(number_at(row, "tx_bytes_per_s")),
          sum(number_at(row, "rx_drops_per_s"), number_at(row, "tx_drops_per_s"))};
}

// A table as `show` would answer with it, of what is there in another shape. The first column names its rows.
json table_of(std::vector<std::string> counters, json rows, const json& time_s) {
  json columns = {{{"name", "key"}, {"kind", "text"}}};
  for (std::string& counter : counters) columns.push_back({{"name", std::move(counter)}, {"kind", "counter"}});
  return {{"columns", std::move(columns)}, {"result", std::move(rows)}, {"time_s", time_s}};
}

std::string remote_key(const std::string& tunnel, const std::string& remote) { return tunnel + " " + remote; }

json remotes_table(const json& tunnels) {
  json rows = json::array();
  for (const json& tunnel : tunnels.at("result")) {
    for (const json& remote : tunnel.value("per_remote", json::array())) {
      rows.push_back(remote);
      rows.back()["key"] = remote_key(tunnel.at("name"), remote.at("remote"));
    }
  }
  return table_of({"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"}, std::move(rows), tunnels.at("time_s"));
}

json drops_table(const json& stats) {
  json rows = json::array();
  for (const auto& [reason, count] : stats.at("result").at("drops").items()) {
    rows.push_back({{"key", reason}, {"drops", count}});
  }
  return table_of({"drops"}, std::move(rows), stats.at("time_s"));
}

Item port_item(const json& row) {
  Item item{Item::Kind::port, row.at("name"), "", row.at("kind"), row.at("state"), "", false, rates_of(row), {}};
  item.wrong = item.state != "up";
  if (item.wrong) {
    item.detail = row.at("reason").is_string() ? row.at("reason").get<std::string>() : "";
    if (item.detail.empty()) item.detail = "no link";
  } else if (!row.at("addresses").empty()) {
    item.detail = cell_text(row.at("addresses"));
  }
  return item;
}

// Why frames don't get there: who refuses them, or what they die of.
std::string tunnel_reason(const std::string& state, const json& refusals, const std::string& remote) {
  for (const json& refusal : refusals) {
    if (!remote.empty() && refusal.at("remote") != remote) continue;
    return fmt::format("{} says {}", refusal.at("from").get<std::string>(), refusal.at("reason").get<std::string>());
  }
  return std::string(meaning_of(state));
}

Item vtep_item(const json& tunnel, const std::string& remote, const std::string& state, const Rates& rates) {
  Item item{Item::Kind::vtep, remote, tunnel.at("name"), "vtep", state, "", state != "up", rates, {}};
  if (item.wrong) item.detail = tunnel_reason(state, tunnel.at("refusals"), remote);
  return item;
}

Item tunnel_item(const json& row, const std::map<std::string, const json*>& remotes) {
  const std::string id = row.at("id").is_null() ? "" : " " + row.at("id").dump();
  Item item{Item::Kind::tunnel,
            row.at("name"),
            "",
            row.at("mode").get<std::string>() + id,
            row.at("state"),
            "",
            false,
            rates_of(row),
            {}};
  item.wrong = item.state != "up";
  item.detail =
      item.wrong ? tunnel_reason(item.state, row.at("refusals"), "") : fmt::format("mtu {}", cell_text(row.at("mtu")));
  for (const json& remote : row.value("per_remote", json::array())) {
    const std::string address = remote.at("remote");
    item.below.push_back(
        vtep_item(row, address, remote.at("state"), rates_of(*remotes.at(remote_key(item.name, address)))));
  }
  if (item.below.empty()) item.below.push_back(vtep_item(row, cell_text(row.at("remote")), item.state, item.rates));
  return item;
}

Item bridge_item(const json& row) {
  Item item{Item::Kind::bridge, row.at("name"), "", "bridge", "", "", false, {}, {}};
  const json& macs = row.at("macs");
  item.wrong =
      macs.is_number() && row.at("max_macs").is_number() && row.at("max_macs") != 0 && macs >= row.at("max_macs");
  item.state = item.wrong ? "full" : fmt::format("{} MACs", cell_text(macs));
  if (item.wrong) item.detail = fmt::format("{} MACs, no more are learnt", cell_text(macs));
  return item;
}

WorkerLoad worker_load(const json& row) {
  const Rate busy = number_at(row, "busy_cycles_per_s");
  const Rate packets = number_at(row, "rx_packets_per_s");
  const json& cache = row.at("flow_cache");
  const Rate hits = number_at(cache, "hits_per_s");
  WorkerLoad load;
  load.id = cell_text(row.at("id"));
  load.core = cell_text(row.at("core"));
  load.queues = cell_text(row.at("queues"));
  load.busy_percent = percent(busy, sum(busy, number_at(row, "idle_cycles_per_s")));
  load.hit_percent = percent(hits, sum(hits, number_at(cache, "misses_per_s")));
  if (busy && packets && *packets > 0) load.cycles_a_packet = *busy / *packets;
  load.packets = packets;
  load.flows = cache.at("entries");
  return load;
}

}  // namespace

const std::vector<json>& Model::questions() {
  static const std::vector<json> kQuestions = [] {
    std::vector<json> all;
    for (const std::string_view subject : kSubjects) all.push_back({{"verb", "show"}, {"what", subject}});
    all.push_back({{"verb", "stats"}});
    return all;
  }();
  return kQuestions;
}

void Model::take(const std::vector<json>& replies) {
  Tables now;
  for (size_t i = 0; i < std::size(kSubjects); ++i) now.emplace(kSubjects[i], replies.at(i));
  now.emplace("remotes", remotes_table(now.at("tunnels")));
  now.emplace("drops", drops_table(replies.at(std::size(kSubjects))));
  Tables rated = now;
  for (auto& [subject, table] : rated) {
    if (const auto before = raw_.find(subject); before != raw_.end()) add_rates(table, before->second);
  }
  raw_ = std::move(now);
  rated_ = std::move(rated);
  arrange();
}

void Model::arrange() {
  const json& control = rows("control");
  summary_ = {control.value("name", ""), control.value("version", ""), control.value("uptime_s", uint64_t{0}), {}};

  std::map<std::string, const json*> remotes;
  for (const json& remote : rows("remotes")) remotes[remote.at("key")] = &remote;
  std::map<std::string, Item> interfaces;
  for (const json& row : rows("ports")) {
    Item item = port_item(row);
    add(summary_.rates, item.rates);
    interfaces.emplace(item.name, std::move(item));
  }
  for (const json& row : rows("tunnels")) {
    Item item = tunnel_item(row, remotes);
    interfaces.emplace(item.name, std::move(item));
  }
  items_.clear();
  for (const json& row : rows("bridges")) {
    Item bridge = bridge_item(row);
    for (const json& member : row.at("interfaces")) {
      auto found = interfaces.extract(member.get<std::string>());
      if (found.empty()) continue;
      add(bridge.rates, found.mapped().rates);
      bridge.below.push_back(std::move(found.mapped()));
    }
    items_.push_back(std::move(bridge));
  }
  for (auto& [name, item] : interfaces) items_.push_back(std::move(item));

  workers_.clear();
  for (const json& row : rows("workers")) workers_.push_back(worker_load(row));

  drops_.clear();
  for (const json& row : rows("drops")) {
    const std::string reason = row.at("key");
    Drops drops{reason, std::string(meaning_of(reason)), row.at("drops"), number_at(row, "drops_per_s"),
                std::ranges::find(kOrdinaryDrops, reason) != std::end(kOrdinaryDrops)};
    if (drops.total != 0) drops_.push_back(std::move(drops));
  }
  std::ranges::stable_sort(drops_, std::greater(),
                           [](const Drops& drops) { return std::pair(drops.rate, drops.total); });
}

std::string Model::describe(Item::Kind kind, const std::string& name) const {
  const char* const subject = kind == Item::Kind::bridge ? "bridges" : kind == Item::Kind::port ? "ports" : "tunnels";
  const auto table = rated_.find(subject);
  if (table == rated_.end()) return {};
  for (const json& row : table->second.at("result")) {
    if (row.at("name") == name) return render_object(row, table->second.at("columns"));
  }
  return {};
}

}  // namespace causeway::top
