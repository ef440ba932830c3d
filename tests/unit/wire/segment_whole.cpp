// Frames that want a checksum, or one mbuf, and no cutting.
#include "tests/unit/wire/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const std::vector<std::vector<uint16_t>> kChains = {{}, {301, 1, 640}, {20, 9, 33, 64, 7, 501}, {13, 101}};

Bytes done(const std::string& whole) { return segment_frames()["done." + whole.substr(6)]; }

}  // namespace

TEST_CASE("every unfinished frame gets scapy's checksums, inner and outer") {
  MbufPool frames;
  MbufPool pieces(1023, 0);
  for (const std::string& name : segment_frames().names("whole.")) {
    for (size_t i = 0; i < kChains.size(); ++i) {
      for (const bool chains : {true, false}) {
        CAPTURE(name, i, chains);
        TxCapabilities caps;
        caps.multi_segment = chains;
        DropReason reason = DropReason::none;
        rte_mbuf* frame = unfinished(frames, name, kChains[i]);
        CHECK_FALSE(port_takes(frame, caps));
        check_same(segmented(frame, caps, {frames, pieces}, 4, reason), {done(name)});
        CHECK(reason == DropReason::none);
      }
    }
  }
}

TEST_CASE("UDP checksums that come out as 0 go out as 0xffff (RFC 768)") {
  for (const std::string name : {"whole.zero-sum.plain", "whole.zero-sum.vxlan"}) {
    const Bytes expected = done(name);
    const size_t at = segment_frames().number(name, "csum_start") + 6;
    CHECK(expected[at] == 0xff);
    CHECK(expected[at + 1] == 0xff);
  }
}

TEST_CASE("a checksum is completed in place where the frame is ours") {
  MbufPool frames(7);
  rte_mbuf* frame = unfinished(frames, "whole.geneve.4.4.tcp");
  Segmenter segmenter;
  REQUIRE(segmenter.begin(frame, only_chains(), {frames, frames}) == DropReason::none);
  CHECK(frames.available() == 6);
  rte_mbuf* out = nullptr;
  DropReason reason = DropReason::none;
  REQUIRE(segmenter.next(&out, 1, reason) == 1);
  CHECK(out == frame);
  CHECK_FALSE(segmenter.pending());
  rte_pktmbuf_free(out);
}

TEST_CASE("a shared frame keeps its bytes and its Intent for the others who hold it") {
  MbufPool frames;
  for (const std::string name : {"whole.vxlan-sum.6.4.udp", "whole.plain.6.tcp", "whole.q-in-q"}) {
    for (const bool chains : {true, false}) {
      for (const bool cloned : {true, false}) {
        CAPTURE(name, chains, cloned);
        TxCapabilities caps;
        caps.multi_segment = chains;
        DropReason reason = DropReason::none;
        rte_mbuf* frame = unfinished(frames, name);
        rte_mbuf* other = frame;
        if (cloned) {
          other = rte_pktmbuf_clone(frame, frames);
          set_intent(other, written_intent(name), kNeedsChecksum);
        } else {
          rte_pktmbuf_refcnt_update(frame, 1);
        }
        check_same(segmented(other, caps, {frames, frames}, 4, reason), {done(name)});
        CHECK(to_bytes(frame) == segment_frames()[name]);
        CHECK(has_intent(frame));
        check_same(segmented(frame, caps, {frames, frames}, 4, reason), {done(name)});
      }
    }
  }
}

TEST_CASE("without a buffer for a shared frame's headers it is dropped, the original kept") {
  MbufPool frames(7);
  MbufPool one(1);
  rte_mbuf* frame = unfinished(frames, "whole.plain.4.tcp");
  rte_pktmbuf_refcnt_update(frame, 2);
  DropReason reason = DropReason::none;
  CHECK(segmented(frame, only_chains(), {one, one}, 4, reason).empty());  // headers fit, the payload's mbuf is missing
  CHECK(reason == DropReason::mbuf_alloc);
  rte_mbuf* last = rte_pktmbuf_alloc(one);
  CHECK(segmented(frame, only_chains(), {one, frames}, 4, reason).empty());
  CHECK(reason == DropReason::mbuf_alloc);
  rte_pktmbuf_free(last);
  CHECK(to_bytes(frame) == segment_frames()["whole.plain.4.tcp"]);
  rte_pktmbuf_free(frame);
}

