// What kernel ports make of what they read: frames over 64 KB, which cut once more must be what scapy makes of the
// whole, and checksums that nobody else would fill.
#include "pmd/kernel/big_tcp.h"

#include "pmd/kernel/kernel_queue.h"
#include "tests/unit/wire/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

VnetHeader vnet_header(const std::string& name) {
  VnetHeader header;
  header.flags = kVnetNeedsChecksum;
  header.gso_type = segment_frames().number(name, "v4") != 0 ? kVnetGsoTcp4 : kVnetGsoTcp6;
  header.gso_size = static_cast<uint16_t>(segment_frames().number(name, "gso_size"));
  header.csum_start = static_cast<uint16_t>(segment_frames().number(name, "csum_start"));
  header.csum_offset = 16;
  return header;
}

// A frame whose bytes come in one read: the first as a chain, the others behind it.
Pieces split(rte_mempool* pool, const Bytes& bytes, const VnetHeader& header, size_t chain_bytes) {
  const Bytes first(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(chain_bytes));
  return split_big_tcp(to_mbuf(pool, first, {2048}), std::span(bytes).subspan(chain_bytes), header, 0, pool);
}

// That of a frame with its Intent.
VnetHeader intent_header(const std::string& name) {
  const Intent intent = written_intent(name);
  VnetHeader header;
  header.flags = kVnetNeedsChecksum;
  header.gso_type = intent.gso_type == GsoType::tcp4   ? kVnetGsoTcp4
                    : intent.gso_type == GsoType::tcp6 ? kVnetGsoTcp6
                                                       : kVnetGsoUdp;
  header.gso_size = intent.gso_size;
  header.csum_start = intent.csum_start;
  header.csum_offset = intent.csum_offset;
  return header;
}

// Hands over one frame, so many times, then nothing.
struct OneRead {
  std::string name;
  int times = 1;
  VnetHeader header = name.starts_with("many.") ? intent_header(name) : vnet_header(name);
  int reads = 0;

  ReadResult operator()(iovec* iov, int count) {
    if (reads++ >= times) {
      errno = EAGAIN;
      return ReadResult{-1};
    }
    const Bytes& bytes = segment_frames()[name];
    std::memcpy(iov[0].iov_base, &header, kVnetBytes);
    size_t done = 0;
    for (int i = 1; i < count && done < bytes.size(); ++i) {
      const size_t part = std::min(iov[i].iov_len, bytes.size() - done);
      std::memcpy(iov[i].iov_base, bytes.data() + done, part);
      done += part;
    }
    REQUIRE(done == bytes.size());
    return ReadResult{static_cast<ssize_t>(kVnetBytes + bytes.size())};
  }
};

// All that a queue hands over, burst by burst: a turn's worth each.
std::vector<rte_mbuf*> all_of(KernelRxQueue& queue, OneRead& read) {
  std::vector<rte_mbuf*> frames;
  std::array<rte_mbuf*, 32> burst{};
  while (const uint16_t count = receive_burst(queue, burst.data(), 32, read)) {
    Turn before_the_last(TurnLength::kMost);
    for (uint16_t i = 0; i + 1 < count; ++i) before_the_last.add(burst[i]);
    CHECK_FALSE(before_the_last.over());
    frames.insert(frames.end(), burst.begin(), burst.begin() + count);
  }
  return frames;
}

std::vector<Bytes> cut(const std::vector<rte_mbuf*>& pieces, rte_mempool* pool) {
  std::vector<Bytes> segments;
  for (rte_mbuf* piece : pieces) {
    DropReason reason = DropReason::none;
    for (Bytes& segment : segmented(piece, only_chains(), {pool, pool}, 64, reason)) {
      segments.push_back(std::move(segment));
    }
    CHECK(reason == DropReason::none);
  }
  return segments;
}

}  // namespace

TEST_CASE("every frame over 64 KB becomes super-packets of less, and those scapy's segments") {
  MbufPool frames(8191);
  for (const std::string& name : segment_frames().names("jumbo.")) {
    CAPTURE(name);
    KernelRxQueue queue(-1, frames, kVnetBytes);
    OneRead read{name};
    const std::vector<rte_mbuf*> pieces = all_of(queue, read);
    CHECK(pieces.size() >= 2);
    for (const rte_mbuf* piece : pieces) CHECK(piece->pkt_len <= 65000);
    check_same(cut(pieces, frames), segment_frames().sequence("pieces." + name.substr(6)));
  }
}

