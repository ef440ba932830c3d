// Packet and TAP ports between real kernels.
#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"
#include "tests/unit/pmd/relay.h"

using namespace causeway;
using namespace causeway::test;

namespace {

constexpr size_t kTransferBytes = 4 << 20;

// A host in its own namespace behind a veth, whose other end (in the test's namespace `ports`) is the port.
struct VethHost {
  VethHost(const Namespace& ports, const std::string& port, int number) {
    ports.run("ip link add " + port + " type veth peer name eth0 netns " + ns.path());
    ports.run("sysctl -qw net.ipv6.conf." + port + ".disable_ipv6=1");
    configure(ns, "eth0", number);
  }

  static void configure(const Namespace& ns, const std::string& interface, int number) {
    const std::string n = std::to_string(number);
    ns.run("ip addr add 10.9.0." + n + "/24 dev " + interface);
    ns.run("ip addr add fd09::" + n + "/64 dev " + interface + " nodad");
    ns.run("ip link set " + interface + " up");
  }

  Namespace ns;
};

std::unique_ptr<Port> open_in(const Namespace& ns, const std::function<std::unique_ptr<Port>(OpenError&)>& open) {
  std::unique_ptr<Port> port;
  OpenError error;
  ns.inside([&] { port = open(error); });
  CHECK(error.text == "");
  REQUIRE(port);
  return port;
}

std::unique_ptr<Port> packet_port(const Namespace& ns, const PortOptions& options) {
  return open_in(ns, [&](OpenError& error) { return open_packet_port(options, error); });
}

std::unique_ptr<Port> tap_port(const Namespace& ns, const PortOptions& options) {
  return open_in(ns, [&](OpenError& error) { return open_tap_port(options, error); });
}

// A wire on which every frame carries a VLAN tag: put in on the way out, checked and taken out on the way in.
class TaggedWire final : public PortIo {
 public:
  explicit TaggedWire(PortIo& port) : port_(port) {}

  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    for (uint16_t i = 0; i < count; ++i) {
      char* start = rte_pktmbuf_prepend(frames[i], 4);
      std::memmove(start, start + 4, 12);
      std::memcpy(start + 12, "\x81\x00\x60\x64", 4);  // priority 3, VLAN 100
      shift(frames[i], 4);
    }
    const uint16_t sent = port_.tx_burst(queue, frames, count);
    for (uint16_t i = sent; i < count; ++i) strip(frames[i]);  // tried again later
    return sent;
  }
  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const uint16_t received = port_.rx_burst(queue, frames, count);
    for (uint16_t i = 0; i < received; ++i) {
      if (std::memcmp(rte_pktmbuf_mtod_offset(frames[i], char*, 12), "\x81\x00\x60\x64", 4) != 0) ++untagged;
      if (has_intent(frames[i])) ++with_intent;
      strip(frames[i]);
    }
    return received;
  }

  std::atomic<unsigned> untagged = 0;
  std::atomic<unsigned> with_intent = 0;

 private:
  static void shift(rte_mbuf* frame, int bytes) {
    if (!has_intent(frame)) return;
    Intent intent = intent_of(frame);
    intent.csum_start = static_cast<uint16_t>(intent.csum_start + bytes);
    set_intent(frame, intent, frame->ol_flags & kIntentFlags);
  }
  static void strip(rte_mbuf* frame) {
    char* start = rte_pktmbuf_mtod(frame, char*);
    std::memmove(start + 4, start, 12);
    rte_pktmbuf_adj(frame, 4);
    shift(frame, -4);
  }
  PortIo& port_;
};

void check_supers(const Relay& relay, GsoType type, uint16_t csum_start) {
  REQUIRE(!relay.supers().empty());
  uint32_t largest = 0;
  for (const SeenFrame& frame : relay.supers()) {
    largest = std::max(largest, frame.bytes);
    CHECK((frame.flags & kIntentFlags) == kIntentFlags);
    CHECK(frame.intent.gso_type == type);
    CHECK(frame.intent.csum_start == csum_start);
    CHECK(frame.intent.csum_offset == (type == GsoType::tcp4 || type == GsoType::tcp6 ? 16 : 6));
    CHECK(frame.intent.tunnel_bytes == 0);
    CHECK(frame.segments == (frame.bytes - (frame.bytes > 2048 ? 1 : 0)) / 2048 + 1);
  }
  CHECK(largest > 30000);
}

}  // namespace

