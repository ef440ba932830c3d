// What kernel ports make of what they read: frames over 64 KB, which cut once more must be what scapy makes of the
// whole, and checksums that nobody else would fill.
#include "pmd/big_tcp.h"

#include "pmd/kernel_queue.h"
#include "tests/unit/segment_support.h"

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
BigTcpPieces split(rte_mempool* pool, const Bytes& bytes, const VnetHeader& header, size_t chain_bytes) {
  const Bytes first(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(chain_bytes));
  return split_big_tcp(to_mbuf(pool, first, {2048}), std::span(bytes).subspan(chain_bytes), header, 0, pool);
}

// Hands over one frame, then nothing.
struct OneRead {
  std::string name;
  int reads = 0;

  ReadResult operator()(iovec* iov, int count) {
    if (reads++ != 0) {
      errno = EAGAIN;
      return ReadResult{-1};
    }
    const Bytes& bytes = segment_frames()[name];
    const VnetHeader header = vnet_header(name);
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

}  // namespace

TEST_CASE("every frame over 64 KB becomes super-packets of less, and those scapy's segments") {
  MbufPool frames(8191);
  for (const std::string& name : segment_frames().names("jumbo.")) {
    CAPTURE(name);
    KernelRxQueue queue(-1, frames, kVnetBytes);
    std::array<rte_mbuf*, 32> pieces{};
    const uint16_t count = receive_burst(queue, pieces.data(), 32, OneRead{name});
    REQUIRE(count >= 2);
    std::vector<Bytes> got;
    for (uint16_t i = 0; i < count; ++i) {
      CHECK(pieces[i]->pkt_len <= 65000);
      CHECK(intent_of(pieces[i]).outer() == Outer::none);
      DropReason reason = DropReason::none;
      for (Bytes& segment : segmented(pieces[i], only_chains(), {frames, frames}, 64, reason)) {
        got.push_back(std::move(segment));
      }
      CHECK(reason == DropReason::none);
    }
    check_same(got, segment_frames().sequence("pieces." + name.substr(6)));
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
    for (const uint16_t wanted : {4, 4, 1}) {
      REQUIRE(receive_burst(queue, burst.data(), 4, read) == wanted);
      for (uint16_t i = 0; i < wanted; ++i) total += burst[i]->pkt_len - 86;
      rte_pktmbuf_free_bulk(burst.data(), wanted);
    }
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
