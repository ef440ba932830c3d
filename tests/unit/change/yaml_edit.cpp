// What `set` makes of a document: the same configuration as one that somebody has written so.
#include "control/change/yaml_edit.h"

#include <string>
#include <vector>

#include "control/yaml/load.h"
#include "tests/catch.h"

namespace causeway::test {
namespace {

constexpr std::string_view kBase = R"(version: 1
ethernets:
  veth1: {}
  veth2:
  up0: {addresses: [172.31.0.1/24, "fd00:31::1/64"], mtu: 1600}
vlans:
  up0.100: {id: 100, link: up0}
bridges:
  br: {interfaces: [veth1, gnv0], static-macs: [{mac: 02:00:00:00:02:01, port: gnv0}]}
tunnels:
  gnv0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
)";

YamlEdit edit_of(std::string_view text) {
  config::YamlError error;
  auto tree = config::YamlTree::parse(text, error);
  INFO(error.what);
  REQUIRE(tree);
  return YamlEdit(std::move(*tree));
}

config::Config good(std::optional<config::Config> config, const std::vector<config::ConfigError>& errors) {
  for (const config::ConfigError& error : errors) UNSCOPED_INFO(error.to_string());
  REQUIRE(config);
  return *config;
}

config::Config loaded(std::string_view text) {
  std::vector<config::ConfigError> errors;
  auto config = config::load_config("gw", text, errors);
  return good(std::move(config), errors);
}

config::Config after(const std::vector<std::string>& assignments, std::string_view base = kBase) {
  YamlEdit edit = edit_of(base);
  for (const std::string& each : assignments) {
    INFO(each);
    const auto refused = edit.assign(each);
    if (refused) UNSCOPED_INFO(refused->key << ": " << refused->what);
    REQUIRE(!refused);
  }
  std::vector<config::ConfigError> errors;
  auto config = edit.read("gw", errors);
  return good(std::move(config), errors);
}

std::string replaced(std::string text, std::string_view old, std::string_view fresh) {
  const size_t place = text.find(old);
  REQUIRE(place != std::string::npos);
  return text.replace(place, old.size(), fresh);
}

config::Config with(std::string_view old, std::string_view fresh) {
  return loaded(replaced(std::string(kBase), old, fresh));
}

std::string refused(const std::string& assignment, std::string_view base = kBase) {
  YamlEdit edit = edit_of(base);
  const auto refusal = edit.assign(assignment);
  REQUIRE(refusal);
  std::vector<config::ConfigError> errors;
  auto config = edit.read("gw", errors);
  CHECK(good(std::move(config), errors) == loaded(base));
  return refusal->key + ": " + refusal->what;
}

}  // namespace

TEST_CASE("set: a value, a list, a mapping, in the place of another or none") {
  CHECK(after({"tunnels.gnv0.remote=172.31.0.9"}) == with("remote: 172.31.0.2", "remote: 172.31.0.9"));
  CHECK(after({"tunnels.gnv0.remote=[172.31.0.9, 172.31.0.8]"}) ==
        with("remote: 172.31.0.2", "remote: [172.31.0.9, 172.31.0.8]"));
  CHECK(after({"tunnels.gnv0.ttl=5"}) == with("id: 123", "id: 123, ttl: 5"));
  CHECK(after({"ethernets.veth2.mtu=1400"}) == with("veth2:", "veth2: {mtu: 1400}"));
  CHECK(after({"bridges.br.parameters.ageing-time=7"}) == with("br: {", "br: {parameters: {ageing-time: 7}, "));
  CHECK(after({"ethernets.lan1={tap: {}}", "bridges.br.interfaces=[veth1, gnv0, lan1]"}) ==
        loaded(
            replaced(replaced(std::string(kBase), "  veth2:", "  lan1: {tap: {}}\n  veth2:"), "gnv0]", "gnv0, lan1]")));
  CHECK(after({"sflow.targets=[192.0.2.1]"}) == loaded(std::string(kBase) + "sflow: {targets: [192.0.2.1]}\n"));
  CHECK(after({"ethernets={a: {tap: {}}}"}, "version: 1\n") == loaded("version: 1\nethernets: {a: {tap: {}}}\n"));
}

TEST_CASE("set: the value is what stands behind the first = outside of quotes") {
  CHECK(after({R"(ethernets."a=b"={dpdk: {devargs: "net_null0,copy=1"}})"}) ==
        with("veth2:", "veth2:\n  \"a=b\": {dpdk: {devargs: \"net_null0,copy=1\"}}"));
}

TEST_CASE("set: null takes away") {
  CHECK(after({"ethernets.up0.mtu=null"}) == with(", mtu: 1600", ""));
  CHECK(after({"ethernets.veth2=~"}) == with("  veth2:\n", ""));
  CHECK(after({"tunnels=null", "bridges.br=null"}) == loaded(kBase.substr(0, kBase.find("bridges:"))));
  CHECK(refused("tunnels.gnv1=null") == "tunnels.gnv1: is not there; did you mean 'gnv0'?");
  CHECK(refused("mirrors.m0=null") == "mirrors: is not there");
  CHECK(refused("ethernets.up0.mtu=") == "ethernets.up0.mtu: a value is missing; null takes the key away");
}

