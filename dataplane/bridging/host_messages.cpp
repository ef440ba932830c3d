#include "dataplane/bridging/host_messages.h"

#include <algorithm>

#include "dataplane/frame/chain.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/dhcp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/host_address.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/igmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

constexpr uint8_t kNdOptionNonce = 14;  // RFC 3971 section 5.3.2; in solicitations of RFC 7527, too

// ff02::1, RFC 4291 section 2.7.1.
constexpr IpAddress kAllNodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// Complete, in one buffer, and of the VLAN that its outermost tag says.
bool is_plain(const rte_mbuf* m, uint32_t payload_offset) noexcept {
  return m->nb_segs == 1 && !has_intent(m) && payload_offset <= kEthernetBytes + kVlanTagBytes;
}

const EthernetHeader& ethernet_of(const rte_mbuf* m) noexcept { return *rte_pktmbuf_mtod(m, const EthernetHeader*); }

// Null: no ARP for IPv4 over Ethernet, or one that speaks for another MAC than it comes from.
const ArpPacket* arp_at(const rte_mbuf* m, uint32_t offset) noexcept {
  const auto* arp = header_at<ArpPacket>(m, offset);
  const bool sound = arp != nullptr && arp->hardware_type.get() == kArpHardwareEthernet &&
                     arp->protocol_type.get() == kEtherTypeIpv4 && arp->hardware_bytes == 6 &&
                     arp->protocol_bytes == 4 && arp->sender_mac == ethernet_of(m).source;
  return sound ? arp : nullptr;
}

std::optional<HostQuestion> arp_question(const rte_mbuf* m, uint32_t offset) noexcept {
  const ArpPacket* const arp = arp_at(m, offset);
  if (arp == nullptr || arp->operation.get() != kArpRequest || arp->sender_ip == arp->target_ip) return {};
  return HostQuestion{arp->sender_mac, arp->sender_address(), arp->target_address(), offset};
}

std::optional<HostClaim> arp_claim(const rte_mbuf* m, uint32_t offset) noexcept {
  const ArpPacket* const arp = arp_at(m, offset);
  if (arp == nullptr) return {};
  const uint16_t operation = arp->operation.get();
  const IpAddress sender = arp->sender_address();
  if ((operation != kArpRequest && operation != kArpReply) || is_of_no_host(sender)) return {};
  return HostClaim{.ip = sender, .mac = arp->sender_mac};
}

// A solicitation or an advertisement, which begin alike, as RFC 4861 sections 7.1.1 and 7.1.2 want them.
struct NdMessage {
  const Ipv6Header* ip = nullptr;
  const NeighborAdvertisement* message = nullptr;
  uint32_t options = 0;  // their offset in the frame
  uint32_t end = 0;
};
std::optional<NdMessage> nd_at(const rte_mbuf* m, uint32_t offset, uint8_t type) noexcept {
  const auto* ip = header_at<Ipv6Header>(m, offset);
  const auto icmp_offset = static_cast<uint32_t>(offset + sizeof(Ipv6Header));
  const auto* message = header_at<NeighborAdvertisement>(m, icmp_offset);
  if (ip == nullptr || message == nullptr || ip->version() != 6 || ip->next_header != kIpProtocolIcmpv6 ||
      ip->hop_limit != kNdHopLimit || message->icmp.type != type || message->icmp.code != 0) {
    return {};
  }
  const uint32_t bytes = ip->payload_bytes.get();
  const IpAddress target = message->target_address();
  if (bytes < sizeof(NeighborAdvertisement) || icmp_offset + bytes > m->pkt_len || target.is_multicast() ||
      target.is_v4() || is_of_no_host(target) || ip->source_address().is_multicast()) {
    return {};
  }
  const uint32_t pseudo_sum = pseudo_header_sum(*ip, kIpProtocolIcmpv6, bytes);
  if (fold(sum_chain(m, icmp_offset, bytes, pseudo_sum)) != 0xffff) return {};
  return NdMessage{ip, message, static_cast<uint32_t>(icmp_offset + sizeof(NeighborAdvertisement)),
                   icmp_offset + bytes};
}

