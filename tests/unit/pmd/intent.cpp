// Intents in the forms devices know: virtio-net headers, and DPDK's tx flags. Frames and sums are scapy's.
#include "pmd/ethdev/ethdev_offload.h"
#include "pmd/kernel/vnet_header.h"
#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const std::string kPayload = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627";
const std::string kEthernet4 = "0200000000020200000000010800";
const std::string kIp4 = "45000050000700004006668d0a0900010a090002";
const std::string kEthernet6 = "02000000000202000000000186dd";
const std::string kIp6 = "60000000003c0640fd090000000000000000000000000001fd090000000000000000000000000002";
const std::string kTcpUpToChecksum = "03e807d0000000010000000250182000";
const std::string kVlan6Udp =
    "0200000000020200000000018100006486dd6000000000301140fd090000000000000000000000000001fd09000000000000000000"
    "000000000203e807d00030";

std::string tcp4(const std::string& checksum) {
  return kEthernet4 + kIp4 + kTcpUpToChecksum + checksum + "0000" + kPayload;
}
std::string tcp6(const std::string& checksum) {
  return kEthernet6 + kIp6 + kTcpUpToChecksum + checksum + "0000" + kPayload;
}

std::vector<uint8_t> bytes_of(const rte_mbuf* frame) {
  const auto* start = rte_pktmbuf_mtod(frame, const uint8_t*);
  return {start, start + frame->data_len};
}

struct Frame {
  explicit Frame(const std::string& hex) : mbuf(make_frame(from_hex(hex))) {}
  ~Frame() { rte_pktmbuf_free(mbuf); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  rte_mbuf* mbuf;
};

constexpr VnetHeader kTcp4Super{kVnetNeedsChecksum, kVnetGsoTcp4, 0, 20, 34, 16, {}, 0, 0};

bool accepts(VnetHeader header, uint16_t inserted_bytes = 0) {
  const Frame frame(tcp4("1457"));
  return apply_vnet_header(header, inserted_bytes, frame.mbuf);
}

}  // namespace

TEST_CASE("a virtio-net header becomes an Intent, and the Intent the header") {
  const Frame frame(tcp4("1457"));
  VnetHeader header = kTcp4Super;
  header.gso_type |= kVnetGsoEcn;
  REQUIRE(apply_vnet_header(header, 0, frame.mbuf));
  CHECK((frame.mbuf->ol_flags & kIntentFlags) == kIntentFlags);
  const Intent intent = intent_of(frame.mbuf);
  CHECK(intent.csum_start == 34);
  CHECK(intent.csum_offset == 16);
  CHECK(intent.gso_size == 20);
  CHECK(intent.gso_type == GsoType::tcp4);
  CHECK(intent.ecn == 1);

  VnetHeader back;
  REQUIRE(make_vnet_header(frame.mbuf, back));
  CHECK(back.flags == kVnetNeedsChecksum);
  CHECK(back.gso_type == (kVnetGsoTcp4 | kVnetGsoEcn));
  CHECK(back.hdr_len == 14 + 20 + 20);
  CHECK(back.gso_size == 20);
  CHECK(back.csum_start == 34);
  CHECK(back.csum_offset == 16);
}

TEST_CASE("a frame with nothing left to do has an empty header") {
  const Frame frame(tcp4("f243"));
  frame.mbuf->tx_offload = ~0ULL;  // undefined without a flag
  VnetHeader header{1, 1, 1, 1, 1, 1, {1}, 1, 1};
  REQUIRE(make_vnet_header(frame.mbuf, header));
  const VnetHeader empty{};
  CHECK(std::memcmp(&header, &empty, sizeof(header)) == 0);
}

TEST_CASE("one segment's worth of payload is no super-packet") {
  const Frame frame(tcp4("1457"));
  VnetHeader header = kTcp4Super;
  header.gso_size = 40;
  REQUIRE(apply_vnet_header(header, 0, frame.mbuf));
  CHECK((frame.mbuf->ol_flags & kIntentFlags) == kNeedsChecksum);
}

TEST_CASE("a verified checksum is told in the rx flags") {
  const Frame frame(tcp4("f243"));
  REQUIRE(apply_vnet_header({kVnetDataValid, 0, 0, 0, 0, 0, {}, 0, 0}, 0, frame.mbuf));
  CHECK(!has_intent(frame.mbuf));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD);
}

TEST_CASE("a verified super-packet gets the pseudo-header sum its checksum starts from") {
  for (const bool v6 : {false, true}) {
    const Frame frame(v6 ? tcp6("c420") : tcp4("f243"));
    REQUIRE(
        apply_vnet_header({kVnetDataValid, v6 ? kVnetGsoTcp6 : kVnetGsoTcp4, 0, 20, 0, 0, {}, 0, 0}, 0, frame.mbuf));
    CHECK(intent_of(frame.mbuf).csum_start == (v6 ? 54 : 34));
    CHECK(bytes_of(frame.mbuf) == from_hex(v6 ? tcp6("fa58") : tcp4("1457")));
  }
}

