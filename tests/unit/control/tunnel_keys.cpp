// What receivers find tunnels by, as tunnels come and go.
#include "control/tunnel/tunnel_keys.h"

#include <string>

#include "control/publish/publisher.h"
#include "tests/catch.h"

using namespace causeway;

namespace {

IpAddress remote_of(unsigned i) {
  return IpAddress::v4(10, 1, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i & 0xff));
}

config::Tunnel vxlan(uint32_t id) {
  config::Tunnel tunnel;
  tunnel.mode = TunnelType::vxlan;
  tunnel.id = id;
  tunnel.port = 4789;
  tunnel.local = IpAddress::v4(10, 0, 0, 1);
  return tunnel;
}

struct Bed {
  Tables tables;
  Publisher publisher{tables};
  TunnelKeys keys{tables, publisher, 7};

  AdjacencyIndex found(const config::Tunnel& tunnel, const IpAddress& remote) const {
    return tables.tunnels.load()->find(TunnelKeys::key_of(tunnel, remote));
  }
  bool id_known(const config::Tunnel& tunnel) const {
    return tables.tunnels.load()->find(TunnelKeys::key_of(tunnel, remote_of(0)).any_remote()) != kNoAdjacency;
  }
};

}  // namespace

TEST_CASE("a tunnel table that grows keeps what it has, and shrinks when most has gone") {
  Bed bed;
  constexpr unsigned kMany = 5000;
  const uint32_t first = bed.tables.tunnels.load()->capacity();
  for (unsigned i = 0; i < kMany; ++i) bed.keys.add(vxlan(i), remote_of(i), i + 1);
  CHECK(bed.keys.count() == 2 * kMany);  // and each id for whoever isn't known
  const uint32_t grown = bed.tables.tunnels.load()->capacity();
  CHECK(grown > first);
  unsigned wrong = 0;
  for (unsigned i = 0; i < kMany; ++i) wrong += bed.found(vxlan(i), remote_of(i)) == i + 1 ? 0 : 1;
  CHECK(wrong == 0);

  for (unsigned i = 1; i < kMany; ++i) bed.keys.remove(vxlan(i), remote_of(i));
  CHECK(bed.keys.count() == 2);
  CHECK(bed.found(vxlan(0), remote_of(0)) == 1);
  CHECK(bed.found(vxlan(1), remote_of(1)) == kNoAdjacency);
  for (unsigned i = 0; i < grown; ++i) {  // a deleted slot isn't used again: the table is made anew
    bed.keys.add(vxlan(9999), remote_of(1), 42);
    bed.keys.remove(vxlan(9999), remote_of(1));
  }
  CHECK(bed.tables.tunnels.load()->capacity() == first);
  CHECK(bed.found(vxlan(0), remote_of(0)) == 1);
}

TEST_CASE("an id is known until its last end has gone") {
  Bed bed;
  bed.keys.add(vxlan(5), remote_of(1), 1);
  bed.keys.add(vxlan(5), remote_of(2), 2);
  bed.keys.remove(vxlan(5), remote_of(1));
  CHECK(bed.id_known(vxlan(5)));
  CHECK_FALSE(bed.id_known(vxlan(6)));
  bed.keys.remove(vxlan(5), remote_of(2));
  CHECK_FALSE(bed.id_known(vxlan(5)));
}

TEST_CASE("of a group, anybody is heard who sends to it or to us") {
  Bed bed;
  config::Tunnel tunnel = vxlan(5);
  const IpAddress group = IpAddress::v4(239, 1, 1, 1);
  tunnel.remotes = {group};
  bed.keys.add(tunnel, group, 3);
  TunnelKey key = TunnelKeys::key_of(tunnel, IpAddress{});
  CHECK(bed.keys.receiver_of(key) == 3);
  key.local = group;
  CHECK(bed.keys.receiver_of(key) == 3);
  bed.keys.remove(tunnel, group);
  CHECK(bed.keys.receiver_of(key) == kNoAdjacency);
}

TEST_CASE("a port is listened on as long as a tunnel of the type has it") {
  Bed bed;
  const auto ports = [&] {
    std::string text;
    for (const UdpListener& listener : *bed.tables.udp_listeners.load()) text += std::to_string(listener.port) + " ";
    return text;
  };
  config::Tunnel other = vxlan(6);
  other.port = 8472;
  config::Tunnel gre;
  gre.mode = TunnelType::gretap;
  for (const config::Tunnel& tunnel : {vxlan(5), vxlan(6), other, gre}) bed.keys.listen(tunnel);
  CHECK(ports() == "4789 8472 ");
  bed.keys.stop_listening(vxlan(5));
  bed.keys.stop_listening(other);
  CHECK(ports() == "4789 ");
  bed.keys.stop_listening(vxlan(6));
  CHECK(ports().empty());
}

TEST_CASE("a tunnel that sends another key is found by it") {
  Bed bed;
  config::Tunnel tunnel = vxlan(5);
  tunnel.sent_id = 6;
  bed.keys.add(tunnel, remote_of(1), 9);
  const TunnelKey received = TunnelKeys::key_of(tunnel, remote_of(1));
  TunnelKey sent = received;
  sent.id = 6;
  CHECK(bed.keys.receiver_of(received) == 9);
  CHECK(bed.keys.receiver_of(sent) == kNoAdjacency);
  CHECK(bed.keys.sender_of_other(sent) == 9);
  CHECK(bed.keys.sender_of_other(received) == kNoAdjacency);
  bed.keys.remove(tunnel, remote_of(1));
  CHECK(bed.keys.sender_of_other(sent) == kNoAdjacency);
}
