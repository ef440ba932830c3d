#include "dataplane/wire/checksum.h"

#include <algorithm>

#include "dataplane/wire/udp.h"

namespace causeway {

namespace {

uint64_t load64(const uint8_t* bytes) noexcept {
  uint64_t word = 0;
  std::memcpy(&word, bytes, 8);
  return word;
}

// Sum of the datagram and its pseudo-header, checksum field included.
uint32_t udp_sum(const rte_mbuf* m, uint32_t l3_offset) noexcept {
  const auto* ip = rte_pktmbuf_mtod_offset(m, const Ipv4Header*, l3_offset);
  const bool v4 = ip->version() == 4;
  const uint32_t l4_offset = l3_offset + (v4 ? ip->header_bytes() : sizeof(Ipv6Header));
  const uint32_t bytes = rte_pktmbuf_mtod_offset(m, const UdpHeader*, l4_offset)->length_bytes.get();
  const uint32_t pseudo =
      v4 ? pseudo_header_sum(*ip, kIpProtocolUdp, bytes)
         : pseudo_header_sum(*rte_pktmbuf_mtod_offset(m, const Ipv6Header*, l3_offset), kIpProtocolUdp, bytes);
  return sum_chain(m, l4_offset, bytes, pseudo);
}

}  // namespace

uint32_t sum_bytes(const void* bytes, size_t count, uint32_t initial) noexcept {
  const auto* at = static_cast<const uint8_t*>(bytes);
  // Carries out of 64 bits come back in at the low end, which is one's complement addition; four chains,
  // so that they don't wait for each other.
  uint64_t sums[4] = {initial, 0, 0, 0};
  const auto add = [&sums](size_t chain, uint64_t word) {
    uint64_t& sum = sums[chain];
    sum += word;
    sum += sum < word;
  };
  for (; count >= 32; count -= 32, at += 32) {
    add(0, load64(at));
    add(1, load64(at + 8));
    add(2, load64(at + 16));
    add(3, load64(at + 24));
  }
  for (; count >= 8; count -= 8, at += 8) add(0, load64(at));
  if (count != 0) {
    uint64_t rest = 0;
    std::memcpy(&rest, at, count);
    add(1, rest);
  }
  add(0, sums[1]);
  add(2, sums[3]);
  add(0, sums[2]);
  return fold(sums[0]);
}

uint32_t sum_chain(const rte_mbuf* m, uint32_t offset, uint32_t count, uint32_t initial) noexcept {
  uint32_t sum = initial;
  bool odd = false;  // the bytes summed so far
  for (; m != nullptr && count != 0; m = m->next) {
    const uint32_t length = rte_pktmbuf_data_len(m);
    if (offset >= length) {
      offset -= length;
      continue;
    }
    const uint32_t bytes = std::min(count, length - offset);
    const uint32_t part = sum_bytes(rte_pktmbuf_mtod_offset(m, const uint8_t*, offset), bytes);
    sum = fold(uint64_t{sum} + (odd ? odd_sum(part) : part));
    odd ^= (bytes & 1) != 0;
    count -= bytes;
    offset = 0;
  }
  return fold(sum);
}

be16 udp_checksum_over(const rte_mbuf* m, uint32_t l3_offset) noexcept {
  const auto* ip = rte_pktmbuf_mtod_offset(m, const Ipv4Header*, l3_offset);
  const uint32_t l4_offset = l3_offset + (ip->version() == 4 ? ip->header_bytes() : sizeof(Ipv6Header));
  const be16 present = rte_pktmbuf_mtod_offset(m, const UdpHeader*, l4_offset)->checksum;
  return udp_checksum_of(udp_sum(m, l3_offset) + static_cast<uint16_t>(~present.raw()));
}

bool udp_checksum_valid(const rte_mbuf* m, uint32_t l3_offset) noexcept {
  return fold(udp_sum(m, l3_offset)) == 0xffff;
}

}  // namespace causeway
