// Rows in, configuration or errors out: translate.txt has a case for each line of the mapping, its rows recorded from a
// real ovsdb-server (record.py), and random rows that nobody would write.
#include "control/ovsdb/mapping/translate.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <iostream>
#include <map>
#include <set>

#include "control/config/address_text.h"
#include "control/config/plan.h"
#include "control/config/vlan_rules.h"
#include "tests/catch.h"
#include "tests/unit/ovsdb/cases.h"
#include "tests/unit/ovsdb/random_rows.h"

namespace causeway::ovsdb {
namespace {

using nlohmann::json;
using test::Case;
using test::config_of;
using test::kernel_interface;
using test::kFile;
using test::RandomRows;
using test::recorded_cases;
using test::rows_of;

std::string text_of_device(const config::Ethernet& ethernet) {
  if (std::holds_alternative<config::PacketDevice>(ethernet.device)) return "packet";
  if (std::holds_alternative<config::TapDevice>(ethernet.device)) return "tap";
  return fmt::format("dpdk {}", ethernet.devargs());
}

std::string text_of_member(const auto& settings) {
  const config::PortVlan& vlan = settings.vlan;
  return (vlan.mode != VlanMode::none ? " vlan " + config::to_string(vlan) : "") +
         (settings.isolated ? " isolated" : "") +
         (settings.split_group.empty() ? "" : " group " + settings.split_group);
}

std::string text_of(const config::Tunnel& tunnel) {
  std::string text = fmt::format("{}", row_of(tunnel.mode).name);
  if (tunnel.id) text += fmt::format(" id {}", *tunnel.id);
  if (tunnel.sent_id) text += fmt::format(" sends {}", *tunnel.sent_id);
  if (!tunnel.local.is_unspecified()) text += ' ' + to_string(tunnel.local);
  text += " -> " + to_string(tunnel.remotes.at(0));
  if (tunnel.port != 0) text += fmt::format(" port {}", tunnel.port);
  if (tunnel.ttl != 64) text += fmt::format(" ttl {}", tunnel.ttl);
  if (tunnel.tos != 0) text += fmt::format(" tos {}", tunnel.tos);
  if (tunnel.tos_inherit) text += " tos inherit";
  if (tunnel.checksum) text += fmt::format(" checksum {}", *tunnel.checksum);
  if (tunnel.sequence) text += " sequence";
  if (tunnel.erspan_index != 0) text += fmt::format(" index {}", tunnel.erspan_index);
  if (tunnel.allow_zero_checksum) text += " udp6-zero-checksum-rx";
  return text + text_of_member(tunnel);
}

// What the rows have added to the file, the errors and the notes, a line each.
std::string text_of(const Translation& made, const config::Config& file) {
  std::string text;
  const auto line = [&](std::string what) {
    for (size_t at = what.find('\n'); at != std::string::npos; at = what.find('\n')) what.replace(at, 1, " | ");
    text += what + '\n';
  };
  for (const auto& [name, bridge] : made.config.bridges) {
    if (file.bridges.contains(name)) continue;
    std::string interfaces;
    for (const std::string& interface : bridge.interfaces) interfaces += (interfaces.empty() ? "" : " ") + interface;
    line(fmt::format("= bridge {}: {}{}{}", name, interfaces,
                     bridge.ageing_time_s != 300 ? fmt::format(" ageing-time {}", bridge.ageing_time_s) : "",
                     bridge.max_macs != 8192 ? fmt::format(" max-macs {}", bridge.max_macs) : ""));
  }
  for (const auto& [name, ethernet] : made.config.ethernets) {
    if (file.ethernets.contains(name)) continue;
    line(fmt::format("= {}: {}{}{}{}{}{}", name, text_of_device(ethernet),
                     ethernet.host_addresses ? " of the host's" : "",
                     ethernet.rx_queues != 0 ? fmt::format(" rx-queues {}", ethernet.rx_queues) : "",
                     ethernet.mtu ? fmt::format(" mtu {}", *ethernet.mtu) : "",
                     ethernet.mac ? fmt::format(" mac {}", to_string(*ethernet.mac)) : "", text_of_member(ethernet)));
  }
  for (const auto& [name, tunnel] : made.config.tunnels) {
    if (!file.tunnels.contains(name)) line(fmt::format("= {}: {}", name, text_of(tunnel)));
  }
  for (const auto& [name, mirror] : made.config.mirrors) {
    line(fmt::format("= mirror {}: from [{}] to [{}] in [{}], out to {} {}", name,
                     fmt::join(mirror.select_src_port, " "), fmt::join(mirror.select_dst_port, " "),
                     fmt::join(mirror.select_vlan, " "), mirror.output_port, mirror.output_vlan));
  }
  for (const auto& [uuid, error] : made.errors) line(fmt::format("! {}: {}", uuid, error));
  for (const Note& note : made.notes) line(fmt::format("? [{}] {}", note.key, note.text));
  return text;
}

// The file's part is as it was, what the bridges name is there once, and an error and a place exclude each other.
void check_whole(const Database& rows, const config::Config& file, const Translation& made) {
  for (const auto& [name, ethernet] : file.ethernets) REQUIRE(made.config.ethernets.at(name) == ethernet);
  for (const auto& [name, tunnel] : file.tunnels) REQUIRE(made.config.tunnels.at(name) == tunnel);
  std::map<std::string, std::string> bridge_of;
  for (const auto& [name, bridge] : made.config.bridges) {
    if (file.bridges.contains(name)) REQUIRE(file.bridges.at(name) == bridge);
    for (const std::string& interface : bridge.interfaces) {
      REQUIRE(bridge_of.emplace(interface, name).second);
      REQUIRE(made.config.ethernets.contains(interface) != made.config.tunnels.contains(interface));
    }
  }
  const auto table = [&](const char* name) { return rows.contains(name) ? rows.at(name) : TableRows{}; };
  const auto names = [](const Row& row, const char* column) {
    std::vector<std::string> uuids;
    if (!row.contains(column)) return uuids;
    const json& value = row.at(column);
    for (const json& atom : value.is_array() ? value : json::array({value})) {
      if (atom.is_string()) uuids.push_back(atom);
    }
    return uuids;
  };
  const TableRows ports = table("Port");
  const TableRows interfaces = table("Interface");
  std::set<std::string> outputs;  // of mirrors: in no bridge
  for (const auto& [name, mirror] : made.config.mirrors) {
    if (mirror.output_port.empty()) continue;
    REQUIRE(!bridge_of.contains(mirror.output_port));
    REQUIRE(made.config.ethernets.contains(mirror.output_port) != made.config.tunnels.contains(mirror.output_port));
    outputs.insert(mirror.output_port);
  }
  for (const auto& [name, tunnel] : made.config.tunnels) {
    if (tunnel.mode != TunnelType::erspan) continue;
    REQUIRE(!bridge_of.contains(name));
    outputs.insert(name);
  }
  std::set<std::string> good;
  for (const auto& [uuid, bridge] : table("Bridge")) {
    for (const std::string& port : names(bridge, "ports")) {
      if (!ports.contains(port)) continue;
      for (const std::string& interface : names(ports.at(port), "interfaces")) {
        if (!interfaces.contains(interface) || made.errors.contains(interface)) continue;
        const Row& row = interfaces.at(interface);
        REQUIRE(row.contains("name"));
        const json& name = row.at("name").is_array() ? row.at("name").at(0) : row.at("name");
        if (outputs.contains(name.get<std::string>())) continue;
        REQUIRE(bridge_of.contains(name.get<std::string>()));
        good.insert(interface);
      }
    }
  }
  size_t added = 0;
  for (const auto& [name, bridge] : made.config.bridges) {
    if (!file.bridges.contains(name)) added += bridge.interfaces.size();
  }
  REQUIRE(added == good.size());
}

TEST_CASE("rows of a real database are what the mapping says") {
  const config::Config file = config_of(kFile);
  size_t tried = 0;
  for (const Case& each : recorded_cases()) {
    INFO(each.name);
    const Database rows = rows_of(json::parse(each.rows));
    const Translation made = translate(rows, file, Host{kernel_interface});
    CHECK(text_of(made, file) == each.expected);
    check_whole(rows, file, made);
    ++tried;
  }
  std::cout << tried << " cases\n";
  CHECK(tried > 100);
}

TEST_CASE("without rows the configuration is the file's") {
  const config::Config file = config_of(kFile);
  CHECK(translate({}, file, Host{}).config == file);
  CHECK(translate({{"Bridge", {}}, {"Port", {{"p", {}}}}}, file, Host{}).config == file);
}

TEST_CASE("without a host no tunnel needs another underlay") {
  const Database rows = rows_of(json::parse(R"({"Bridge": {"b": {"name": "br0", "ports": ["p", "q"]}},
      "Port": {"p": {"name": "g0", "interfaces": ["i"]}, "q": {"name": "g1", "interfaces": ["j"]}},
      "Interface": {"i": {"name": "g0", "type": "geneve", "options": {"remote_ip": "10.0.0.2"}},
                    "j": {"name": "g1", "type": "geneve", "options": {"remote_ip": "172.31.0.2"}}}})"));
  const Translation made = translate(rows, config_of(kFile), Host{});
  CHECK(made.errors.empty());
  CHECK(made.config.tunnels.contains("g0"));
  CHECK(made.config.tunnels.contains("g1"));
  CHECK(made.config.ethernets.size() == 3);
}

TEST_CASE("the kernel is asked once for each remote") {
  json tables = json::parse(R"({"Bridge": {"b": {"name": "br0", "ports": []}}})");
  for (int i = 0; i < 20; ++i) {
    const std::string name = fmt::format("g{}", i);
    tables["Bridge"]["b"]["ports"].push_back("p" + name);
    tables["Port"]["p" + name] = {{"name", name}, {"interfaces", json::array({"i" + name})}};
    tables["Interface"]["i" + name] = {
        {"name", name}, {"type", "geneve"}, {"options", {{"remote_ip", "10.0.0.2"}, {"key", std::to_string(i)}}}};
  }
  int asked = 0;
  const Host host{[&](const IpAddress& remote) { return ++asked, kernel_interface(remote); }};
  CHECK(translate(rows_of(tables), config_of(kFile), host).config.tunnels.size() == 22);
  CHECK(asked == 1);
}

TEST_CASE("random rows are errors or configuration, and never more") {
  const config::Config file = config_of(kFile);
  size_t interfaces = 0;
  size_t errors = 0;
  size_t good = 0;
  RandomRows random(20260);
  while (interfaces < 10000) {
    const Database rows = random.make();
    Translation made;
    REQUIRE_NOTHROW(made = translate(rows, file, Host{kernel_interface}));
    check_whole(rows, file, made);
    CHECK(made.notes.size() <= 200);
    for (const auto& [uuid, error] : made.errors) {
      CHECK(!error.empty());
      CHECK(error.size() < 1000);
    }
    if (rows.contains("Interface")) interfaces += rows.at("Interface").size();
    errors += made.errors.size();
    good += made.config.ethernets.size() + made.config.tunnels.size() - file.ethernets.size() - file.tunnels.size();
    REQUIRE_NOTHROW(config::diff_config(file, made.config));
  }
  std::cout << interfaces << " random interfaces: " << good << " good, " << errors << " errors\n";
  CHECK(good > 300);
  CHECK(errors > 500);
}

TEST_CASE("10,000 ports") {
  Database rows;
  json ports = json::array();
  for (int i = 0; i < 10000; ++i) {
    const std::string name = fmt::format("port{}", i);
    ports.push_back("p" + name);
    rows["Port"]["p" + name] = {{"name", name}, {"interfaces", {"i" + name}}, {"tag", json::array({1 + i % 4000})}};
    Row& interface = rows["Interface"]["i" + name];
    interface = {{"name", name}, {"external_ids", {{"iface-id", name}}}};
    if (i % 2 != 0) continue;
    interface["type"] = "geneve";
    interface["options"] = {{"remote_ip", fmt::format("10.{}.{}.2", i % 200, i / 200)}, {"key", std::to_string(i)}};
  }
  rows["Bridge"]["b"] = {{"name", "br0"}, {"ports", ports}};
  const config::Config file = config_of(kFile);
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t worked = std::clock();
  const Translation made = translate(rows, file, Host{kernel_interface});
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const double cpu = 1e3 * static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC;
  CHECK(made.errors.empty());
  CHECK(made.config.bridges.at("br0").interfaces.size() == 10000);
  std::cout << fmt::format("10,000 ports translated in {:.1f} ms, {:.1f} ms of a core\n", took.count(), cpu);
}

}  // namespace
}  // namespace causeway::ovsdb