TEST_CASE("what has very many segments comes in pieces of a turn each, and those are scapy's segments") {
  MbufPool frames(2047);
  for (const char* name : {"4", "6", "4-udp", "6-udp"}) {
    CAPTURE(name);
    KernelRxQueue queue(-1, frames, kVnetBytes);
    OneRead read{std::string("many.") + name};
    const std::vector<rte_mbuf*> pieces = all_of(queue, read);
    const std::vector<Bytes> segments = segment_frames().sequence(std::string("apart.") + name);
    REQUIRE(segments.size() > kMostWholeSegments);
    CHECK(pieces.size() == (segments.size() + kPieceSegments - 1) / kPieceSegments);
    check_same(cut(pieces, frames), segments);
  }
}

TEST_CASE("a turn ends with the super-packet whose segments fill it") {
  MbufPool frames(1023);
  const auto burst_of = [&frames](const std::string& name, uint16_t gso_size) {
    KernelRxQueue queue(-1, frames, kVnetBytes);
    while (queue.turn_length.segments() != TurnLength::kLeast) queue.turn_length.begin(rte_get_tsc_hz());
    OneRead read{name, 8};
    read.header.gso_size = gso_size;
    std::array<rte_mbuf*, 8> burst{};
    const uint16_t count = receive_burst(queue, burst.data(), 8, read);
    CHECK(queue.turn_length.measures() == (gso_size < 1000));
    rte_pktmbuf_free_bulk(burst.data(), count);
    return count;
  };
  CHECK(burst_of("many.few", 2000) == 8);  // one segment each: nothing to cut
  CHECK(burst_of("many.few", 500) == 3);   // 3 segments each, with TCP's header, which counts
  CHECK(burst_of("many.few", 100) == 1);   // 11
  CHECK(burst_of("many.few", 20) == 1);    // nobody is going to cut it
}

TEST_CASE("turns are shorter where they take long, and longer where they don't") {
  constexpr uint64_t kMicrosecond = 1000;
  TurnLength length(1'000'000 * kMicrosecond);
  const auto took = [&length](uint64_t us) {
    CHECK_FALSE(length.measures());
    length.end(7);
    CHECK(length.measures());
    length.begin(7 + us * kMicrosecond);
    return length.segments();
  };
  CHECK(length.segments() == 128);
  CHECK(took(99) == 128);
  CHECK(took(250) == 128);
  CHECK(took(251) == 64);
  CHECK(took(5000) == 32);
  CHECK(took(251) == 16);
  CHECK(took(251) == 8);
  CHECK(took(251) == 8);
  CHECK(took(100) == 8);
  CHECK(took(99) == 16);
}

TEST_CASE("what nobody is going to cut is parted by nobody") {
  MbufPool frames(1023);
  for (const auto& [name, gso_size] : {std::pair{"many.4", 87}, {"many.4-udp", 9}, {"many.own-tunnel", 99}}) {
    CAPTURE(name);
    KernelRxQueue queue(-1, frames, kVnetBytes);
    OneRead read{name};
    read.header.gso_size = static_cast<uint16_t>(gso_size);
    const std::vector<rte_mbuf*> whole = all_of(queue, read);
    REQUIRE(whole.size() == 1);
    CHECK_FALSE(has_sane_segments(whole.front()));
    rte_pktmbuf_free(whole.front());
    // One byte more a segment, and it is right.
    OneRead right{name};
    const std::vector<rte_mbuf*> pieces = all_of(queue, right);
    for (const rte_mbuf* piece : pieces) CHECK(((piece->ol_flags & kNeedsSegment) == 0 || has_sane_segments(piece)));
    check_same(cut(pieces, frames), segment_frames().sequence("apart." + std::string(name).substr(5)));
  }
  // Trailing bytes are none of the packet's: as a whole it dies.
  KernelRxQueue queue(-1, frames, kVnetBytes);
  rte_mbuf* padded = unfinished(frames, "many.6-udp");
  REQUIRE(rte_pktmbuf_append(rte_pktmbuf_lastseg(padded), 1) != nullptr);
  ++padded->pkt_len;
  CHECK_FALSE(queue.part(padded));
  rte_pktmbuf_free(padded);
  // No buffers: nothing is left behind.
  MbufPool few(40);
  {
    KernelRxQueue poor(-1, few, kVnetBytes);
    OneRead read{"many.4"};
    CHECK(all_of(poor, read).empty());
    CHECK(poor.errors.get() == 1);
  }
}