TEST_CASE("super-packets cross two packet ports whole") {
  pool();
  const Namespace ports;
  const VethHost a(ports, "pa", 1);
  const VethHost b(ports, "pb", 2);
  const auto port_a = packet_port(ports, port_options("pa"));
  const auto port_b = packet_port(ports, port_options("pb"));
  CHECK(port_a->link_up());
  CHECK(port_a->mtu() == 1500);

  SECTION("TCP over IPv4") {
    Relay relay(*port_a, *port_b);
    CHECK(tcp_transfer(a.ns, b.ns, "10.9.0.2", kTransferBytes));
    relay.stop();
    check_supers(relay, GsoType::tcp4, 14 + 20);
    CHECK(relay.refused() == 0);
  }
  SECTION("TCP over IPv6") {
    Relay relay(*port_a, *port_b);
    CHECK(tcp_transfer(a.ns, b.ns, "fd09::2", kTransferBytes));
    relay.stop();
    check_supers(relay, GsoType::tcp6, 14 + 40);
  }
  SECTION("UDP GSO") {
    Relay relay(*port_a, *port_b);
    CHECK(udp_gso_transfer(a.ns, b.ns, "10.9.0.2", 40, 1000) == 40);
    CHECK(udp_gso_transfer(a.ns, b.ns, "fd09::2", 40, 1000) == 40);
    relay.stop();
    REQUIRE(relay.supers().size() == 2);
    CHECK(relay.supers()[0].intent.gso_type == GsoType::udp4);
    CHECK(relay.supers()[0].intent.gso_size == 1000);
    CHECK(relay.supers()[0].bytes == 14 + 20 + 8 + 40000);
    CHECK(relay.supers()[1].intent.gso_type == GsoType::udp6);
  }
  const PortDeviceStats stats = port_b->device_stats();
  CHECK(stats.tx_errors == 0);
  CHECK(stats.rx_errors == 0);
  CHECK(port_a->device_stats().rx_missed == 0);
}

TEST_CASE("a VLAN tag that the kernel strips is back in the frame") {
  pool();
  const Namespace ports;
  const VethHost a(ports, "va", 1);
  const VethHost b(ports, "vb", 2);
  ports.run("ip link add vw0 type veth peer name vw1");
  ports.run("sysctl -qw net.ipv6.conf.vw0.disable_ipv6=1 net.ipv6.conf.vw1.disable_ipv6=1");
  const auto port_a = packet_port(ports, port_options("va"));
  const auto port_b = packet_port(ports, port_options("vb"));
  const auto wire_0 = packet_port(ports, port_options("vw0"));
  const auto wire_1 = packet_port(ports, port_options("vw1"));
  TaggedWire near(*wire_0);
  TaggedWire far(*wire_1);
  {
    Relay relay_a(*port_a, near);
    Relay relay_b(far, *port_b);
    CHECK(tcp_transfer(a.ns, b.ns, "10.9.0.2", kTransferBytes));
    CHECK(tcp_transfer(a.ns, b.ns, "fd09::2", kTransferBytes));
    relay_b.stop();
    REQUIRE(!relay_b.supers().empty());  // crossed the tagged wire whole
    CHECK(relay_b.supers().front().intent.csum_start == 14 + 20);
  }
  CHECK(far.with_intent > 0);
  CHECK(far.untagged == 0);
  CHECK(near.untagged == 0);
}

TEST_CASE("super-packets cross a TAP and a packet port") {
  pool();
  const Namespace ports;
  const VethHost a(ports, "ta", 1);
  const Namespace tap_host;  // the TAP's Linux interface is this host's
  const auto port_a = packet_port(ports, port_options("ta"));
  PortOptions options = port_options("tap0");
  options.mac = MacAddress{{2, 0, 0, 0, 0, 9}};
  options.mtu = 1400;
  options.tx_queues = 3;
  const auto tap = tap_port(tap_host, options);
  VethHost::configure(tap_host, "tap0", 2);
  CHECK(tap->link_up());
  CHECK(tap->mac() == options.mac);
  CHECK(tap->mtu() == 1400);
  CHECK(tap->rx_queues() == 1);
  CHECK(tap->tx_queues() == 3);

  SECTION("into the TAP") {
    Relay relay(*port_a, *tap);
    CHECK(tcp_transfer(a.ns, tap_host, "10.9.0.2", kTransferBytes));
    CHECK(tcp_transfer(a.ns, tap_host, "fd09::2", kTransferBytes));
    relay.stop();
    CHECK(!relay.supers().empty());
  }
  SECTION("out of the TAP") {
    Relay relay(*tap, *port_a);
    CHECK(tcp_transfer(tap_host, a.ns, "10.9.0.1", kTransferBytes));
    CHECK(udp_gso_transfer(tap_host, a.ns, "10.9.0.1", 40, 1000) == 40);
    relay.stop();
    REQUIRE(relay.supers().size() > 1);
    CHECK(relay.supers().front().intent.gso_type == GsoType::tcp4);
    CHECK(relay.supers().back().intent.gso_type == GsoType::udp4);
  }
  CHECK(tap->device_stats().tx_errors == 0);
  CHECK(tap->device_stats().rx_errors == 0);
}

