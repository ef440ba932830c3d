// Good YAML that carries nothing.
#include "control/check/warnings.h"

#include <filesystem>
#include <string>
#include <vector>

#include "control/yaml/load.h"
#include "tests/catch.h"
#include "tests/unit/config/loaded.h"

using namespace causeway;
using namespace causeway::config;

namespace {

// The warnings of a file, one a line.
std::string warnings(const std::string& yaml) {
  std::vector<ConfigError> lines;
  const auto config = load_config("gw.yaml", yaml, lines);
  if (config) lines = placed(warnings_of(*config), "gw.yaml", yaml);
  std::string text;
  for (const ConfigError& line : lines) text += line.to_string() + "\n";
  return text;
}

const std::string kUp =
    "up0: {addresses: [172.31.0.1/24, \"fd00:31::1/64\"], routes: [{to: 10.9.0.0/16, via: 172.31.0.9}]}";

// A tunnel gnv0 to this remote, in a bridge with a port.
std::string to(const std::string& remote, const std::string& local = "172.31.0.1") {
  return "version: 1\nethernets: {veth1: {}, " + kUp + "}\nbridges: {br: {interfaces: [veth1, gnv0]}}\n" +
         "tunnels:\n  gnv0:\n    mode: geneve\n    id: 1\n    local: " + local + "\n    remote: " + remote + "\n";
}

std::string bridge(const std::string& interfaces, const std::string& tunnel_more = "") {
  return "version: 1\nethernets: {a: {isolated: true}, b: {}, c: {group: edge}, " + kUp +
         "}\nbridges: {br: {interfaces: [" + interfaces +
         "]}}\ntunnels: {t: {mode: vxlan, id: 1, local: 172.31.0.1, remote: [172.31.0.2, 172.31.0.3]" + tunnel_more +
         "}, u: {mode: vxlan, id: 2, local: 172.31.0.1, remote: 172.31.0.2}}\n";
}

bool has(const std::string& text, const std::string& piece) { return text.find(piece) != std::string::npos; }

}  // namespace

TEST_CASE("an interface in no bridge and without addresses") {
  CHECK(warnings("version: 1\nethernets:\n  veth1: {}\n  lan1: {tap: {}}\n  veth2: {}\n"
                 "vlans:\n  lan1.7: {id: 7, link: lan1}\nbridges: {br: {interfaces: [veth2, lan1.7]}}\n") ==
        "gw.yaml:3:3: warning: ethernets.veth1: is in no bridge and has no addresses: what it receives is dropped\n");
  CHECK(warnings("version: 1\nethernets: {lan1: {}, lan2: {}}\nvlans:\n  lan1.7: {id: 7, link: lan1}\n"
                 "bridges: {br: {interfaces: [lan1, lan2]}}\n") ==
        "gw.yaml:4:3: warning: vlans.lan1.7: is in no bridge and has no addresses: what it receives is dropped\n");
}

TEST_CASE("a tunnel in no bridge") {
  CHECK(warnings("version: 1\nethernets: {" + kUp +
                 "}\ntunnels:\n"
                 "  gnv0: {mode: geneve, id: 1, local: 172.31.0.1, remote: 172.31.0.2}\n") ==
        "gw.yaml:4:3: warning: tunnels.gnv0: is in no bridge: it carries nothing\n");
}

TEST_CASE("what mirrors send to is in no bridge, and that is fine") {
  CHECK(warnings("version: 1\nethernets: {veth1: {}, veth2: {}, probe0: {}, " + kUp +
                 "}\nbridges: {br: {interfaces: [veth1, veth2]}}\n"
                 "tunnels: {t: {mode: vxlan, id: 1, local: 172.31.0.1, remote: 172.31.0.2}}\n"
                 "mirrors: {a: {select-all: true, output-port: probe0}, b: {select-all: true, output-port: t}}\n")
            .empty());
}

TEST_CASE("a remote that no route reaches") {
  CHECK(warnings(to("172.31.0.2")).empty());
  CHECK(warnings(to("10.9.1.1")).empty());
  CHECK(warnings(to("\"fd00:31::2\"", "\"fd00:31::1\"")).empty());
  CHECK(warnings(to("\"fe80::2\"", "\"fd00:31::1\"")).empty());
  CHECK(warnings(to("239.1.1.1")).empty());
  CHECK(
      warnings(to("[172.31.0.2, 192.0.2.9, 192.0.2.1]")) ==
      "gw.yaml:9:5: warning: tunnels.gnv0.remote: 192.0.2.9 is in no network of an underlay, and no route leads there\n"
      "gw.yaml:9:5: warning: tunnels.gnv0.remote: 192.0.2.1 is in no network of an underlay, and no route leads "
      "there\n");
  CHECK(warnings(to("\"fd00:32::2\"", "\"fd00:31::1\"")) ==
        "gw.yaml:9:5: warning: tunnels.gnv0.remote: fd00:32::2 is in no network of an underlay, and no route leads "
        "there\n");
}

