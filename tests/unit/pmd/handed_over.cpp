// Packet and TAP ports that another process, here another object, goes on with: the interface notices nothing, and what
// waits for them isn't lost.
#include <array>
#include <cstdio>
#include <set>

#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

using Opener = std::unique_ptr<Port> (*)(const PortOptions& options, OpenError& error);

std::unique_ptr<Port> open_in(const Namespace& ns, Opener open, const PortOptions& options) {
  std::unique_ptr<Port> port;
  OpenError error;
  ns.inside([&] { port = open(options, error); });
  CHECK(error.text == "");
  REQUIRE(port);
  return port;
}

// What stays of an interface: its number, its MAC, and how often its carrier has changed.
std::string identity(const Namespace& ns, const std::string& name) {
  std::string all;
  ns.inside([&] {
    std::FILE* const output = popen(("ip -s -s -j link show " + name +
                                     " | /usr/bin/python3 -c 'import json, sys\nlink = json.load(sys.stdin)[0]\n"
                                     "print(link[\"ifindex\"], link[\"address\"], link[\"operstate\"], "
                                     "link[\"stats64\"][\"tx\"][\"carrier_changes\"])'")
                                        .c_str(),
                                    "r");
    for (int c = 0; (c = std::fgetc(output)) != EOF;) all.push_back(static_cast<char>(c));
    CHECK(pclose(output) == 0);
  });
  return all;
}

// Numbers of the UDP datagrams that wait in all of its queues: their source ports.
std::multiset<unsigned> waiting(Port& port) {
  std::multiset<unsigned> numbers;
  for (uint16_t queue = 0; queue < port.rx_queues(); ++queue) {
    std::array<rte_mbuf*, 128> frames{};
    while (const uint16_t n = port.rx_burst(queue, frames.data(), frames.size())) {
      for (uint16_t i = 0; i < n; ++i) {
        const auto* bytes = rte_pktmbuf_mtod(frames[i], const uint8_t*);
        if (bytes[12] == 8 && bytes[13] == 0 && bytes[23] == 17) numbers.insert(bytes[34] << 8U | bytes[35]);
      }
      rte_pktmbuf_free_bulk(frames.data(), n);
    }
  }
  return numbers;
}

void send_numbered(const Namespace& from, unsigned first, unsigned count) {
  from.run("/usr/bin/python3 -c 'import socket\nfor p in range(" + std::to_string(first) + ", " +
           std::to_string(first + count) +
           "):\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n s.bind((\"10.9.0.1\", p))\n"
           " s.sendto(b\"x\", (\"10.9.0.2\", 9))'");
}

std::multiset<unsigned> numbers(unsigned first, unsigned count) {
  std::multiset<unsigned> all;
  for (unsigned i = 0; i < count; ++i) all.insert(first + i);
  return all;
}

void configure(const Namespace& ns, const std::string& interface) {
  ns.run("sysctl -qw net.ipv6.conf." + interface + ".disable_ipv6=1");
  ns.run("ip addr add 10.9.0.1/24 dev " + interface);
  ns.run("ip link set " + interface + " up");
  ns.run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev " + interface);
}

// Frames come before the old one has gone, between, and behind; `host` sends them.
void check_goes_on(const Namespace& ports, Opener open, const Namespace& host, PortOptions options) {
  auto old = open_in(ports, open, options);
  if (&ports == &host) configure(host, options.name);
  const std::string before = identity(ports, options.name);
  send_numbered(host, 1000, 20);
  options.handed_over = old->descriptors();
  auto next = open_in(ports, open, options);
  send_numbered(host, 1020, 20);
  old.reset();
  send_numbered(host, 1040, 20);
  CHECK(waiting(*next) == numbers(1000, 60));
  CHECK(identity(ports, options.name) == before);
  // It is as good as its predecessor, and has all that was the other's.
  rte_mbuf* frame = make_frame(from_hex("0200000000020200000000030800" + std::string(100, '0')));
  CHECK(next->tx_burst(0, &frame, 1) == 1);
  next->look();
  CHECK(!next->gone());
  CHECK(next->descriptors().size() == options.handed_over.size());
}

}  // namespace

TEST_CASE("a TAP that is handed over keeps its carrier and its frames") {
  pool();
  const Namespace ports;
  for (const uint16_t queues : {1, 2}) {
    PortOptions options = port_options("t" + std::to_string(queues));
    options.rx_queues = queues;
    check_goes_on(ports, open_tap_port, ports, options);
    ports.run("! ip link show " + options.name + " 2>/dev/null");  // gone with its last descriptor
  }
}

TEST_CASE("a TAP that is handed over may be in a container") {
  pool();
  const Namespace ports, container;
  PortOptions options = port_options("moved");
  const auto old = open_in(ports, open_tap_port, options);
  ports.run("ip link set moved netns " + container.path() + " name eth0");
  options.handed_over = old->descriptors();
  const auto next = open_in(ports, open_tap_port, options);
  configure(container, "eth0");
  send_numbered(container, 1000, 5);
  CHECK(waiting(*next) == numbers(1000, 5));
}

TEST_CASE("packet sockets that are handed over keep their frames and the interface's lock") {
  pool();
  const Namespace ports, host;
  for (const uint16_t queues : {1, 2}) {
    PortOptions options = port_options("v" + std::to_string(queues));
    options.rx_queues = queues;
    options.tx_queues = 2;
    ports.run("ip link add " + options.name + " type veth peer name eth0 netns " + host.path());
    configure(host, "eth0");
    check_goes_on(ports, open_packet_port, host, options);
    host.run("ip link del eth0");
  }
}

TEST_CASE("an interface that was handed over is one gateway's") {
  pool();
  const Namespace ports, host;
  ports.run("ip link add v0 type veth peer name eth0 netns " + host.path());
  PortOptions options = port_options("v0");
  auto old = open_in(ports, open_packet_port, options);
  PortOptions again = options;
  again.handed_over = old->descriptors();
  auto next = open_in(ports, open_packet_port, again);
  old.reset();
  OpenError error;
  std::unique_ptr<Port> third;
  ports.inside([&] { third = open_packet_port(options, error); });
  CHECK(third == nullptr);
  CHECK(error.text.find("in use by ") == 0);
  next.reset();
  third = open_in(ports, open_packet_port, options);
}

TEST_CASE("descriptors of another sort of port are of no use") {
  pool();
  const Namespace ports, host;
  ports.run("ip link add v0 type veth peer name eth0 netns " + host.path());
  PortOptions options = port_options("v0");
  const auto old = open_in(ports, open_packet_port, options);
  options.handed_over = old->descriptors();
  options.rx_queues = 2;
  OpenError error;
  std::unique_ptr<Port> other;
  ports.inside([&] { other = open_packet_port(options, error); });
  CHECK(other == nullptr);  // it is opened as ever, and the lock is taken
  CHECK(error.text.find("in use by") == 0);
}