TEST_CASE("a TAP comes and goes with its port") {
  pool();
  const Namespace ns;
  PortOptions options = port_options("t0");
  options.rx_queues = 2;
  auto tap = tap_port(ns, options);
  ns.run("ip link show t0 > /dev/null");
  OpenError error;
  ns.inside([&] { CHECK(open_tap_port(port_options("lo"), error) == nullptr); });
  CHECK(error.text == "an interface of that name exists and is no such TAP");
  CHECK(tap->set_mtu(9000) == "");
  CHECK(tap->mtu() == 9000);
  CHECK(tap->set_mac(MacAddress{{2, 1, 2, 3, 4, 5}}) == "");
  ns.run("ip link show t0 | grep -q 02:01:02:03:04:05");
  ns.run("ip link set t0 down");
  tap->look();
  CHECK(!tap->link_up());
  tap.reset();
  ns.run("! ip link show t0 2> /dev/null");
}

TEST_CASE("a TAP in somebody else's namespace doesn't keep it, and ends with it") {
  pool();
  const Namespace ns;
  auto tap = tap_port(ns, port_options("t0"));
  {
    const Namespace container;
    ns.run("ip link set t0 netns " + container.path() + " name eth0");
    container.run("ip link set eth0 mtu 1300 up");
    tap->look();
    CHECK(!tap->gone());
    CHECK(tap->mtu() == 1300);
    CHECK(tap->link_up());
    CHECK(tap->set_mtu(1200) == "");
    CHECK(tap->mtu() == 1200);
    container.run("ip link show eth0 | grep -q 'mtu 1200'");
  }
  for (int turns = 0; turns < 100 && !tap->gone(); ++turns) {
    usleep(50'000);
    tap->look();
  }
  CHECK(tap->gone());
  CHECK(!tap->link_up());
}

TEST_CASE("a port sees its interface go, by whatever way") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "ga", 1);
  const auto port = packet_port(ports, port_options("ga"));
  ports.run("ip link set ga mtu 1300");
  ports.run("ip link set ga address 02:00:00:00:00:99");
  port->look();
  CHECK(!port->gone());
  CHECK(port->mtu() == 1300);
  CHECK(port->mac() == MacAddress{{2, 0, 0, 0, 0, 0x99}});

  SECTION("deleted, and made anew") {
    ports.run("ip link del ga");
    port->look();
    CHECK(port->gone());
    ports.run("ip link add ga type veth peer name gb && ip link set ga up");
    port->look();
    CHECK(port->gone());
  }
  SECTION("renamed") {
    ports.run("ip link set ga name gb");
    port->look();
    CHECK(port->gone());
  }
  SECTION("moved away") {
    const Namespace other;
    ports.run("ip link set ga netns " + other.path());
    port->look();
    CHECK(port->gone());
  }
  CHECK(!port->link_up());
}

TEST_CASE("an underlay TAP has a MAC of its own, and keeps it") {
  pool();
  const Namespace ns;
  PortOptions options = port_options("u0");
  options.underlay = true;
  auto tap = tap_port(ns, options);
  const MacAddress mac = tap->mac();
  CHECK(!mac.is_multicast());
  CHECK((mac.bytes[0] & 2) != 0);
  CHECK(tap->capabilities().has(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp4));
  tap.reset();
  CHECK(tap_port(ns, options)->mac() == mac);
  const Namespace other;
  CHECK(tap_port(other, options)->mac() != mac);
}

TEST_CASE("packet ports say what they can't do") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "ea", 1);
  OpenError error;
  const auto refuses = [&](const PortOptions& options) {
    ports.inside([&] { CHECK(open_packet_port(options, error) == nullptr); });
    return error.text;
  };
  CHECK(refuses(port_options("nosuch0")) == "no such interface");
  CHECK(error.kind == OpenError::Kind::absent);
  CHECK(refuses(port_options("a-name-that-is-too-long")) == "an interface's name has 1 to 15 characters");
  PortOptions options = port_options("ea");
  options.offloads.tunnel_tso = Toggle::on;
  CHECK(refuses(options).starts_with("offloads.tunnel-tso: the device lacks tx-udp_tnl-segmentation"));
  options = port_options("ea");
  options.mtu = 1;
  CHECK(refuses(options) == "mtu 1: Invalid argument");
}

