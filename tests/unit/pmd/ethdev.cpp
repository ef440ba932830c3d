// DPDK devices that need no hardware: null, ring, pcap, and net_tap, which sums and segments in software
// as a NIC would.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"
#include "tests/unit/pmd/relay.h"

using namespace causeway;
using namespace causeway::test;

namespace {

std::unique_ptr<Port> open_ethdev(const std::string& devargs, const PortOptions& options = port_options("e0")) {
  pool();
  OpenError error;
  auto port = open_ethdev_port(options, devargs, error);
  CHECK(error.text == "");
  REQUIRE(port);
  return port;
}

std::string refuses(const std::string& devargs, const PortOptions& options) {
  OpenError error;
  CHECK(open_ethdev_port(options, devargs, error) == nullptr);
  return error.text;
}

// A file that is gone with the test.
struct ScratchFile {
  ScratchFile() { close(mkstemp(path.data())); }
  ~ScratchFile() { std::filesystem::remove(path); }
  std::string path = "/tmp/unit_pmd_XXXXXX";
};

const std::string kFrameHex = "0200000000020200000000019000" + std::string(100, '1');

// Ethernet, IPv4, TCP, 40 bytes (scapy).
const std::string kTcp4Hex =
    "020000000002020000000001080045000050000700004006668d0a0900010a09000203e807d0000000010000000250182000f2430000"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627";

}  // namespace

TEST_CASE("net_null gives and takes frames, and can be opened again") {
  for (int round = 0; round < 2; ++round) {
    const auto port = open_ethdev("net_null0");
    CHECK(port->kind() == std::string("dpdk"));
    CHECK(port->link_up());
    CHECK(port->mtu() == 1500);
    CHECK(port->rx_fd(0) == -1);
    std::array<rte_mbuf*, 32> frames{};
    CHECK(port->rx_burst(0, frames.data(), 32) == 32);
    CHECK(port->tx_burst(0, frames.data(), 32) == 32);
    CHECK(port->set_mtu(1400) == "");
    CHECK(port->mtu() == 1400);
    CHECK(port->set_mac(MacAddress{{2, 0, 0, 0, 0, 5}}) == "");
    CHECK(port->mac() == MacAddress{{2, 0, 0, 0, 0, 5}});
    CHECK(refuses("net_null0", port_options("e1")).find("in use") != std::string::npos);
  }
}

TEST_CASE("what a device lacks is said with DPDK's own name for it") {
  pool();
  PortOptions options = port_options("e0");
  options.offloads.checksum = Toggle::on;
  CHECK(refuses("net_null0", options) ==
        "offloads.checksum: the device lacks RTE_ETH_TX_OFFLOAD_UDP_CKSUM, "
        "RTE_ETH_TX_OFFLOAD_TCP_CKSUM");
  options.offloads = {.tso = Toggle::on};
  CHECK(refuses("net_tap0", {.name = "e0", .offloads = {.checksum = Toggle::off, .tso = Toggle::on}, .pool = pool()}) ==
        "offloads.tso: needs offloads.checksum, which is off");
  options.offloads = {.tunnel_tso = Toggle::on};
  CHECK(refuses("net_null0", options).find("RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO") != std::string::npos);
  options = port_options("e0");
  options.rx_queues = 2;
  const ScratchFile out;
  CHECK(refuses("net_pcap0,rx_pcap=/nonexistent", options) != "");
  CHECK(refuses("net_ring0", {.name = "e0", .rx_queues = 999, .pool = pool()}).find("999 were asked for") !=
        std::string::npos);
  options = port_options("e0");
  options.mtu = 65535;
  CHECK(refuses("net_tap0", options).starts_with("mtu 65535 is more than the device's "));
}

TEST_CASE("a device that can't be opened: its driver's own words") {
  pool();
  const PortOptions options = port_options("e0");
  CHECK(refuses("net_nosuch0", options) == "cannot probe \"net_nosuch0\": DPDK has no such driver");
  CHECK(refuses("net_null0,nosuch=1", options) ==
        "cannot probe \"net_null0,nosuch=1\": its driver refuses it without a word: look at its parameters");
  const std::string words = refuses("net_af_packet0,iface=nosuch0", options);
  CHECK(words.starts_with("cannot probe \"net_af_packet0,iface=nosuch0\": "));
  CHECK(words.find("SIOCGIFINDEX):No such device") != std::string::npos);
  CHECK(words.find("EAL: ") == std::string::npos);
  CHECK(words.find('\n') == std::string::npos);
  CHECK(refuses("class=eth", options).starts_with("'class=' names no single device"));
  CHECK(refuses("0000:18:00.0", options) == "there is no PCI device 0000:18:00.0");
}

