// Super-packets cut in software, byte for byte against scapy.
#include <random>

#include "tests/unit/wire/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

std::string wanted(const std::string& cut) { return "want." + cut.substr(4); }

const std::vector<std::vector<uint16_t>> kChains = {{}, {2048, 77}, {301, 1, 640}, {50, 33, 64, 7, 501}, {13, 101}};

}  // namespace

TEST_CASE("every super-packet becomes scapy's segments, however its mbufs are cut") {
  MbufPool frames(4095);
  MbufPool headers(2047);
  MbufPool pieces(8191, 0);
  const std::vector<std::string> names = segment_frames().names("cut.");
  REQUIRE(names.size() > 150);
  for (const std::string& name : names) {
    const std::vector<Bytes> expected = segment_frames().sequence(wanted(name));
    for (size_t i = 0; i < kChains.size(); ++i) {
      for (const uint16_t room : {uint16_t{1}, uint16_t{3}, uint16_t{800}}) {
        CAPTURE(name, i, room);
        DropReason reason = DropReason::none;
        rte_mbuf* frame = unfinished(frames, name, kChains[i]);
        CHECK_FALSE(port_takes(frame, only_chains()));
        const auto got = segmented(frame, only_chains(), {headers, pieces}, room, reason);
        CHECK(reason == DropReason::none);
        check_same(got, expected);
      }
    }
  }
}

TEST_CASE("a port without chains gets each segment in one mbuf") {
  MbufPool frames(4095);
  for (const std::string& name : segment_frames().names("cut.")) {
    CAPTURE(name);
    DropReason reason = DropReason::none;
    const auto got = segmented(unfinished(frames, name, {77, 501}), {}, {frames, frames}, 64, reason);
    CHECK(reason == DropReason::none);
    check_same(got, segment_frames().sequence(wanted(name)));
  }
}

TEST_CASE("a port that cuts but takes no chains still gets what it can send") {
  MbufPool frames(4095);
  TxCapabilities caps;
  caps.can.fill(0xff);
  const std::string name = "cut.plain.4.tcp.1000-by-250";
  rte_mbuf* frame = unfinished(frames, name, {600, 501});
  CHECK_FALSE(port_takes(frame, caps));
  DropReason reason = DropReason::none;
  check_same(segmented(frame, caps, {frames, frames}, 64, reason), segment_frames().sequence(wanted(name)));
}

TEST_CASE("payload is pointed at, not copied, and outlives the super-packet") {
  MbufPool frames(255);
  MbufPool headers(63);
  MbufPool pieces(63, 0);
  const std::string name = "cut.pointed-at";
  rte_mbuf* frame = unfinished(frames, name);
  const auto* data = rte_pktmbuf_mtod(frame, const uint8_t*);
  Segmenter segmenter;
  REQUIRE(segmenter.begin(frame, only_chains(), {headers, pieces}) == DropReason::none);
  rte_mbuf* out[8];
  DropReason reason = DropReason::none;
  REQUIRE(segmenter.next(out, 8, reason) == 5);
  CHECK_FALSE(segmenter.pending());
  const auto expected = segment_frames().sequence(wanted(name));
  for (size_t i = 0; i < 5; ++i) {
    REQUIRE(out[i]->nb_segs == 2);
    CHECK(rte_pktmbuf_mtod(out[i]->next, const uint8_t*) == data + out[0]->data_len + i * 200);
    CHECK(to_bytes(out[i]) == expected[i]);
  }
  CHECK(frames.available() == 254);
  rte_pktmbuf_free_bulk(out, 5);
}

TEST_CASE("a super-packet that someone else holds too stays as it was") {
  MbufPool frames(255);
  const std::string name = "cut.shared";
  rte_mbuf* frame = unfinished(frames, name, {90, 100});
  rte_mbuf* clone = rte_pktmbuf_clone(frame, frames);
  REQUIRE(clone != nullptr);
  set_intent(clone, written_intent(name), kNeedsChecksum | kNeedsSegment);
  DropReason reason = DropReason::none;
  check_same(segmented(clone, only_chains(), {frames, frames}, 64, reason), segment_frames().sequence(wanted(name)));
  CHECK(to_bytes(frame) == segment_frames()[name]);
  check_same(segmented(frame, only_chains(), {frames, frames}, 64, reason), segment_frames().sequence(wanted(name)));
}

TEST_CASE("exhausted pools: whole segments or nothing, and no mbuf lost") {
  MbufPool frames(255);
  const std::string name = "cut.tags-everywhere";
  const std::vector<Bytes> expected = segment_frames().sequence(wanted(name));
  for (unsigned few = 1; few < 12; ++few) {
    MbufPool headers(few);
    MbufPool pieces(20 - few, 0);
    for (const uint16_t room : {uint16_t{1}, uint16_t{2}, uint16_t{64}}) {
      CAPTURE(few, room);
      Segmenter segmenter;
      rte_mbuf* out[64];
      uint16_t count = 0;
      DropReason reason = segmenter.begin(unfinished(frames, name, {200, 73}), only_chains(), {headers, pieces});
      REQUIRE(reason == DropReason::none);
      while (segmenter.pending()) count = static_cast<uint16_t>(count + segmenter.next(out + count, room, reason));
      CHECK((reason == DropReason::mbuf_alloc) == (count < expected.size()));
      CHECK((few >= expected.size() || reason == DropReason::mbuf_alloc));
      for (uint16_t i = 0; i < count; ++i) CHECK(to_bytes(out[i]) == expected[i]);
      rte_pktmbuf_free_bulk(out, count);
    }
  }
}