TEST_CASE("capabilities of packet ports follow their place and the toggles") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "ca", 1);
  PortOptions options = port_options("ca");
  const auto can = [&](uint8_t bits) { return packet_port(ports, options)->capabilities().has(Outer::none, bits); };
  CHECK(can(TxCapabilities::kChecksum | TxCapabilities::kTcp | TxCapabilities::kUdp));
  options.offloads.tso = Toggle::off;
  CHECK(!can(TxCapabilities::kTcp6));
  CHECK(can(TxCapabilities::kChecksum));
  options.offloads = {};
  options.underlay = true;
  CHECK(!can(TxCapabilities::kChecksum));
  CHECK(!can(TxCapabilities::kTcp4));
  CHECK(packet_port(ports, options)->capabilities().multi_segment);
  options.offloads.checksum = Toggle::on;
  CHECK(can(TxCapabilities::kChecksum));
}

TEST_CASE("two rx queues share a packet port's flows, each frame arrives once, none of our own") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "fa", 1);
  PortOptions options = port_options("fa");
  options.rx_queues = 2;
  options.tx_queues = 2;
  const auto port = packet_port(ports, options);
  host.ns.run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0");
  // 64 flows: a datagram each, to ports 1000 to 1063.
  host.ns.run(
      "/usr/bin/python3 -c 'import socket\nfor p in range(1000, 1064):\n"
      "  socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"x\", (\"10.9.0.2\", p))'");
  rte_mbuf* own = make_frame(from_hex("0200000000020200000000030800" + std::string(100, '0')));
  CHECK(port->tx_burst(1, &own, 1) == 1);

  std::vector<unsigned> seen(64, 0);
  std::array<unsigned, 2> per_queue{};
  for (uint16_t queue = 0; queue < 2; ++queue) {
    std::array<rte_mbuf*, 128> frames{};
    const uint16_t n = port->rx_burst(queue, frames.data(), frames.size());
    for (uint16_t i = 0; i < n; ++i) {
      const auto* bytes = rte_pktmbuf_mtod(frames[i], const uint8_t*);
      CHECK(bytes[11] != 3);  // our own frame's source
      if (bytes[12] != 8 || bytes[13] != 0 || bytes[23] != 17) continue;
      ++seen.at(static_cast<size_t>((bytes[36] << 8 | bytes[37]) - 1000));
      ++per_queue[queue];
    }
    rte_pktmbuf_free_bulk(frames.data(), n);
  }
  CHECK(seen == std::vector<unsigned>(64, 1));
  CHECK(per_queue[0] > 10);
  CHECK(per_queue[1] > 10);
}

TEST_CASE("a packet port stops at what Linux refuses, and says so") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "ga", 1);
  const auto port = packet_port(ports, port_options("ga"));
  std::array<rte_mbuf*, 3> frames{};
  for (size_t i = 0; i < frames.size(); ++i) {
    frames[i] = make_frame(from_hex("0200000000020200000000030800" + std::string(i == 1 ? 2 * 1600 : 100, '0')));
  }
  CHECK(port->tx_burst(0, frames.data(), 3) == 1);  // the interface's MTU is 1500: EMSGSIZE
  CHECK(port->refused(0));
  rte_pktmbuf_free(frames[1]);
  CHECK(port->tx_burst(0, &frames[2], 1) == 1);
  CHECK_FALSE(port->refused(0));
  ports.run("ip link set ga down");
  rte_mbuf* frame = make_frame(from_hex("0200000000020200000000030800" + std::string(100, '0')));
  CHECK(port->tx_burst(0, &frame, 1) == 0);  // ENETDOWN
  CHECK(port->refused(0));
  rte_pktmbuf_free(frame);
}

TEST_CASE("a packet port counts what its socket had no room for") {
  pool();
  const Namespace ports;
  const VethHost host(ports, "da", 1);
  const auto port = packet_port(ports, port_options("da"));
  host.ns.run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0");
  host.ns.run(
      "/usr/bin/python3 -c 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
      "for p in range(60000): s.sendto(b\"x\", (\"10.9.0.2\", 9))'");
  uint64_t received = 0;
  std::array<rte_mbuf*, 64> frames{};
  while (const uint16_t n = port->rx_burst(0, frames.data(), frames.size())) {
    for (uint16_t i = 0; i < n; ++i) received += rte_pktmbuf_mtod(frames[i], const uint8_t*)[23] == 17 ? 1 : 0;
    rte_pktmbuf_free_bulk(frames.data(), n);
  }
  CHECK(port->device_stats().rx_missed > 0);
  CHECK(received + port->device_stats().rx_missed >= 60000);
}