TEST_CASE("finished chains are put into one mbuf for a port that takes no others") {
  MbufPool frames;
  Bytes bytes(1500);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  TxCapabilities caps;
  rte_mbuf* frame = to_mbuf(frames, bytes, {100, 77});
  CHECK_FALSE(port_takes(frame, caps));
  CHECK(port_takes(frame, only_chains()));
  rte_pktmbuf_refcnt_update(frame, 1);
  DropReason reason = DropReason::none;
  check_same(segmented(frame, caps, {frames, frames}, 4, reason), {bytes});
  check_same(segmented(frame, caps, {frames, frames}, 4, reason), {bytes});
  bytes.resize(4000);
  CHECK(segmented(to_mbuf(frames, bytes), caps, {frames, frames}, 4, reason).empty());
  CHECK(reason == DropReason::too_big);
}

TEST_CASE("an Intent that points outside the frame or its outer headers is dropped as segment_failed") {
  MbufPool frames;
  const std::string name = "whole.vxlan-sum.4.4.udp";
  const auto outcome = [&](auto change) {
    Intent intent = written_intent(name);
    change(intent);
    rte_mbuf* m = to_mbuf(frames, segment_frames()[name]);
    set_intent(m, intent, kNeedsChecksum);
    DropReason reason = DropReason::none;
    segmented(m, only_chains(), {frames, frames}, 4, reason);
    return reason;
  };
  CHECK(outcome([](Intent&) {}) == DropReason::none);
  CHECK(outcome([](Intent& i) { i.csum_start = 0xffff; }) == DropReason::segment_failed);
  CHECK(outcome([&](Intent& i) {
          i.csum_start = static_cast<uint16_t>(segment_frames()[name].size() - i.csum_offset - 1);
        }) == DropReason::segment_failed);
  CHECK(outcome([](Intent& i) { i.csum_start = 49; }) == DropReason::segment_failed);  // inside the outer headers
  CHECK(outcome([](Intent& i) { ++i.csum_start; }) == DropReason::segment_failed);     // odd
  CHECK(outcome([](Intent& i) { i.tunnel_bytes = 41; }) == DropReason::segment_failed);
}

TEST_CASE("what a port can do is left to it") {
  MbufPool frames;
  const auto takes = [&](const std::string& name, auto allow) {
    TxCapabilities caps = only_chains();
    allow(caps);
    rte_mbuf* m = unfinished(frames, name, {1000});
    const bool answer = port_takes(m, caps);
    rte_pktmbuf_free(m);
    return answer;
  };
  const auto can = [](uint8_t bits, Outer outer = Outer::none) {
    return [=](TxCapabilities& caps) { caps.add(outer, bits); };
  };
  using Can = TxCapabilities;
  CHECK(takes("whole.plain.4.tcp", can(Can::kChecksum)));
  CHECK_FALSE(takes("whole.plain.4.tcp", can(Can::kTcp | Can::kUdp | Can::kOuterChecksum)));
  CHECK(takes("cut.q-in-q", can(Can::kTcp4)));
  CHECK_FALSE(takes("cut.q-in-q", can(Can::kTcp6 | Can::kUdp | Can::kChecksum)));
  CHECK(takes("cut.extension-headers", can(Can::kTcp6)));
  CHECK(takes("cut.q-in-q-6-udp", can(Can::kUdp6)));
  CHECK_FALSE(takes("cut.big-geneve", can(0xff)));
  CHECK_FALSE(takes("whole.vxlan.4.4.tcp", can(0xff)));
  // VXLAN is not GENEVE, IPv4 outside is not IPv6, and an outer checksum is one thing more.
  CHECK(takes("whole.vxlan.4.4.tcp", can(Can::kChecksum, Outer::vxlan4)));
  CHECK(takes("cut.geneve.6.4.tcp.1001-by-250", can(Can::kTcp4, Outer::geneve6)));
  for (const Outer other : {Outer::geneve4, Outer::vxlan6, Outer::gre6, Outer::other, Outer::none}) {
    CHECK_FALSE(takes("cut.geneve.6.4.tcp.1001-by-250", can(0xff, other)));
  }
  CHECK_FALSE(takes("cut.vxlan-sum.4.6.udp.1001-by-250", can(Can::kUdp6, Outer::vxlan4)));
  CHECK(takes("cut.vxlan-sum.4.6.udp.1001-by-250", can(Can::kUdp6 | Can::kOuterChecksum, Outer::vxlan4)));
  CHECK(takes("cut.outer-tag-gre", can(0xff, Outer::gre4)));
  CHECK_FALSE(takes("cut.outer-tag-gre", can(0xdf, Outer::gre4)));
}
