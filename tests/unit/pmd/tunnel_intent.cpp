// Super-packets inside tunnels, in the terms of a TAP and of DPDK. Headers and sums are scapy's.
#include "pmd/ethdev/ethdev_offload.h"
#include "pmd/kernel/vnet_header.h"
#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const std::string kInner =
    "020000000002020000000001080045000050000700004006668d0a0900010a09000203e807d00000000100000002501820001457"
    "0000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627";
// As long, so that it fits the same outer headers.
const std::string kInnerUdp =
    "02000000000202000000000108004500005000070000401166820a0900010a09000203e807d0003c1462000102030405060708090a"
    "0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627000000000000000000000000";
// Outer headers, Ethernet to tunnel.
const std::string kGeneve4 =
    "020000000002020000000001080045000082000040004011e229ac1f0001ac1f00029c4017c1006e00000000655800007b00";
const std::string kVxlan4 =
    "020000000002020000000001080045000082000040004011e229ac1f0001ac1f00029c4012b5006e00000800000000006400";
const std::string kVxlan6 =
    "02000000000202000000000186dd60000000006e1140fd000031000000000000000000000001fd0000310000000000000000000000029c40"
    "12b5006effff0800000000006400";
const std::string kGre4 = "02000000000202000000000108004500007600004000402fe217ac1f0001ac1f000200006558";

struct Frame {
  Frame(const std::string& outer_hex, Outer outer, bool outer_checksum, uint16_t gso_size, bool udp = false)
      : mbuf(make_frame(from_hex(outer_hex + (udp ? kInnerUdp : kInner)))) {
    const auto outer_bytes = static_cast<uint16_t>(outer_hex.size() / 2);
    Intent intent;
    intent.csum_start = static_cast<uint16_t>(outer_bytes + 34);
    intent.csum_offset = udp ? 6 : 16;
    intent.gso_size = gso_size;
    intent.gso_type = gso_size == 0 ? GsoType::none : udp ? GsoType::udp4 : GsoType::tcp4;
    intent.tunnel_bytes = static_cast<uint8_t>(outer_bytes);
    intent.outer_checksum = outer_checksum ? 1 : 0;
    intent.set_outer(outer);
    set_intent(mbuf, intent, gso_size != 0 ? kIntentFlags : kNeedsChecksum);
  }
  ~Frame() { rte_pktmbuf_free(mbuf); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  uint16_t field(size_t offset) const {
    const auto* bytes = rte_pktmbuf_mtod_offset(mbuf, const uint8_t*, offset);
    return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]);
  }
  rte_mbuf* mbuf;
};

rte_eth_dev_info device(uint64_t offered, const char* driver = "net_test") {
  rte_eth_dev_info info{};
  info.driver_name = driver;
  info.tx_offload_capa = offered;
  return info;
}

constexpr uint64_t kSums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kInnerTso =
    RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;

}  // namespace

TEST_CASE("a TAP's header for super-packets in UDP tunnels") {
  struct Case {
    const std::string& headers;
    Outer outer;
    bool checksum;
    uint8_t tunnel;
    uint16_t udp;
    uint16_t outer_sum;  // left in the UDP header
  };
  for (const Case& c : {Case{kGeneve4, Outer::geneve4, false, kVnetGsoTunnel4, 34, 0},
                        {kGeneve4, Outer::geneve4, true, kVnetGsoTunnel4, 34, 0x58c1},
                        {kVxlan4, Outer::vxlan4, false, kVnetGsoTunnel4, 34, 0},
                        {kVxlan6, Outer::vxlan6, true, kVnetGsoTunnel6, 54, 0xfae5}}) {
    const Frame frame(c.headers, c.outer, c.checksum, 20);
    const auto bytes = static_cast<uint16_t>(c.headers.size() / 2);
    CAPTURE(bytes, c.checksum);
    VnetHeader header;
    REQUIRE(make_vnet_header(frame.mbuf, header));
    CHECK(header.flags == (kVnetNeedsChecksum | (c.checksum ? kVnetOuterChecksum : 0)));
    CHECK(header.gso_type == (kVnetGsoTcp4 | c.tunnel));
    CHECK(header.hdr_len == bytes + 14 + 20 + 20);
    CHECK(header.csum_start == bytes + 34);
    CHECK(header.outer_th_offset == c.udp);
    CHECK(header.inner_nh_offset == bytes + 14);
    CHECK(frame.field(size_t{c.udp} + 6) == c.outer_sum);
  }
  // Only a checksum: no tunnel to the kernel.
  const Frame small(kGeneve4, Outer::geneve4, false, 0);
  VnetHeader header;
  REQUIRE(make_vnet_header(small.mbuf, header));
  CHECK((header.gso_type == 0 && header.csum_start == 84 && header.outer_th_offset == 0));
}