TEST_CASE("segments too big for one mbuf are dropped as too big") {
  MbufPool frames(255);
  MbufPool small(255, RTE_PKTMBUF_HEADROOM + 300);
  DropReason reason = DropReason::none;
  CHECK(segmented(unfinished(frames, "cut.plain.4.tcp.1000-by-250"), {}, {small, small}, 8, reason).empty());
  CHECK(reason == DropReason::too_big);
}

TEST_CASE("a super-packet that contradicts itself is dropped as segment_failed") {
  MbufPool frames(255);
  const std::string name = "cut.tags-everywhere";  // 14 + 4 + 40 + 8 + 8 outer, 14 + 8 + 40 + 20 inner
  const Bytes good = segment_frames()[name];
  const Intent good_intent = written_intent(name);
  REQUIRE(good_intent.csum_start == 136);
  REQUIRE(good_intent.tunnel_bytes == 74);
  const auto outcome = [&](const Bytes& bytes, const Intent& intent) {
    rte_mbuf* m = to_mbuf(frames, bytes);
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
    DropReason reason = DropReason::none;
    segmented(m, only_chains(), {frames, frames}, 64, reason);
    return reason;
  };
  const auto with_byte = [&](size_t at, uint8_t value) {
    Bytes bytes = good;
    bytes.at(at) = value;
    return bytes;
  };
  const auto with_intent = [&](auto change) {
    Intent intent = good_intent;
    change(intent);
    return intent;
  };
  CHECK(outcome(good, good_intent) == DropReason::none);

  for (size_t bytes = 0; bytes < good.size(); bytes += bytes < 160 ? 1 : 97) {
    CAPTURE(bytes);
    CHECK(outcome(Bytes(good.begin(), good.begin() + static_cast<long>(bytes)), good_intent) ==
          DropReason::segment_failed);
  }
  Bytes padded = good;
  padded.resize(good.size() + 4);
  CHECK(outcome(padded, good_intent) == DropReason::segment_failed);

  CHECK(outcome(good, with_intent([](Intent& i) { i.gso_size = 0; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.gso_type = GsoType::none; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.gso_type = GsoType::tcp4; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.gso_type = GsoType::udp6; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.csum_offset = 6; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.csum_start += 4; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.csum_start = 0xffff; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.tunnel_bytes = 0; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.tunnel_bytes = 60; })) == DropReason::segment_failed);
  CHECK(outcome(good, with_intent([](Intent& i) { i.tunnel_bytes = 73; })) == DropReason::segment_failed);

  CHECK(outcome(with_byte(18, 0x40), good_intent) == DropReason::segment_failed);           // outer IP version
  CHECK(outcome(with_byte(24, 50), good_intent) == DropReason::segment_failed);             // outer protocol ESP
  CHECK(outcome(with_byte(74 + 20, 0x08), good_intent) == DropReason::segment_failed);      // inner ethertype
  CHECK(outcome(with_byte(136 + 12, 0x40), good_intent) == DropReason::segment_failed);     // TCP header too short
  CHECK(outcome(with_byte(74 + 22 + 4, 0xff), good_intent) == DropReason::segment_failed);  // inner IP length
  CHECK(outcome(with_byte(74 + 22 + 6, 17), good_intent) == DropReason::segment_failed);    // inner is UDP
  CHECK(outcome(with_byte(74 + 22 + 6, 60), good_intent) == DropReason::segment_failed);    // TCP read as options
}

TEST_CASE("no damage to headers or Intent leads outside the frame or loses an mbuf") {
  MbufPool frames(2047);
  std::mt19937 rng(7348);
  const std::vector<std::string> names = segment_frames().names("cut.");
  const auto below = [&rng](size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(rng); };
  for (int turn = 0; turn < 20000; ++turn) {
    const std::string& name = names[below(names.size())];
    Bytes bytes = segment_frames()[name];
    if (bytes.size() > 4000) continue;
    Intent intent = written_intent(name);
    for (size_t flips = below(4); flips > 0; --flips) bytes[below(220) % bytes.size()] = static_cast<uint8_t>(rng());
    if (below(4) == 0) bytes.resize(below(bytes.size()));
    switch (below(8)) {
      case 0:
        intent.csum_start = static_cast<uint16_t>(below(below(2) == 0 ? 300 : 65536));
        break;
      case 1:
        intent.csum_offset = static_cast<uint8_t>(below(256));
        break;
      case 2:
        intent.tunnel_bytes = static_cast<uint8_t>(below(256));
        break;
      case 3:
        intent.gso_size = static_cast<uint16_t>(below(below(2) == 0 ? 40 : 65536));
        break;
      case 4:
        intent.gso_type = static_cast<GsoType>(below(256));
        break;
      default:
        break;
    }
    const std::vector<uint16_t> chain = below(2) == 0 ? std::vector<uint16_t>{} : kChains[1 + below(4)];
    rte_mbuf* m = to_mbuf(frames, bytes, chain);
    set_intent(m, intent, below(2) == 0 ? kNeedsChecksum | kNeedsSegment : kNeedsChecksum);
    TxCapabilities caps;
    caps.multi_segment = below(2) == 0;
    DropReason reason = DropReason::none;
    segmented(m, caps, {frames, frames}, 64, reason);
    REQUIRE((reason == DropReason::none || reason == DropReason::segment_failed || reason == DropReason::too_big ||
             reason == DropReason::mbuf_alloc));
    REQUIRE(frames.available() == 2047);
  }
}