TEST_CASE("set: items of a list") {
  CHECK(after({"ethernets.up0.addresses[0]=172.31.0.1/16"}) == with("172.31.0.1/24", "172.31.0.1/16"));
  CHECK(after({"ethernets.up0.addresses[2]=10.0.0.1/8"}) == with("1/64\"", "1/64\", 10.0.0.1/8"));
  CHECK(after({"ethernets.up0.addresses[1]=null"}) == with(", \"fd00:31::1/64\"", ""));
  CHECK(after({"bridges.br.static-macs[0].mac=02:00:00:00:02:09"}) == with("02:00:00:00:02:01", "02:00:00:00:02:09"));
  CHECK(refused("ethernets.up0.addresses[3]=10.0.0.1/8") ==
        "ethernets.up0.addresses[3]: is not there: the list has 2 items");
  CHECK(refused("ethernets.up0.addresses[2]=null") == "ethernets.up0.addresses[2]: is not there: the list has 2 items");
  CHECK(refused("ethernets.up0.addresses[x]=1") == "ethernets.up0.addresses: expected the number of an item, as [0]");
  CHECK(refused("ethernets.up0.addresses[0=1") == "ethernets.up0.addresses: expected the number of an item, as [0]");
  CHECK(refused("ethernets.up0.mtu[0]=1") == "ethernets.up0.mtu: is no list");
}

TEST_CASE("set: keys with dots") {
  CHECK(after({"vlans.up0.100.mtu=1400"}) == with("link: up0}", "link: up0, mtu: 1400}"));
  CHECK(after({R"(vlans."up0.200"={id: 200, link: up0})"}) ==
        with("vlans:", "vlans:\n  up0.200: {id: 200, link: up0}"));
  CHECK(after({R"(vlans."up0.100".id=101)"}) == with("id: 100", "id: 101"));
}

TEST_CASE("set: what is no path or no YAML is refused, and nothing has changed") {
  CHECK(refused("tunnels.gnv0") == ": expected PATH=VALUE, not 'tunnels.gnv0'");
  CHECK(refused("=5") == ": expected PATH=VALUE, not '=5'");
  CHECK(refused("tunnels.gnv0.=5") == "tunnels.gnv0: a key is missing in the path");
  CHECK(refused("tunnels..id=5") == "tunnels: a key is missing in the path");
  CHECK(refused(".tunnels=5") == ": a key is missing in the path");
  CHECK(refused("tunnels.\"gnv0=5") == ": expected PATH=VALUE, not 'tunnels.\"gnv0=5'");
  CHECK(refused("tunnels.\"gnv0\"id=5") == "tunnels.gnv0: expected a dot behind the key");
  CHECK(refused("tunnels.gnv0.id.x=5") == "tunnels.gnv0.id: is no mapping");
  CHECK(refused("tunnels.gnv0.remote=[1").starts_with("tunnels.gnv0.remote: '[1': "));
  CHECK(refused("tunnels.gnv0.remote=*a").starts_with("tunnels.gnv0.remote: '*a': "));
  std::string deep = "a";
  for (int i = 0; i < 100; ++i) deep += ".a";
  CHECK(refused(deep + "=5") == ": the path is too long");
}

TEST_CASE("set: what the keys' own rules refuse names its path, and no line") {
  YamlEdit edit = edit_of(kBase);
  REQUIRE(!edit.assign("tunnels.gnv0.id=16777216"));
  REQUIRE(!edit.assign("tunnels.gnv0.remot=172.31.0.9"));
  std::vector<config::ConfigError> errors;
  CHECK(!edit.read("set", errors));
  REQUIRE(errors.size() == 2);
  CHECK(errors[0].to_string() == "set: error: tunnels.gnv0.remot: unknown key; did you mean 'remote'?");
  CHECK(errors[1].to_string() == "set: error: tunnels.gnv0.id: 16777216 is out of range (0 to 16777215)");
}

TEST_CASE("set: one after the other, each on what the others left") {
  YamlEdit edit = edit_of(kBase);
  for (int i = 0; i < 200; ++i) {
    const std::string name = "t" + std::to_string(i);
    REQUIRE(!edit.assign("tunnels." + name + "={mode: vxlan, local: 172.31.0.1, remote: 172.31.0.2}"));
    REQUIRE(!edit.assign("tunnels." + name + ".id=" + std::to_string(i + 1)));
  }
  for (int i = 0; i < 200; ++i) REQUIRE(!edit.assign("tunnels.t" + std::to_string(i) + "=null"));
  std::vector<config::ConfigError> errors;
  CHECK(edit.read("gw", errors) == loaded(kBase));
}

}  // namespace causeway::test