TEST_CASE("a super-packet read from a tunnel of somebody else's is marked as such") {
  for (const uint8_t type : {kVnetGsoTcp4, static_cast<uint8_t>(kVnetGsoTcp4 | kVnetGsoTunnel4)}) {
    rte_mbuf* frame = make_frame(from_hex(kVxlan4 + kInner));
    REQUIRE(apply_vnet_header({kVnetNeedsChecksum, type, 0, 20, 84, 16, {}, 0, 0}, 0, frame));
    CHECK(intent_of(frame).outer() == Outer::other);
    CHECK(intent_of(frame).gso_type == GsoType::tcp4);
    rte_pktmbuf_free(frame);
  }
  rte_mbuf* plain = make_frame(from_hex(kInner));
  REQUIRE(apply_vnet_header({kVnetNeedsChecksum, kVnetGsoTcp4, 0, 20, 34, 16, {}, 0, 0}, 0, plain));
  CHECK(intent_of(plain).outer() == Outer::none);
  rte_pktmbuf_free(plain);
}

TEST_CASE("DPDK's flags and lengths for segmentation in each tunnel") {
  const uint64_t v4 = RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IP_CKSUM;
  const uint64_t udp_sum = RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
  struct Case {
    const std::string& headers;
    Outer outer;
    bool checksum;
    uint64_t offer;
    uint64_t flags;
    unsigned outer_l3;
    unsigned l2;  // outer L4, tunnel, inner Ethernet
    uint16_t outer_sum;
  };
  for (const Case& c :
       {Case{kGeneve4, Outer::geneve4, false, RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_GENEVE | v4, 20,
             30, 0},
        {kGeneve4, Outer::geneve4, true, RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_GENEVE | v4 | udp_sum,
         20, 30, 0x5853},
        {kGeneve4, Outer::geneve4, false, RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_UDP | v4, 20, 30, 0},
        {kVxlan4, Outer::vxlan4, false, RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_VXLAN | v4, 20, 30, 0},
        {kVxlan6, Outer::vxlan6, true, RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO,
         RTE_MBUF_F_TX_TUNNEL_VXLAN | RTE_MBUF_F_TX_OUTER_IPV6 | udp_sum, 40, 30, 0xfa77},
        {kGre4, Outer::gre4, false, RTE_ETH_TX_OFFLOAD_GRE_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_GRE | v4, 20, 18, 0},
        {kGre4, Outer::gre4, false, RTE_ETH_TX_OFFLOAD_IP_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_IP | v4, 20, 18, 0}}) {
    CAPTURE(c.flags);
    const auto offloads = choose_offloads(
        device(kSums | c.offer | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM), {});
    CHECK((offloads.tx & c.offer) != 0);
    CHECK(offloads.capabilities.has(c.outer, TxCapabilities::kTcp | TxCapabilities::kChecksum));
    const Frame frame(c.headers, c.outer, c.checksum, 20);
    REQUIRE(translate_intent(frame.mbuf, offloads.tunnels));
    CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == (kInnerTso | c.flags));
    CHECK(frame.mbuf->outer_l2_len == 14);
    CHECK(frame.mbuf->outer_l3_len == c.outer_l3);
    CHECK(frame.mbuf->l2_len == c.l2);
    CHECK(frame.mbuf->l3_len == 20);
    CHECK(frame.mbuf->l4_len == 20);
    CHECK(frame.mbuf->tso_segsz == 20);
    const size_t inner = c.headers.size() / 2;
    if (c.outer_l3 == 20) CHECK(frame.field(14 + 10) == 0);                  // the outer IPv4 checksum is the device's
    if (c.l2 == 30) CHECK(frame.field(14 + c.outer_l3 + 6) == c.outer_sum);  // pseudo-header sum without the length
    CHECK(frame.field(inner + 14 + 10) == 0);
    CHECK(frame.field(inner + 34 + 16) == 0x141b);

    // Only the inner checksum: the outer headers are complete.
    const Frame small(c.headers, c.outer, false, 0);
    REQUIRE(translate_intent(small.mbuf, offloads.tunnels));
    const uint64_t outer_only = c.flags & ~(RTE_MBUF_F_TX_OUTER_IP_CKSUM | udp_sum);
    CHECK((small.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) ==
          (outer_only | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4));
    CHECK(small.mbuf->l2_len == c.l2);
    CHECK(small.field(inner + 34 + 16) == 0x1457);
  }
}

