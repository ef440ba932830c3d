// A database becomes a file that means what its translation means: import.txt has real databases, what their hosts'
// kernels say, and the files; and every database of translate.txt has one that loads.
#include "control/import/ovs.h"

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/config/address_text.h"
#include "control/yaml/load.h"
#include "tests/catch.h"
#include "tests/unit/ovsdb/cases.h"

namespace causeway {
namespace {

using nlohmann::json;
using ovsdb::Database;
using ovsdb::test::rows_of;

// Routes, the longest prefixes first.
struct Kernel {
  std::vector<InterfaceAddress> addresses;
  std::vector<KernelRoute> routes;

  ImportHost host() const {
    return {addresses, [this](const IpAddress& to) -> std::optional<KernelRoute> {
              for (const KernelRoute& route : routes) {
                if (route.to.contains(to)) return route;
              }
              return std::nullopt;
            }};
  }
};

struct Case {
  std::string name;
  Database rows;
  Kernel kernel;
  std::string file;
};

// "address up0 172.31.0.1/24", or "route PREFIX INTERFACE SOURCE [GATEWAY]".
void read_kernel(const std::string& line, Kernel& kernel) {
  std::istringstream words(line);
  std::string what, first, second, source, gateway;
  words >> what >> first >> second >> source >> gateway;
  if (what == "address") {
    kernel.addresses.push_back({first, parse_prefix(second).value()});
  } else {
    kernel.routes.push_back({parse_prefix(first).value(), second, parse_ip(source).value(), parse_ip(gateway)});
  }
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  std::ifstream file(CAUSEWAY_SOURCE_ROOT "/tests/unit/ovsdb/import.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) cases.push_back({line.substr(2), {}, {}, ""});
    if (line.starts_with('{')) cases.back().rows = rows_of(json::parse(line));
    if (line.starts_with("@ ")) read_kernel(line.substr(2), cases.back().kernel);
    if (line.starts_with("| ")) cases.back().file += line.substr(2) + '\n';
  }
  return cases;
}

// The file means what was translated, and each Interface is in it or left out.
void check_whole(const Database& rows, const OvsImport& imported, const std::string& text) {
  std::vector<config::ConfigError> errors;
  const auto loaded = config::load_config("causeway.yaml", text, errors);
  for (const config::ConfigError& error : errors) UNSCOPED_INFO(error.to_string());
  REQUIRE(loaded);
  config::Config expected = imported.config;
  expected.system.name = "causeway";
  CHECK(*loaded == expected);
  size_t interfaces = imported.left_out;
  for (const auto& [name, bridge] : imported.config.bridges) interfaces += bridge.interfaces.size();
  std::set<std::string> outputs;
  for (const auto& [name, mirror] : imported.config.mirrors) outputs.insert(mirror.output_port);
  for (const auto& [name, tunnel] : imported.config.tunnels) {
    if (tunnel.mode == TunnelType::erspan) outputs.insert(name);
  }
  outputs.erase("");
  interfaces += outputs.size();
  for (const auto& [name, ethernet] : imported.config.ethernets) {
    if (text.find("in Open vSwitch the port of bridge") != std::string::npos && ethernet.is_underlay()) interfaces += 2;
  }
  CHECK(interfaces == (rows.contains("Interface") ? rows.at("Interface").size() : 0));
}

TEST_CASE("a database becomes the file that people would write") {
  size_t tried = 0;
  for (const Case& each : cases()) {
    INFO(each.name);
    const OvsImport imported = import_ovs(each.rows, each.kernel.host());
    const std::string text = yaml_of(imported);
    CHECK(text == each.file);
    if (text.find("not good yet") == std::string::npos) check_whole(each.rows, imported, text);
    ++tried;
  }
  CHECK(tried >= 8);
}

TEST_CASE("every recorded database becomes a file that loads") {
  Kernel kernel;
  for (const char* line : {"address up0 172.31.0.1/24", "address eth0 10.0.0.1/24", "address eth0 fc00::1/64",
                           "route 172.31.0.0/24 up0 172.31.0.1", "route 172.30.0.0/16 up0 172.31.0.1 172.31.0.254",
                           "route 10.0.0.0/8 eth0 10.0.0.1 10.0.0.254", "route fc00::/7 eth0 fc00::1"}) {
    read_kernel(line, kernel);
  }
  size_t tried = 0;
  for (const ovsdb::test::Case& each : ovsdb::test::recorded_cases()) {
    INFO(each.name);
    const Database rows = rows_of(json::parse(each.rows));
    const OvsImport imported = import_ovs(rows, kernel.host());
    const std::string text = yaml_of(imported);
    INFO(text);
    CHECK(text.find("not good yet") == std::string::npos);
    check_whole(rows, imported, text);
    ++tried;
  }
  std::cout << tried << " databases imported\n";
  CHECK(tried > 100);
}

TEST_CASE("what a database says stays a comment") {
  Database rows = rows_of(json::parse(R"({"Bridge": {"b": {"name": "br0", "ports": ["p", "q"]}},
      "Port": {"p": {"name": "g0", "interfaces": ["i"]}, "q": {"name": "a\nb: c", "interfaces": ["j"]}},
      "Interface": {"i": {"name": "g0", "type": "geneve", "options": {"remote_ip": "172.31.0.2", "x\ny: z": "1"}},
                    "j": {"name": "a\nethernets: {}", "type": "tap\r\n- x"}}})"));
  Kernel kernel;
  read_kernel("address up0 172.31.0.1/24", kernel);
  read_kernel("route 172.31.0.0/24 up0 172.31.0.1", kernel);
  const OvsImport imported = import_ovs(rows, kernel.host());
  const std::string text = yaml_of(imported);
  INFO(text);
  CHECK(imported.left_out == 1);
  check_whole(rows, imported, text);
}

TEST_CASE("an empty database is an empty file") { CHECK(yaml_of(import_ovs({}, Kernel().host())) == "version: 1\n"); }

}  // namespace
}  // namespace causeway
