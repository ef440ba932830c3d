// The checks on tunnels side by side are those of the file's reader.
#include "control/config/conflicts.h"

#include <fmt/format.h>

#include "control/config/address_text.h"
#include "control/yaml/load.h"
#include "tests/catch.h"

namespace causeway::config {
namespace {

using Kind = TunnelConflict::Kind;

Tunnel tunnel(TunnelType mode, std::optional<uint32_t> id, const char* remote, uint16_t port = 0) {
  Tunnel made;
  made.mode = mode;
  made.id = id;
  made.local = *parse_ip("172.31.0.1");
  made.remotes = {*parse_ip(remote)};
  made.port = port != 0 ? port : row_of(mode).udp_port;
  return made;
}

// Whether the file's reader takes them side by side.
bool file_takes(const std::vector<Tunnel>& tunnels) {
  std::string text = "version: 1\nethernets: {up0: {addresses: [172.31.0.1/24]}}\ntunnels:\n";
  for (size_t i = 0; i < tunnels.size(); ++i) {
    const Tunnel& each = tunnels[i];
    text += fmt::format("  t{}: {{mode: {}, local: 172.31.0.1, remote: {}", i, row_of(each.mode).name,
                        to_string(each.remotes[0]));
    if (each.id) text += fmt::format(", id: {}", *each.id);
    if (each.port != 0) text += fmt::format(", port: {}", each.port);
    text += "}\n";
  }
  std::vector<ConfigError> errors;
  return load_config("gateway.yaml", text, errors).has_value();
}

struct Pair {
  Tunnel first;
  Tunnel second;
  std::optional<Kind> conflict;
};

TEST_CASE("tunnels that can't stand side by side") {
  constexpr const char* kPeer = "172.31.0.2";
  constexpr const char* kGroup = "239.1.1.1";
  using enum TunnelType;
  const Pair pairs[] = {
      {tunnel(geneve, 5, kPeer), tunnel(geneve, 5, kPeer), Kind::same_ends},
      {tunnel(geneve, 5, kPeer), tunnel(geneve, 6, kPeer), {}},
      {tunnel(geneve, 5, kPeer), tunnel(geneve, 5, "172.31.0.3"), {}},
      {tunnel(geneve, 5, kPeer), tunnel(geneve, 5, kPeer, 6082), {}},
      {tunnel(geneve, 5, kPeer), tunnel(vxlan, 5, kPeer), {}},
      {tunnel(geneve, 5, kPeer), tunnel(vxlan, 6, "172.31.0.3", 6081), Kind::udp_port},
      {tunnel(gretap, {}, kPeer), tunnel(gretap, {}, kPeer), Kind::same_ends},
      {tunnel(gretap, {}, kPeer), tunnel(gretap, 0, kPeer), {}},
      {tunnel(vxlan, 5, kGroup), tunnel(vxlan, 5, "239.1.1.2"), Kind::same_ends},
      {tunnel(vxlan, 5, kGroup), tunnel(vxlan, 5, kPeer), {}},
      {tunnel(nvgre, 0x1000, kPeer), tunnel(gretap, 0x100005, kPeer), Kind::gre_key},
      {tunnel(gretap, 0x100005, kPeer), tunnel(nvgre, 0x1000, kPeer), Kind::gre_key},
      {tunnel(nvgre, 0x1000, kPeer), tunnel(gretap, 0x100105, kPeer), {}},
      {tunnel(nvgre, 0x1000, kPeer), tunnel(gretap, 0x100005, "172.31.0.3"), {}},
      {tunnel(nvgre, 0x1000, kGroup), tunnel(gretap, 0x100005, "172.31.0.3"), Kind::gre_key},
      {tunnel(gretap, 0x100005, "172.31.0.3"), tunnel(nvgre, 0x1000, kGroup), Kind::gre_key},
      {tunnel(nvgre, 0x1000, kPeer), tunnel(gretap, {}, kPeer), {}},
  };
  for (size_t i = 0; i < std::size(pairs); ++i) {
    INFO(i);
    const Tunnel* const both[] = {&pairs[i].first, &pairs[i].second};
    std::vector<TunnelConflict> expected;
    if (pairs[i].conflict) expected.push_back({*pairs[i].conflict, 1, 0});
    CHECK(conflicts(both) == expected);
    CHECK(file_takes({pairs[i].first, pairs[i].second}) == expected.empty());
  }
}

TEST_CASE("a tunnel without a local address may be any other") {
  const Tunnel here = tunnel(TunnelType::geneve, 5, "172.31.0.2");
  Tunnel anywhere = here;
  anywhere.local = IpAddress{};
  Tunnel there = here;
  there.local = *parse_ip("172.31.0.7");
  const auto found = [](const Tunnel& a, const Tunnel& b) {
    const Tunnel* const both[] = {&a, &b};
    return conflicts(both).size();
  };
  CHECK(found(here, anywhere) == 1);
  CHECK(found(anywhere, here) == 1);
  CHECK(found(anywhere, anywhere) == 1);
  CHECK(found(here, there) == 0);
  Tunnel other = anywhere;
  other.remotes = {*parse_ip("172.31.0.3")};
  CHECK(found(here, other) == 0);
  CHECK(found(other, anywhere) == 0);
}

TEST_CASE("a tunnel with a conflict takes nothing from those behind it") {
  const Tunnel first = tunnel(TunnelType::geneve, 5, "172.31.0.2");
  Tunnel both = first;  // a remote of the first's, and one of its own
  both.remotes.push_back(*parse_ip("172.31.0.3"));
  const Tunnel last = tunnel(TunnelType::geneve, 5, "172.31.0.3");
  const Tunnel* const all[] = {&first, &both, &last, &last};
  CHECK(conflicts(all) == std::vector<TunnelConflict>{{Kind::same_ends, 1, 0}, {Kind::same_ends, 3, 2}});
}

}  // namespace
}  // namespace causeway::config