TEST_CASE("a bridge whose frames have nowhere to go") {
  CHECK(warnings("version: 1\nbridges:\n  br: {interfaces: []}\n") ==
        "gw.yaml:3:3: warning: bridges.br: has no interfaces\n");
  CHECK(has(warnings(bridge("b")), "bridges.br.interfaces: one interface alone"));
  CHECK(has(warnings(bridge("t")), "bridges.br.interfaces: one interface alone"));
  CHECK(has(warnings(bridge("a, t, u")), "bridges.br.interfaces: all are isolated"));
  CHECK(has(warnings(bridge("t, c", ", group: edge")),
            "bridges.br.interfaces: all are of the split-horizon group edge:"));
  // The ends of a tunnel that is not isolated talk to each other; one port that isn't is enough.
  for (const std::string& good : {bridge("t", ", isolated: false"), bridge("a, b"), bridge("b, t, u"), bridge("a, c"),
                                  bridge("t, u", ", group: edge")}) {
    CHECK_FALSE(has(warnings(good), "bridges.br"));
  }
}

TEST_CASE("a fabric's VTEP whose address FRR can't announce") {
  const auto file = [](const std::string& local) {
    return "version: 1\nethernets: {veth1: {}, " + kUp +
           "}\nbridges:\n  br: {interfaces: [veth1], evpn: {vni: 100, local: " + local + "}}\n";
  };
  CHECK(warnings(file("172.31.0.1")).empty());
  CHECK(warnings(file("\"fd00:31::1\"")) ==
        "gw.yaml:4:29: warning: bridges.br.evpn: `local` is IPv6: the routing daemon has to have IPv6 VTEPs, which FRR "
        "hasn't in Debian's 8.4\n");
}

TEST_CASE("the examples carry") {
  for (const std::filesystem::path& path : test::examples()) {
    INFO(path.string());
    std::string text;
    std::vector<ConfigError> errors;
    const auto config = load_config_file(path, text, errors);
    REQUIRE(config);
    for (const ConfigError& warning : placed(warnings_of(*config), "", text)) FAIL_CHECK(warning.to_string());
  }
}

TEST_CASE("of very many warnings the first hundred are told, and how many more there are") {
  std::string yaml = "version: 1\nethernets:\n";
  for (int i = 0; i < 300; ++i) yaml += "  veth" + std::to_string(i) + ": {}\n";
  std::vector<ConfigError> errors;
  const auto config = load_config("gw.yaml", yaml, errors);
  REQUIRE(config);
  const auto lines = placed(warnings_of(*config), "gw.yaml", yaml);
  REQUIRE(lines.size() == 101);
  CHECK(lines.front().line == 3);
  CHECK(lines.back().to_string() == "gw.yaml: warning: 200 further warnings");
}

TEST_CASE("underlays that follow the host's routes") {
  const auto file = [](const std::string& up0) {
    return "version: 1\nethernets:\n  veth1: {}\n  up0: " + up0 +
           "\nbridges: {br: {interfaces: [veth1, gnv0]}}\ntunnels:\n"
           "  gnv0: {mode: geneve, id: 1, local: 192.0.2.1, remote: [192.0.2.2, 192.0.2.3]}\n";
  };
  const std::string text = warnings(file("{addresses: [192.0.2.1/32], routes: host}"));
  CHECK(
      has(text,
          "gw.yaml:4:36: warning: ethernets.up0.routes: 2 of the tunnels' remotes: only the host's routes lead there"));
  CHECK_FALSE(has(text, "no route leads there"));
  CHECK_FALSE(has(text, "the host has no interface there"));
  CHECK_FALSE(has(warnings(file("{addresses: [192.0.2.1/24], routes: host}")), "only the host's routes"));
  CHECK(has(warnings(file("{tap: {}, addresses: [192.0.2.1/32], routes: host}")), "the host has no interface there"));
  CHECK_FALSE(has(warnings(file("{tap: {}, addresses: [192.0.2.1/32], routes: host, host: true}")),
                  "the host has no interface there"));
}
