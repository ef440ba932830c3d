// What LRO and unfinished checksums become, frame by frame. Streams and segments are scapy's.
#include "pmd/ethdev/ethdev_receive.h"

#include "pmd/ethdev/ethdev_offload.h"
#include "tests/unit/nic/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

constexpr uint16_t kMtu = 1500;

// A super-packet as a device hands it over that has merged it: nobody has touched its TCP checksum.
rte_mbuf* merged(rte_mempool* pool, const std::string& name, uint64_t flags, uint32_t says) {
  rte_mbuf* frame = to_mbuf(pool, segment_frames()[name], {700, 400});
  frame->ol_flags |= flags;
  frame->tx_offload = 0;
  frame->tso_segsz = static_cast<uint16_t>(says);
  return frame;
}

bool taken(rte_mbuf*& frame, uint16_t mtu = kMtu, LroSays says = LroSays::length) {
  return take_rx_work(&frame, 1, mtu, says) == 1;
}

std::vector<Bytes> cut(rte_mempool* pool, rte_mbuf* frame) {
  DropReason reason = DropReason::none;
  auto segments = segmented(frame, TxCapabilities{}, {pool, pool}, 64, reason);
  CHECK(reason == DropReason::none);
  return segments;
}

// Of the super-packets that an LRO would make: plain TCP, whole segments and the rest.
std::vector<std::string> plain_tcp() {
  std::vector<std::string> names;
  for (const std::string& name : segment_frames().names("cut.")) {
    const bool plain = name.starts_with("cut.plain.") || name.starts_with("cut.vlan.");
    if (plain && name.find(".tcp.") != std::string::npos) names.push_back(name);
  }
  return names;
}

}  // namespace

TEST_CASE("what a device has merged and described comes apart as it was") {
  const MbufPool pool(1023, 2048 + RTE_PKTMBUF_HEADROOM);
  size_t checked = 0;
  for (const std::string& name : plain_tcp()) {
    CAPTURE(name);
    const Intent wanted = written_intent(name);
    rte_mbuf* frame = merged(pool, name, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD, wanted.gso_size);
    // Stale sums, as of the first segment.
    auto* const bytes = rte_pktmbuf_mtod(frame, uint8_t*);
    bytes[wanted.csum_start + 16] ^= 0x55;
    if (bytes[14] == 0x45) bytes[24] ^= 0x55;
    REQUIRE(taken(frame));
    const auto expected = segment_frames().sequence("want." + name.substr(4));
    CHECK(((frame->ol_flags & kNeedsSegment) != 0) == (expected.size() > 1));
    check_same(cut(pool, frame), expected);
    ++checked;
  }
  CHECK(checked >= 12);
}

TEST_CASE("where a device says a mean, segments are no longer than they were") {
  const MbufPool pool(1023, 2048 + RTE_PKTMBUF_HEADROOM);
  for (const std::string& name : plain_tcp()) {
    const auto expected = segment_frames().sequence("want." + name.substr(4));
    if (expected.size() == 1) continue;
    CAPTURE(name);
    const auto bytes = static_cast<uint32_t>(segment_frames()[name].size());
    const auto count = static_cast<uint32_t>(expected.size());
    rte_mbuf* frame = merged(pool, name, RTE_MBUF_F_RX_LRO, bytes / count);
    REQUIRE(taken(frame, kMtu, LroSays::mean));
    const auto got = cut(pool, frame);
    CHECK(got.size() == expected.size());
    for (const Bytes& segment : got) CHECK(segment.size() <= expected.front().size());
    // Nothing but full segments: the mean gives them back.
    if (expected.back().size() == expected.front().size()) check_same(got, expected);
  }
}

TEST_CASE("a frame longer than the MTU was merged, said or not") {
  const MbufPool pool(1023, 2048 + RTE_PKTMBUF_HEADROOM);
  const std::string name = "cut.vlan.6.tcp.2047-by-1023";
  const Bytes& bytes = segment_frames()[name];
  const uint32_t headers = 40 + (bytes.at(written_intent(name).csum_start + 12U) >> 4) * 4U;
  for (const auto& [flags, says] :
       {std::pair<uint64_t, uint32_t>{0, 0}, {RTE_MBUF_F_RX_LRO, 0}, {RTE_MBUF_F_RX_LRO, 2000}}) {
    CAPTURE(flags, says);
    rte_mbuf* frame = merged(pool, name, flags, says);
    REQUIRE(taken(frame));
    REQUIRE((frame->ol_flags & kNeedsSegment) != 0);
    CHECK(intent_of(frame).gso_size + headers == kMtu);
    rte_pktmbuf_free(frame);
  }
  rte_mbuf* stale = merged(pool, name, RTE_MBUF_F_RX_LRO, 33);
  REQUIRE(taken(stale, kMtu, LroSays::nothing));
  CHECK(intent_of(stale).gso_size + headers == kMtu);
  rte_pktmbuf_free(stale);
  // Others stay as they are.
  rte_mbuf* frame = merged(pool, name, 0, 0);
  REQUIRE(taken(frame, 9000));
  CHECK_FALSE(has_intent(frame));
  CHECK(to_bytes(frame) == bytes);
  rte_pktmbuf_free(frame);
}