TEST_CASE("a device that was taken and then refused is free again") {
  pool();
  PortOptions options = port_options("e0");
  options.rx_queues = 9999;
  CHECK(refuses("net_ring7", options).find("9999 were asked for") != std::string::npos);
  open_ethdev("net_ring7");
  // A device without a port of its own.
  for (int round = 0; round < 2; ++round) {
    CHECK(refuses("net_vdev_netvsc0", port_options("e0")) == "\"net_vdev_netvsc0\" is no Ethernet device");
  }
}

TEST_CASE("frames leave a ring as if fresh from a NIC") {
  const auto port = open_ethdev("net_ring0");
  rte_mbuf* frame = make_frame(from_hex(kFrameHex));
  frame->ol_flags |= RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_OUTER_IPV4;
  CHECK(port->tx_burst(0, &frame, 1) == 1);
  rte_mbuf* back = nullptr;
  REQUIRE(port->rx_burst(0, &back, 1) == 1);
  CHECK(back == frame);
  CHECK((back->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0);
  rte_pktmbuf_free(back);
}

TEST_CASE("a full ring leaves the rest with the caller, Intents included") {
  const auto port = open_ethdev("net_ring0");
  std::vector<rte_mbuf*> frames;
  const Intent intent{.csum_start = 34, .gso_size = 20, .csum_offset = 16, .gso_type = GsoType::tcp4};
  for (int i = 0; i < 2000; ++i) {
    frames.push_back(make_frame(from_hex(kTcp4Hex)));
    if (i % 3 == 0) set_intent(frames.back(), intent, kIntentFlags);
  }
  uint16_t sent = 0;
  while (sent < 2000) {
    const uint16_t n = port->tx_burst(0, frames.data() + sent, static_cast<uint16_t>(std::min(100, 2000 - sent)));
    sent = static_cast<uint16_t>(sent + n);
    if (n < 100) break;
  }
  REQUIRE(sent < 2000);
  for (size_t i = sent; i < 2000; ++i) {
    CHECK(has_intent(frames[i]) == (i % 3 == 0));
    if (i % 3 == 0) CHECK(intent_of(frames[i]).csum_start == 34);
    rte_pktmbuf_free(frames[i]);
  }
  std::array<rte_mbuf*, 64> back{};
  while (const uint16_t n = port->rx_burst(0, back.data(), back.size())) rte_pktmbuf_free_bulk(back.data(), n);
}

TEST_CASE("three workers share the one tx queue of a pcap file") {
  const ScratchFile in;
  const ScratchFile out;
  {
    // libpcap's file header, microseconds, Ethernet; one frame of 64 bytes.
    std::ofstream file(in.path, std::ios::binary);
    const auto header = from_hex(
        "d4c3b2a1020004000000000000000000ffff000001000000"
        "00000000000000004000000040000000");
    const auto frame = from_hex(kFrameHex);
    file.write(reinterpret_cast<const char*>(header.data()), static_cast<std::streamsize>(header.size()));
    file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
  }
  PortOptions options = port_options("e0");
  options.tx_queues = 3;
  auto port = open_ethdev("net_pcap0,rx_pcap=" + in.path + ",infinite_rx=1,tx_pcap=" + out.path, options);
  CHECK(port->tx_queues() == 3);
  std::array<rte_mbuf*, 30> frames{};
  REQUIRE(port->rx_burst(0, frames.data(), 30) == 30);
  CHECK(std::memcmp(rte_pktmbuf_mtod(frames[29], const void*), from_hex(kFrameHex).data(), 64) == 0);
  // The last one goes out as a chain of two.
  rte_mbuf* tail = make_frame(std::vector<uint8_t>(1000, 7));
  CHECK(port->capabilities().multi_segment);
  REQUIRE(rte_pktmbuf_chain(frames[29], tail) == 0);
  std::vector<std::thread> workers;
  for (uint16_t queue = 0; queue < 3; ++queue) {
    workers.emplace_back([&, queue] { CHECK(port->tx_burst(queue, &frames[queue * 10U], 10) == 10); });
  }
  for (std::thread& worker : workers) worker.join();
  port.reset();
  CHECK(std::filesystem::file_size(out.path) == 24 + 30 * (16 + 64) + 1000);
}

TEST_CASE("a device that sums and segments does so for the kernel's super-packets") {
  pool();
  const Namespace ports;
  const Namespace tap_host;
  const Namespace host;
  ports.run("ip link add na type veth peer name eth0 netns " + host.path());
  OpenError error;
  std::unique_ptr<Port> veth;
  std::unique_ptr<Port> device;
  ports.inside([&] { veth = open_packet_port(port_options("na"), error); });
  REQUIRE(error.text == "");
  tap_host.inside([&] { device = open_ethdev_port(port_options("e0"), "net_tap0,iface=dtap0", error); });
  REQUIRE(error.text == "");
  CHECK(device->capabilities().has(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp4));
  CHECK(!device->capabilities().has(Outer::none, TxCapabilities::kTcp6));  // its segmentation library knows IPv4 only
  for (const auto& [ns, interface, n] : {std::tuple(&host, "eth0", "1"), {&tap_host, "dtap0", "2"}}) {
    ns->run(std::string("ip addr add 10.9.0.") + n + "/24 dev " + interface);
    ns->run(std::string("ip addr add fd09::") + n + "/64 nodad dev " + interface);
    ns->run(std::string("ip link set up dev ") + interface);
  }
  SECTION("super-packets") {
    host.run("ip link set eth0 mtu 1400");  // net_tap refuses segments whose frames are longer than its MTU
    Relay relay(*veth, *device);
    CHECK(tcp_transfer(host, tap_host, "10.9.0.2", 4 << 20));
    relay.stop();
    CHECK(relay.supers().size() > 10);
  }
  SECTION("checksums alone") {
    host.run("ethtool -K eth0 tso off gso off > /dev/null");
    Relay relay(*veth, *device);
    CHECK(tcp_transfer(host, tap_host, "10.9.0.2", 1 << 20));
    CHECK(tcp_transfer(host, tap_host, "fd09::2", 1 << 20));
    relay.stop();
    CHECK(relay.supers().empty());
  }
  SECTION("a flooded frame's headers stay as they were for the other ports") {
    rte_mbuf* frame = make_frame(from_hex(kTcp4Hex));
    set_intent(frame, {.csum_start = 34, .gso_size = 20, .csum_offset = 16, .gso_type = GsoType::tcp4}, kIntentFlags);
    rte_mbuf* clone = rte_pktmbuf_clone(frame, pool());
    REQUIRE(clone != nullptr);
    set_intent(clone, intent_of(frame), kIntentFlags);
    CHECK(device->tx_burst(0, &clone, 1) == 1);
    CHECK(std::memcmp(rte_pktmbuf_mtod(frame, const void*), from_hex(kTcp4Hex).data(), frame->data_len) == 0);
    rte_pktmbuf_free(frame);
  }
  CHECK(device->device_stats().tx_errors == 0);
}

TEST_CASE("a device has a queue a worker where it has RSS, and one where it hasn't") {
  PortOptions options = port_options("e0");
  options.rx_queues = 0;
  options.tx_queues = 3;
  {
    const auto port = open_ethdev("net_null0", options);
    CHECK(port->rx_queues() == 3);
    CHECK(port->rx_spread() == RxSpread::outer);
    for (uint16_t queue = 0; queue < 3; ++queue) {
      rte_mbuf* frame = nullptr;
      REQUIRE(port->rx_burst(queue, &frame, 1) == 1);
      rte_pktmbuf_free(frame);
    }
  }
  CHECK(open_ethdev("net_ring0", options)->rx_queues() == 1);
  CHECK(open_ethdev("net_ring0", options)->rx_spread() == RxSpread::none);
  options.rx_queues = 2;  // asked for by name
  CHECK(open_ethdev("net_ring0", options)->rx_queues() == 2);
}