TEST_CASE("headers that contradict their frame are refused") {
  CHECK(accepts(kTcp4Super));
  const auto with = [](auto change) {
    VnetHeader header = kTcp4Super;
    change(header);
    return header;
  };
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_start = 94 - 17; })));  // field ends a byte behind the frame
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_start = 0xffff; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_start = 0xffff; }), 4));
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_offset = 0xffff; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_offset = 6; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.gso_size = 0; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.gso_type = kVnetGsoUfo; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.gso_type = 0x22; })));
  CHECK(!accepts(with([](VnetHeader& h) { h.csum_start = 33; })));  // TCP header length of 0
}

TEST_CASE("DPDK's flags and lengths for a checksum") {
  const Frame frame(tcp4("1457"));
  set_intent(frame.mbuf, {.csum_start = 34, .csum_offset = 16}, kNeedsChecksum);
  REQUIRE(translate_intent(frame.mbuf, {}));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM));
  CHECK(frame.mbuf->l2_len == 14);
  CHECK(frame.mbuf->l3_len == 20);
  CHECK(bytes_of(frame.mbuf) == from_hex(tcp4("1457")));
}

TEST_CASE("DPDK's flags and lengths for a UDP checksum behind a VLAN tag and IPv6") {
  const Frame frame(kVlan6Udp + "fa57" + kPayload);
  set_intent(frame.mbuf, {.csum_start = 58, .csum_offset = 6}, kNeedsChecksum);
  REQUIRE(translate_intent(frame.mbuf, {}));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == (RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM));
  CHECK(frame.mbuf->l2_len == 18);
  CHECK(frame.mbuf->l3_len == 40);
}

TEST_CASE("DPDK's flags, lengths and sums for TCP segmentation") {
  const std::string ip_without_sum =
      "45000050000700004006"
      "0000"
      "0a0900010a090002";
  for (const bool v6 : {false, true}) {
    const Frame frame(v6 ? tcp6("fa58") : tcp4("1457"));
    const auto l3 = static_cast<uint16_t>(v6 ? 40 : 20);
    set_intent(frame.mbuf,
               {.csum_start = static_cast<uint16_t>(14 + l3),
                .gso_size = 20,
                .csum_offset = 16,
                .gso_type = v6 ? GsoType::tcp6 : GsoType::tcp4},
               kIntentFlags);
    REQUIRE(translate_intent(frame.mbuf, {}));
    CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) ==
          (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
           (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM)));
    CHECK(frame.mbuf->l3_len == l3);
    CHECK(frame.mbuf->l4_len == 20);
    CHECK(frame.mbuf->tso_segsz == 20);
    // The pseudo-header sums without the 60 bytes of TCP length.
    CHECK(bytes_of(frame.mbuf) ==
          from_hex(v6 ? tcp6("fa1c") : kEthernet4 + ip_without_sum + kTcpUpToChecksum + "141b" + "0000" + kPayload));
  }
}

TEST_CASE("DPDK's flags, lengths and sums for UDP segmentation") {
  const Frame frame(kVlan6Udp + "fa57" + kPayload);
  set_intent(frame.mbuf, {.csum_start = 58, .gso_size = 20, .csum_offset = 6, .gso_type = GsoType::udp6}, kIntentFlags);
  REQUIRE(translate_intent(frame.mbuf, {}));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) ==
        (RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6));
  CHECK(frame.mbuf->l2_len == 18);
  CHECK(frame.mbuf->l3_len == 40);
  CHECK(frame.mbuf->l4_len == 8);
  CHECK(frame.mbuf->tso_segsz == 20);
  CHECK(bytes_of(frame.mbuf) == from_hex(kVlan6Udp + "fa27" + kPayload));  // without the 48 bytes of UDP length
}

TEST_CASE("a checksum DPDK has no flag for is finished here") {
  // The inner TCP of a VXLAN frame, 50 bytes deep.
  const std::string outer =
      "0200000000020200000000010800450000820007000040116650"
      "0a0900010a0900029c4012b5006e0000"
      "0800000000000500";
  const Frame frame(outer + tcp4("1457"));
  set_intent(frame.mbuf, {.csum_start = 50 + 34, .csum_offset = 16, .tunnel_bytes = 50}, kNeedsChecksum);
  REQUIRE(translate_intent(frame.mbuf, {}));
  CHECK((frame.mbuf->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0);
  CHECK(bytes_of(frame.mbuf) == from_hex(outer + tcp4("f243")));
}

TEST_CASE("a super-packet in a tunnel is nothing a plain device can cut") {
  const Frame frame(
      "0200000000020200000000010800450000820007000040116650"
      "0a0900010a0900029c4012b5006e0000"
      "0800000000000500" +
      tcp4("1457"));
  set_intent(frame.mbuf,
             {.csum_start = 84, .gso_size = 20, .csum_offset = 16, .gso_type = GsoType::tcp4, .tunnel_bytes = 50},
             kIntentFlags);
  CHECK(!translate_intent(frame.mbuf, {}));
}