TEST_CASE("UDP in a tunnel is described as TCP is") {
  const auto offloads = choose_offloads(device(~0ULL), {});
  const Frame frame(kGeneve4, Outer::geneve4, true, 20, true);
  REQUIRE(translate_intent(frame.mbuf, offloads.tunnels));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) ==
        (RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM |
         RTE_MBUF_F_TX_TUNNEL_GENEVE | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IP_CKSUM |
         RTE_MBUF_F_TX_OUTER_UDP_CKSUM));
  CHECK(frame.mbuf->l2_len == 30);
  CHECK(frame.mbuf->l4_len == 8);
  CHECK(frame.mbuf->tso_segsz == 20);
  CHECK(frame.field(kGeneve4.size() / 2 + 34 + 6) == 0x1426);  // the inner pseudo-header's sum without the length
  CHECK(frame.field(34 + 6) == 0x5853);
}

TEST_CASE("UDP is cut by devices that say so, unless their drivers are known not to") {
  using Can = TxCapabilities;
  const uint64_t tcp =
      kSums | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO;
  const auto chosen = [&](const char* driver, uint64_t offered, OffloadSettings settings = {}) {
    return choose_offloads(device(offered, driver), settings);
  };
  auto offloads = chosen("net_test", tcp | RTE_ETH_TX_OFFLOAD_UDP_TSO);
  CHECK((offloads.tx & RTE_ETH_TX_OFFLOAD_UDP_TSO) != 0);
  CHECK(offloads.capabilities.has(Outer::none, Can::kTcp | Can::kUdp));
  CHECK(offloads.capabilities.has(Outer::vxlan6, Can::kTcp | Can::kUdp));
  CHECK(!offloads.capabilities.has(Outer::geneve4, Can::kUdp4));
  // mlx5, ice and i40e don't say so.
  offloads = chosen("mlx5_pci", tcp);
  CHECK((offloads.capabilities.has(Outer::none, Can::kTcp) && !offloads.capabilities.has(Outer::none, Can::kUdp4)));
  CHECK(lacking_flags(tcp, Outer::none, Can::kUdp) == "the device lacks RTE_ETH_TX_OFFLOAD_UDP_TSO");
  CHECK(lacking_flags(tcp, Outer::vxlan4, Can::kUdp) == "the device lacks RTE_ETH_TX_OFFLOAD_UDP_TSO");
  for (const char* driver : {"net_txgbe", "net_txgbe_vf", "net_ngbe", "net_tap", "net_virtio"}) {
    CAPTURE(driver);
    offloads = chosen(driver, tcp | RTE_ETH_TX_OFFLOAD_UDP_TSO);
    CHECK((offloads.tx & RTE_ETH_TX_OFFLOAD_UDP_TSO) == 0);
    CHECK(offloads.capabilities.has(Outer::vxlan4, Can::kTcp));
    for (const Outer outer : {Outer::none, Outer::vxlan4, Outer::vxlan6}) {
      CHECK((offloads.capabilities.can[static_cast<size_t>(outer)] & Can::kUdp) == 0);
    }
  }
  CHECK(lacking_flags(tcp | RTE_ETH_TX_OFFLOAD_UDP_TSO, Outer::none, Can::kUdp).find("its driver can't") !=
        std::string::npos);
  // It goes with `tso`.
  offloads = chosen("net_test", tcp | RTE_ETH_TX_OFFLOAD_UDP_TSO, {.tso = Toggle::off});
  CHECK(!offloads.capabilities.has(Outer::none, Can::kUdp4));
}