TEST_CASE("what can't be cut, or finds no buffers, leaves none behind") {
  MbufPool frames(1023);
  const Bytes& bytes = segment_frames()["jumbo.6"];
  const VnetHeader good = vnet_header("jumbo.6");
  const auto count = [&](auto change) {
    VnetHeader header = good;
    change(header);
    return split(frames, bytes, header, 65557).count;
  };
  CHECK(count([](VnetHeader& h) { h.gso_size = 0; }) == 0);
  CHECK(count([](VnetHeader& h) { h.gso_size = 65100; }) == 0);
  CHECK(count([](VnetHeader& h) { h.gso_type = kVnetGsoUdp; }) == 0);
  CHECK(count([](VnetHeader& h) { h.flags = 0; }) == 0);
  CHECK(count([](VnetHeader& h) { h.csum_start = 40; }) == 0);
  CHECK(count([](VnetHeader& h) { h.csum_start = 0xfff0; }) == 0);
  CHECK(frames.available() == 1023);
  MbufPool few(40);
  CHECK(split(few, bytes, good, 65557).count == 0);
  CHECK(few.available() == 40);
}

TEST_CASE("a burst hands over what it has room for, and the rest the next time") {
  MbufPool frames(2047);
  const std::string name = "jumbo.6-longest";
  {
    KernelRxQueue queue(-1, frames, kVnetBytes);
    OneRead read{name};
    std::array<rte_mbuf*, 4> burst{};
    uint32_t total = 0;
    int bursts = 0;
    for (; const uint16_t count = receive_burst(queue, burst.data(), 4, read); ++bursts) {
      for (uint16_t i = 0; i < count; ++i) total += burst[i]->pkt_len - 86;
      rte_pktmbuf_free_bulk(burst.data(), count);
    }
    CHECK(bursts >= 3);  // 9 pieces
    CHECK(total == 524180);
    CHECK(receive_burst(queue, burst.data(), 4, read) == 0);
    CHECK(queue.errors.get() == 0);
    // Its end finds pieces that nobody has fetched.
    read.reads = 0;
    REQUIRE(receive_burst(queue, burst.data(), 1, read) == 1);
    rte_pktmbuf_free(burst[0]);
  }
}

TEST_CASE("SCTP's checksum is complete as soon as the frame is in") {
  MbufPool frames(255);
  for (const std::string& name : segment_frames().names("sctp.")) {
    for (const std::vector<uint16_t>& chain : {std::vector<uint16_t>{}, {150, 77, 301}}) {
      CAPTURE(name, chain);
      rte_mbuf* frame = to_mbuf(frames, segment_frames()[name], chain);
      VnetHeader header;
      header.flags = kVnetNeedsChecksum;
      header.csum_start = static_cast<uint16_t>(segment_frames().number(name, "csum_start"));
      header.csum_offset = 8;
      CHECK(apply_vnet_header(header, 0, frame));
      CHECK_FALSE(has_intent(frame));
      CHECK(to_hex(to_bytes(frame)) == to_hex(segment_frames()["summed." + name.substr(5)]));
      rte_pktmbuf_free(frame);
    }
  }
}

TEST_CASE("a checksum at SCTP's offset in something else is left to who knows it") {
  MbufPool frames(255);
  Bytes bytes = segment_frames()["sctp.4"];
  bytes.at(14 + 9) = 253;  // RFC 3692: for experiments
  rte_mbuf* frame = to_mbuf(frames, bytes);
  VnetHeader header;
  header.flags = kVnetNeedsChecksum;
  header.csum_start = 34;
  header.csum_offset = 8;
  CHECK(apply_vnet_header(header, 0, frame));
  CHECK(intent_of(frame).csum_offset == 8);
  CHECK(to_bytes(frame) == bytes);
  rte_pktmbuf_free(frame);
}