// What its options are: the link-layer address that one of `type` gives, which has to be the sender's own.
struct NdOptions {
  bool sound = true;
  bool has_link_address = false;
  bool all_known = true;
};
NdOptions options_of(const rte_mbuf* m, const NdMessage& nd, uint8_t type) noexcept {
  NdOptions options;
  for (uint32_t offset = nd.options; offset < nd.end;) {
    const auto* option = header_at<NdOption>(m, offset);
    if (option == nullptr || option->bytes() == 0 || offset + option->bytes() > nd.end) return {.sound = false};
    if (option->type == type) {
      const auto* own = header_at<NdLinkAddressOption>(m, offset);
      if (own == nullptr || own->mac != ethernet_of(m).source) return {.sound = false};
      options.has_link_address = true;
    } else if (option->type != kNdOptionNonce) {
      options.all_known = false;
    }
    offset += option->bytes();
  }
  return options;
}

// RFC 4291 section 2.7.1: ff02::1:ffXX:XXXX, of the address.
bool is_solicited_node_of(const IpAddress& group, const IpAddress& address) noexcept {
  IpAddress own{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy(address.bytes.begin() + 13, address.bytes.end(), own.bytes.begin() + 13);
  return group == own;
}

std::optional<HostQuestion> nd_question(const rte_mbuf* m, uint32_t offset) noexcept {
  const auto nd = nd_at(m, offset, kIcmpv6NeighborSolicitation);
  if (!nd) return {};
  const NdOptions options = options_of(m, *nd, kNdOptionSourceLinkAddress);
  const IpAddress source = nd->ip->source_address();
  const IpAddress target = nd->message->target_address();
  if (!options.sound || !options.all_known || !is_solicited_node_of(nd->ip->destination_address(), target)) return {};
  if (source.is_unspecified() && options.has_link_address) return {};
  return HostQuestion{ethernet_of(m).source, source, target, offset};
}

std::optional<HostClaim> nd_claim(const rte_mbuf* m, uint32_t offset) noexcept {
  const auto nd = nd_at(m, offset, kIcmpv6NeighborAdvertisement);
  if (!nd || !options_of(m, *nd, kNdOptionTargetLinkAddress).sound) return {};
  const uint32_t flags = nd->message->flags.get();
  if ((flags & kNdAdvertisementSolicited) != 0 && nd->ip->destination_address().is_multicast()) return {};
  return HostClaim{.ip = nd->message->target_address(),
                   .mac = ethernet_of(m).source,
                   .nd_flags = flags & (kNdAdvertisementRouter | kNdAdvertisementOverride)};
}

// The type of a DHCP message; 0: it has none.
uint8_t dhcp_type(const rte_mbuf* m, uint32_t offset) noexcept {
  struct Option {
    uint8_t code;
    uint8_t bytes;
  };
  constexpr int kMostOptions = 32;
  for (int n = 0; n < kMostOptions; ++n) {
    const auto* code = header_at<uint8_t>(m, offset);
    if (code == nullptr || *code == kDhcpOptionEnd) return 0;
    if (*code == kDhcpOptionPad) {
      ++offset;
      continue;
    }
    const auto* option = header_at<Option>(m, offset);
    const auto* data = header_at<uint8_t>(m, offset + static_cast<uint32_t>(sizeof(Option)));
    if (option == nullptr || data == nullptr) return 0;
    if (option->code == kDhcpOptionMessageType) return option->bytes == 1 ? *data : uint8_t{0};
    offset += static_cast<uint32_t>(sizeof(Option)) + option->bytes;
  }
  return 0;
}

std::optional<HostClaim> dhcp_claim(const rte_mbuf* m, uint32_t offset) noexcept {
  const auto* ip = header_at<Ipv4Header>(m, offset);
  if (ip == nullptr || ip->protocol != kIpProtocolUdp || ip->is_fragment()) return {};
  const uint32_t udp_offset = offset + ip->header_bytes();
  const auto* udp = header_at<UdpHeader>(m, udp_offset);
  if (udp == nullptr || udp->source_port.get() != kDhcpServerPort || udp->destination_port.get() != kDhcpClientPort) {
    return {};
  }
  const auto message_offset = static_cast<uint32_t>(udp_offset + sizeof(UdpHeader));
  const auto* message = header_at<DhcpMessage>(m, message_offset);
  if (message == nullptr || message->operation != kDhcpReply || message->hardware_type != kArpHardwareEthernet ||
      message->hardware_bytes != 6 || message->cookie.get() != kDhcpCookie || message->client_mac.is_multicast() ||
      message->client_mac.is_zero() || is_of_no_host(message->your_address()) ||
      dhcp_type(m, static_cast<uint32_t>(message_offset + sizeof(DhcpMessage))) != kDhcpAck) {
    return {};
  }
  return HostClaim{.ip = message->your_address(), .mac = message->client_mac, .by_server = true};
}

// RFC 826, "Packet Reception"; from the host's MAC, so that switches on the way learn it (RFC 9161 section 3.3).
void write_arp_reply(rte_mbuf* m, uint32_t offset, const KnownHost& host) noexcept {
  auto* const arp = writable_header_at<ArpPacket>(m, offset);
  const be32 asked = arp->target_ip;
  arp->operation.set(kArpReply);
  arp->target_mac = arp->sender_mac;
  arp->target_ip = arp->sender_ip;
  arp->sender_mac = host.mac;
  arp->sender_ip = asked;
}

struct Advertisement {
  Ipv6Header ip;
  NeighborAdvertisement message;
  NdLinkAddressOption option;
};

// RFC 4861 section 7.2.4: to all nodes where somebody looks whether the address is taken.
void write_advertisement(rte_mbuf* m, const HostQuestion& question, const KnownHost& host) noexcept {
  constexpr auto kIcmpBytes = static_cast<uint16_t>(sizeof(NeighborAdvertisement) + sizeof(NdLinkAddressOption));
  const bool probed = question.source.is_unspecified();
  auto* const packet = writable_header_at<Advertisement>(m, question.offset);
  packet->ip = {};
  packet->ip.version_class_flow = Ipv6Header::version_class_flow_of(0, 0);
  packet->ip.payload_bytes.set(kIcmpBytes);
  packet->ip.next_header = kIpProtocolIcmpv6;
  packet->ip.hop_limit = kNdHopLimit;
  packet->ip.source = question.target.bytes;
  packet->ip.destination = probed ? kAllNodes.bytes : question.source.bytes;
  packet->message = {};
  packet->message.icmp.type = kIcmpv6NeighborAdvertisement;
  packet->message.flags.set(host.nd_flags | (probed ? 0 : kNdAdvertisementSolicited));
  packet->message.target = question.target.bytes;
  packet->option = {{kNdOptionTargetLinkAddress, 1}, host.mac};
  const uint32_t pseudo_sum = pseudo_header_sum(packet->ip, kIpProtocolIcmpv6, kIcmpBytes);
  packet->message.icmp.checksum = checksum_of(sum_bytes(&packet->message, kIcmpBytes, pseudo_sum));
}

}  // namespace