TEST_CASE("each tunnel is a capability of its own") {
  using Can = TxCapabilities;
  const uint64_t v4 = RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
  // mlx4: VXLAN alone.
  auto caps = choose_offloads(device(kSums | v4 | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO), {}).capabilities;
  CHECK(caps.has(Outer::vxlan4, Can::kTcp));
  CHECK(!caps.has(Outer::geneve4, Can::kTcp4));
  CHECK(!caps.has(Outer::geneve4, Can::kChecksum));
  // mlx5: everything but outer UDP checksums, so that a tunnel that wants one is cut in software.
  CHECK(!caps.has(Outer::vxlan6, Can::kOuterChecksum));
  // Without the outer IPv4 checksum no segment would have a right one.
  caps = choose_offloads(device(kSums | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO), {}).capabilities;
  CHECK((caps.has(Outer::vxlan6, Can::kTcp) && !caps.has(Outer::vxlan4, Can::kTcp4)));
  // virtio: checksums, but not the IPv4 header's, which segments need.
  caps =
      choose_offloads(device((kSums & ~RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) | RTE_ETH_TX_OFFLOAD_TCP_TSO), {}).capabilities;
  CHECK((caps.has(Outer::none, Can::kChecksum) && !caps.has(Outer::none, Can::kTcp4)));
  // What is off stays off.
  OffloadSettings settings;
  settings.tunnel_tso = Toggle::off;
  caps = choose_offloads(device(~0ULL), settings).capabilities;
  CHECK((caps.has(Outer::none, Can::kTcp) && !caps.has(Outer::vxlan4, Can::kChecksum)));
  settings = {.checksum = Toggle::off};
  CHECK(choose_offloads(device(~0ULL), settings).capabilities.can == decltype(caps.can){});
}

TEST_CASE("tunnel-tso: on names what a device lacks") {
  const OffloadSettings on{.tunnel_tso = Toggle::on};
  const uint64_t v4 = RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
  const auto error = [&](uint64_t offered) { return choose_offloads(device(offered), on).error; };
  CHECK(error(kSums | v4 | RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO) == "");
  CHECK(error(kSums | v4 | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO) == "");
  CHECK(error(kSums | v4 | RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO) ==
        "offloads.tunnel-tso: the device lacks RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO");
  CHECK(error(kSums | RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO) ==
        "offloads.tunnel-tso: the device lacks RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM");
}

TEST_CASE("a device that judges the inner checksums says nothing about the outer ones") {
  const Frame frame(kVxlan4, Outer::none, false, 0);
  const auto verdicts = [&](uint32_t type, uint64_t flags) {
    frame.mbuf->packet_type = type;
    frame.mbuf->ol_flags = flags;
    outermost_verdicts(frame.mbuf);
    return frame.mbuf->ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
  };
  const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  CHECK(verdicts(RTE_PTYPE_L3_IPV4, good) == good);
  CHECK(verdicts(RTE_PTYPE_TUNNEL_VXLAN, good) == 0);
  CHECK(verdicts(RTE_PTYPE_TUNNEL_VXLAN, RTE_MBUF_F_RX_L4_CKSUM_BAD) == 0);
  CHECK(verdicts(RTE_PTYPE_TUNNEL_VXLAN, good | RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD) == RTE_MBUF_F_RX_L4_CKSUM_GOOD);
  CHECK(verdicts(RTE_PTYPE_TUNNEL_VXLAN, good | RTE_MBUF_F_RX_OUTER_L4_CKSUM_BAD | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD) ==
        (RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD));
}
