#include "control/underlay/icmp_echo.h"

#include <array>
#include <utility>

#include "control/underlay/neighbor_discovery.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"

namespace causeway {
namespace {

constexpr uint8_t kReplyTtl = 64;

void set_type(IcmpHeader& icmp, uint8_t type) {
  const auto word = [&] {
    return be16::from_raw(__builtin_bit_cast(uint16_t, std::array<uint8_t, 2>{icmp.type, icmp.code}));
  };
  const be16 before = word();
  icmp.type = type;
  icmp.checksum = update_checksum(icmp.checksum, before, word());
}

bool reply_v4(rte_mbuf* frame) {
  constexpr uint32_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  auto* ip = writable_header_at<Ipv4Header>(frame, sizeof(EthernetHeader));
  auto* icmp = writable_header_at<IcmpHeader>(frame, kIcmpOffset);
  if (ip == nullptr || icmp == nullptr || ip->protocol != kIpProtocolIcmp || icmp->type != kIcmpEchoRequest ||
      ip->total_bytes.get() < sizeof(Ipv4Header) + sizeof(IcmpHeader) ||
      fold(sum_chain(frame, kIcmpOffset, ip->total_bytes.get() - static_cast<uint32_t>(sizeof(Ipv4Header)))) !=
          0xffff) {
    return false;
  }
  std::swap(ip->source, ip->destination);
  ip->ttl = kReplyTtl;
  ip->checksum = ipv4_checksum(*ip);
  set_type(*icmp, kIcmpEchoReply);
  return true;
}

bool reply_v6(rte_mbuf* frame) {
  auto* ip = writable_header_at<Ipv6Header>(frame, sizeof(EthernetHeader));
  auto* icmp = writable_header_at<IcmpHeader>(frame, sizeof(EthernetHeader) + sizeof(Ipv6Header));
  if (ip == nullptr || icmp == nullptr || ip->next_header != kIpProtocolIcmpv6 || icmp->type != kIcmpv6EchoRequest ||
      ip->payload_bytes.get() < sizeof(IcmpHeader) || ip->source_address().is_unspecified() ||
      ip->source_address().is_multicast() || !icmpv6_checksum_valid(frame)) {
    return false;
  }
  std::swap(ip->source, ip->destination);
  ip->version_class_flow = Ipv6Header::version_class_flow_of(ip->traffic_class(), 0);
  ip->hop_limit = kReplyTtl;
  set_type(*icmp, kIcmpv6EchoReply);
  return true;
}

}  // namespace

bool make_echo_reply(rte_mbuf* frame, const MacAddress& own_mac) {
  auto* ethernet = writable_header_at<EthernetHeader>(frame, 0);
  if (ethernet == nullptr || ethernet->destination != own_mac) return false;
  const uint16_t type = ethernet->ethertype.get();
  const bool done = type == kEtherTypeIpv6 ? reply_v6(frame) : type == kEtherTypeIpv4 && reply_v4(frame);
  if (done) ethernet->destination = std::exchange(ethernet->source, own_mac);
  return done;
}

}  // namespace causeway
