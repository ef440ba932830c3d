// Checksums against scapy's, in any alignment and any chain.
#include "dataplane/wire/checksum.h"

#include <random>

#include "dataplane/wire/header_at.h"
#include "dataplane/wire/udp.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const Frames& wire_frames() {
  static const Frames frames = Frames::load(WIRE_FRAMES);
  return frames;
}

}  // namespace

TEST_CASE("sums of any length, alignment and chain are scapy's") {
  MbufPool pool(8191);
  const auto names = wire_frames().names("sum.");
  REQUIRE(names.size() > 30);
  for (const std::string& name : names) {
    CAPTURE(name);
    const Bytes& bytes = wire_frames()[name];
    const auto expected = static_cast<uint16_t>(wire_frames().number(name, "checksum"));
    for (size_t misalign = 0; misalign < 8; ++misalign) {
      Bytes moved(misalign, 0xee);
      moved.insert(moved.end(), bytes.begin(), bytes.end());
      moved.push_back(0xee);  // must not be read
      CHECK(checksum_of(sum_bytes(moved.data() + misalign, bytes.size())).get() == expected);
      if (bytes.size() < 8) continue;
      CHECK(checksum_of(sum_frame(moved.data() + misalign, bytes.size(), 0)).get() == expected);
    }
    for (const std::vector<uint16_t>& chain :
         {std::vector<uint16_t>{}, {1, 2, 3, 5, 7, 601}, {31}, {64, 1, 255, 333}}) {
      for (const uint32_t offset : {0U, 1U, 14U, 63U}) {
        Bytes frame(offset, 0xdd);
        frame.insert(frame.end(), bytes.begin(), bytes.end());
        frame.insert(frame.end(), 9, 0xdd);
        rte_mbuf* m = to_mbuf(pool, frame, chain);
        CHECK(checksum_of(sum_chain(m, offset, static_cast<uint32_t>(bytes.size()))).get() == expected);
        rte_pktmbuf_free(m);
      }
    }
  }
}

TEST_CASE("a sum continues another one") {
  const Bytes& bytes = wire_frames()["sum.1448"];
  const uint32_t whole = sum_bytes(bytes.data(), bytes.size());
  for (const size_t cut : {2U, 20U, 1000U, 1446U}) {
    CHECK(sum_bytes(bytes.data() + cut, bytes.size() - cut, sum_bytes(bytes.data(), cut)) == whole);
  }
  const uint32_t front = sum_bytes(bytes.data(), 33);
  CHECK(fold(front + odd_sum(sum_bytes(bytes.data() + 33, bytes.size() - 33))) == whole);
}

TEST_CASE("sums stay right where carries pile up") {
  const Bytes ones(65535, 0xff);
  CHECK(sum_bytes(ones.data(), 65534) == 0xffff);
  CHECK(sum_bytes(ones.data(), 65534, 0xffffffff) == 0xffff);
  CHECK(sum_bytes(ones.data(), 0) == 0);
  CHECK(fold(0) == 0);
  CHECK(fold(0xffff) == 0xffff);
  CHECK(fold(0xffffffff) == 0xffff);
  CHECK(fold(~uint64_t{0}) == 0xffff);
  CHECK(fold(0xffff0001) == 1);
}

TEST_CASE("sum_chain counts nothing beyond the chain's end") {
  MbufPool pool(7);
  rte_mbuf* m = to_mbuf(pool, {1, 2, 3, 4});
  CHECK(sum_chain(m, 0, 100) == sum_chain(m, 0, 4));
  CHECK(sum_chain(m, 4, 100) == 0);
  CHECK(sum_chain(m, 5000, 100) == 0);
  rte_pktmbuf_free(m);
}

TEST_CASE("IPv4 header checksums, with and without options") {
  for (const std::string& name : wire_frames().names("ipv4.")) {
    CAPTURE(name);
    Bytes bytes = wire_frames()[name];
    auto* ip = reinterpret_cast<Ipv4Header*>(bytes.data() + 14);
    const be16 expected = ip->checksum;
    CHECK(ipv4_checksum_valid(*ip));
    CHECK(ipv4_checksum(*ip) == expected);
    ip->checksum = be16(0xabcd);
    CHECK_FALSE(ipv4_checksum_valid(*ip));
    CHECK(ipv4_checksum(*ip) == expected);
    ip->checksum = be16(0);
    CHECK(ipv4_checksum(*ip) == expected);
  }
}

TEST_CASE("UDP checksums over IPv4 and IPv6, whatever the chain") {
  MbufPool pool;
  const auto names = wire_frames().names("udp.");
  REQUIRE(names.size() >= 8);
  for (const std::string& name : names) {
    for (const std::vector<uint16_t>& chain : {std::vector<uint16_t>{}, {80}, {90, 7, 1, 33}, {101}}) {
      CAPTURE(name, chain.size());
      const auto l3 = static_cast<uint32_t>(wire_frames().number(name, "l3"));
      const auto l4 = static_cast<uint32_t>(wire_frames().number(name, "l4"));
      rte_mbuf* m = to_mbuf(pool, wire_frames()[name], chain);
      auto* udp = writable_header_at<UdpHeader>(m, l4);
      REQUIRE(udp != nullptr);
      const be16 expected = udp->checksum;
      CHECK(udp_checksum_valid(m, l3));
      CHECK(udp_checksum_over(m, l3) == expected);
      for (const uint16_t other : {uint16_t{0}, uint16_t{1}, uint16_t{0xffff}}) {
        if (be16(other) == expected) continue;
        udp->checksum = be16(other);
        CHECK_FALSE(udp_checksum_valid(m, l3));
        CHECK(udp_checksum_over(m, l3) == expected);
      }
      rte_pktmbuf_free(m);
    }
  }
}

TEST_CASE("an updated checksum is the one computed anew (RFC 1624)") {
  std::mt19937 rng(1624);
  Bytes bytes = wire_frames()["ipv4.plain"];
  auto* ip = reinterpret_cast<Ipv4Header*>(bytes.data() + 14);
  for (int turn = 0; turn < 20000; ++turn) {
    const be16 length(static_cast<uint16_t>(turn < 4 ? turn * 0x5555 : rng()));
    const be32 source(turn < 4 ? 0xffffffff * static_cast<uint32_t>(turn & 1) : static_cast<uint32_t>(rng()));
    be16 updated = update_checksum(ip->checksum, ip->total_bytes, length);
    updated = update_checksum(updated, ip->source, source);
    ip->total_bytes = length;
    ip->source = source;
    ip->checksum = ipv4_checksum(*ip);
    REQUIRE(updated == ip->checksum);
  }
}