std::optional<HostQuestion> question_in(const rte_mbuf* frame) noexcept {
  const EthernetPayload payload = behind_tags(frame);
  if (!is_plain(frame, payload.offset) || !ethernet_of(frame).destination.is_multicast()) return {};
  if (payload.ethertype == kEtherTypeArp) return arp_question(frame, payload.offset);
  if (payload.ethertype == kEtherTypeIpv6) return nd_question(frame, payload.offset);
  return {};
}

bool solicits(const rte_mbuf* frame, const IpAddress& target) noexcept {
  const EthernetPayload payload = behind_tags(frame);
  if (!is_plain(frame, payload.offset) || payload.ethertype != kEtherTypeIpv6) return false;
  const auto nd = nd_at(frame, payload.offset, kIcmpv6NeighborSolicitation);
  return nd && nd->message->target_address() == target;
}

bool write_answer(rte_mbuf* frame, const HostQuestion& question, const KnownHost& host) noexcept {
  MacAddress to = question.asker;
  if (question.target.is_v6()) {
    const auto bytes = static_cast<uint32_t>(question.offset + sizeof(Advertisement));
    if (frame->pkt_len > bytes) {
      trim(frame, bytes);
    } else if (rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes - frame->pkt_len)) == nullptr) {
      return false;
    }
    write_advertisement(frame, question, host);
    if (question.source.is_unspecified()) to = group_mac(kAllNodes);
  } else {
    write_arp_reply(frame, question.offset, host);
  }
  auto* const ethernet = writable_header_at<EthernetHeader>(frame, 0);
  ethernet->destination = to;
  ethernet->source = host.mac;
  return true;
}

std::optional<HostClaim> claim_in(const rte_mbuf* frame) noexcept {
  const EthernetPayload payload = behind_tags(frame);
  if (payload.offset > kEthernetBytes + kVlanTagBytes) return {};
  switch (payload.ethertype) {
    case kEtherTypeIpv4:
      return dhcp_claim(frame, payload.offset);
    case kEtherTypeArp:
      return is_plain(frame, payload.offset) ? arp_claim(frame, payload.offset) : std::nullopt;
    case kEtherTypeIpv6:
      return is_plain(frame, payload.offset) ? nd_claim(frame, payload.offset) : std::nullopt;
    default:
      return {};
  }
}

}  // namespace causeway