TEST_CASE("what can't have been merged, or came wrong, is dropped") {
  const MbufPool pool(1023, 2048 + RTE_PKTMBUF_HEADROOM);
  const std::string tcp = segment_frames().names("cut.plain.4.tcp.").front();
  const auto refused = [&](const std::string& name, uint64_t flags, size_t spoilt = 0) {
    rte_mbuf* frame = merged(pool, name, flags, 100);
    if (spoilt != 0) rte_pktmbuf_mtod(frame, uint8_t*)[spoilt] ^= 1;
    const bool kept = taken(frame);
    if (kept) rte_pktmbuf_free(frame);
    return !kept;
  };
  const unsigned buffers = pool.available();
  CHECK(refused(tcp, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_BAD));
  CHECK(refused(tcp, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_IP_CKSUM_BAD));
  CHECK(refused(tcp, RTE_MBUF_F_RX_LRO, 17));  // the IP length
  CHECK(refused(tcp, RTE_MBUF_F_RX_LRO, 21));  // a fragment
  CHECK(refused(tcp, RTE_MBUF_F_RX_LRO, 23));  // another protocol
  for (const char* prefix : {"cut.plain.4.udp", "cut.vxlan.4.4.tcp", "cut.gre.6.6.tcp"}) {
    CHECK(refused(segment_frames().names(prefix).front(), RTE_MBUF_F_RX_LRO));
  }
  CHECK_FALSE(refused(tcp, RTE_MBUF_F_RX_LRO));
  CHECK(pool.available() == buffers);
}

TEST_CASE("a checksum that the device vouches for and left unfinished is finished on the way out") {
  const MbufPool pool(1023, 2048 + RTE_PKTMBUF_HEADROOM);
  size_t checked = 0;
  for (const std::string& name : segment_frames().names("whole.")) {
    if (!name.starts_with("whole.plain.") && !name.starts_with("whole.vlan.")) continue;
    CAPTURE(name);
    rte_mbuf* frame = merged(pool, name, RTE_MBUF_F_RX_L4_CKSUM_NONE, 0);
    REQUIRE(taken(frame));
    CHECK((frame->ol_flags & kIntentFlags) == kNeedsChecksum);
    check_same(cut(pool, frame), {segment_frames()["done." + name.substr(6)]});
    ++checked;
  }
  CHECK(checked == 8);
}

TEST_CASE("LRO is asked for by name, and what it needs is named") {
  rte_eth_dev_info info{};
  info.driver_name = "net_test";
  info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
  constexpr uint64_t kBoth = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
  CHECK((choose_offloads(info, {}).rx & kBoth) == 0);
  const OffloadSettings on{.lro = Toggle::on};
  CHECK((choose_offloads(info, on).rx & kBoth) == kBoth);
  CHECK(choose_offloads(info, on).lro);
  CHECK(choose_offloads(info, on).lro_says == LroSays::length);
  info.driver_name = "mlx5_pci";
  CHECK(choose_offloads(info, on).lro_says == LroSays::mean);
  info.driver_name = "net_bnxt";
  CHECK(choose_offloads(info, on).lro_says == LroSays::nothing);
  info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_TCP_LRO;
  CHECK(choose_offloads(info, on).error == "offloads.lro: the device lacks RTE_ETH_RX_OFFLOAD_SCATTER");
  info.rx_offload_capa = 0;
  CHECK(choose_offloads(info, on).error ==
        "offloads.lro: the device lacks RTE_ETH_RX_OFFLOAD_TCP_LRO, RTE_ETH_RX_OFFLOAD_SCATTER");
  CHECK(choose_offloads(info, {.checksum = Toggle::off, .lro = Toggle::on}).error ==
        "offloads.lro: needs offloads.checksum, which is off");
}
