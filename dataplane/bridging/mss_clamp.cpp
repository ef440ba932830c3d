#include "dataplane/bridging/mss_clamp.h"

#include "dataplane/frame/intent.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"

namespace causeway {
namespace {

// Where a TCP header stands and how large its segments may be; `mss` 0: not for us.
struct Segment {
  uint32_t tcp_offset = 0;
  uint16_t mss = 0;
};

Segment find_tcp(const rte_mbuf* m, const MssLimit& limit) noexcept {
  const auto [ethertype, offset] = behind_tags(m);
  const auto less_tags = [tags = offset - kEthernetBytes](uint16_t mss) {
    return static_cast<uint16_t>(mss > tags ? mss - tags : 0);
  };
  if (ethertype == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(m, offset);
    if (ip == nullptr || ip->protocol != kIpProtocolTcp || ip->is_fragment()) return {};
    return {offset + ip->header_bytes(), less_tags(limit.ipv4)};
  }
  if (ethertype == kEtherTypeIpv6) {
    const auto* ip = header_at<Ipv6Header>(m, offset);
    if (ip == nullptr || ip->next_header != kIpProtocolTcp) return {};
    return {offset + static_cast<uint32_t>(sizeof(Ipv6Header)), less_tags(limit.ipv6)};
  }
  return {};
}

}  // namespace

void clamp_mss(rte_mbuf* m, const MssLimit& limit) noexcept {
  const Segment segment = find_tcp(m, limit);
  if (segment.mss == 0) return;
  auto* tcp = writable_header_at<TcpHeader>(m, segment.tcp_offset);
  if (tcp == nullptr || (tcp->flags & kTcpSyn) == 0) [[likely]] {
    return;
  }
  const uint32_t end = segment.tcp_offset + tcp->header_bytes();
  if (end > rte_pktmbuf_data_len(m)) return;
  const auto* bytes = rte_pktmbuf_mtod(m, const uint8_t*);
  constexpr uint8_t kMssOptionBytes = 4;
  for (uint32_t at = segment.tcp_offset + static_cast<uint32_t>(sizeof(TcpHeader)); at < end;) {
    if (bytes[at] == kTcpOptionEnd) return;
    if (bytes[at] == kTcpOptionNop) {
      ++at;
      continue;
    }
    if (at + 1 >= end || bytes[at + 1] < 2 || at + bytes[at + 1] > end) return;
    if (bytes[at] != kTcpOptionMss || bytes[at + 1] != kMssOptionBytes) {
      at += bytes[at + 1];
      continue;
    }
    auto* mss = writable_header_at<be16>(m, at + 2);
    if (mss->get() <= segment.mss) return;
    const be16 before = *mss;
    mss->set(segment.mss);
    // A checksum still to be filled covers whatever will stand here.
    if (has_intent(m) && intent_of(m).csum_start == segment.tcp_offset) return;
    // At an odd offset the two bytes belong to two words: both swapped sum up to the same.
    const bool odd = ((at - segment.tcp_offset) & 1) != 0;
    const auto word = [odd](be16 value) { return odd ? be16::from_raw(swap_bytes(value.raw())) : value; };
    tcp->checksum = update_checksum(tcp->checksum, word(before), word(*mss));
    return;
  }
}

}  // namespace causeway
