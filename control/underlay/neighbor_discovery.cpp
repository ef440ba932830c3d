#include "control/underlay/neighbor_discovery.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/igmp.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

constexpr uint32_t kIpOffset = sizeof(EthernetHeader);
constexpr uint32_t kIcmpOffset = kIpOffset + sizeof(Ipv6Header);

// ff02::1, RFC 4291 section 2.7.1.
constexpr IpAddress kAllNodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

bool is_solicited_node(const IpAddress& group) { return group == solicited_node(group); }

// The link-layer address that an option of `type` gives; false where the options are broken.
bool read_options(const rte_mbuf* frame, uint32_t offset, uint32_t end, uint8_t type, std::optional<MacAddress>& mac) {
  while (offset < end) {
    const auto* option = header_at<NdOption>(frame, offset);
    if (option == nullptr || option->bytes() == 0 || offset + option->bytes() > end) return false;
    if (option->type == type && option->bytes() == sizeof(NdLinkAddressOption)) {
      const auto* address = header_at<NdLinkAddressOption>(frame, offset);
      if (address == nullptr || address->mac.is_multicast() || address->mac.is_zero()) return false;
      mac = address->mac;
    }
    offset += option->bytes();
  }
  return true;
}

// Ethernet, IPv6, one message and the option with our MAC.
template <class Message>
void write_message(rte_mbuf* frame, const Host& from, const Host& to, Message message, uint8_t option_type) {
  struct Packet {
    EthernetHeader ethernet;
    Ipv6Header ip;
    Message message;
    NdLinkAddressOption option;
  };
  constexpr auto kIcmpBytes = static_cast<uint16_t>(sizeof(Message) + sizeof(NdLinkAddressOption));
  auto* packet = reinterpret_cast<Packet*>(rte_pktmbuf_append(frame, sizeof(Packet)));
  packet->ethernet = {to.mac, from.mac, be16(kEtherTypeIpv6)};
  packet->ip = {};
  packet->ip.version_class_flow = Ipv6Header::version_class_flow_of(0, 0);
  packet->ip.payload_bytes.set(kIcmpBytes);
  packet->ip.next_header = kIpProtocolIcmpv6;
  packet->ip.hop_limit = kNdHopLimit;
  packet->ip.source = from.address.bytes;
  packet->ip.destination = to.address.bytes;
  packet->message = message;
  packet->option = {{option_type, 1}, from.mac};
  const uint32_t pseudo_sum = pseudo_header_sum(packet->ip, kIpProtocolIcmpv6, kIcmpBytes);
  packet->message.icmp.checksum = checksum_of(sum_bytes(&packet->message, kIcmpBytes, pseudo_sum));
}

}  // namespace

IpAddress solicited_node(const IpAddress& address) {
  IpAddress group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
  return group;
}

bool icmpv6_checksum_valid(const rte_mbuf* frame) {
  const auto* ip = header_at<Ipv6Header>(frame, kIpOffset);
  if (ip == nullptr) return false;
  const uint32_t bytes = ip->payload_bytes.get();
  return fold(sum_chain(frame, kIcmpOffset, bytes, pseudo_header_sum(*ip, kIpProtocolIcmpv6, bytes))) == 0xffff;
}

std::optional<NeighborMessage> read_neighbor_message(const rte_mbuf* frame) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  const auto* ip = header_at<Ipv6Header>(frame, kIpOffset);
  // Both messages begin alike.
  const auto* message = header_at<NeighborAdvertisement>(frame, kIcmpOffset);
  if (ethernet == nullptr || ethernet->ethertype.get() != kEtherTypeIpv6 || ip == nullptr || message == nullptr ||
      ip->next_header != kIpProtocolIcmpv6 || ip->hop_limit != kNdHopLimit ||
      ip->payload_bytes.get() < sizeof(NeighborAdvertisement) || message->icmp.code != 0) {
    return {};
  }
  const bool solicitation = message->icmp.type == kIcmpv6NeighborSolicitation;
  if (!solicitation && message->icmp.type != kIcmpv6NeighborAdvertisement) return {};
  NeighborMessage read;
  read.solicitation = solicitation;
  read.frame_source = ethernet->source;
  read.source = ip->source_address();
  read.target = message->target_address();
  if (!solicitation) {
    read.solicited = (message->flags.get() & kNdAdvertisementSolicited) != 0;
    read.override_mac = (message->flags.get() & kNdAdvertisementOverride) != 0;
  }
  const uint8_t option = solicitation ? kNdOptionSourceLinkAddress : kNdOptionTargetLinkAddress;
  const auto begin = static_cast<uint32_t>(kIcmpOffset + sizeof(NeighborAdvertisement));
  // An IPv4 neighbor's address in IPv6's clothes is none of ours to learn.
  if (read.target.is_v4() || read.source.is_v4() || read.target.is_multicast() || read.source.is_multicast() ||
      ethernet->source.is_multicast() ||
      !read_options(frame, begin, kIcmpOffset + ip->payload_bytes.get(), option, read.link_address) ||
      !icmpv6_checksum_valid(frame)) {
    return {};
  }
  const IpAddress destination = ip->destination_address();
  if (solicitation && read.source.is_unspecified() && (!is_solicited_node(destination) || read.link_address)) return {};
  if (!solicitation && read.solicited && destination.is_multicast()) return {};
  return read;
}

void write_solicitation(rte_mbuf* frame, const MacAddress& own_mac, const IpAddress& source, const IpAddress& target,
                        const MacAddress& to) {
  const IpAddress group = solicited_node(target);
  NeighborSolicitation message{};
  message.icmp.type = kIcmpv6NeighborSolicitation;
  message.target = target.bytes;
  write_message(frame, {own_mac, source}, to.is_zero() ? Host{group_mac(group), group} : Host{to, target}, message,
                kNdOptionSourceLinkAddress);
}

void write_advertisement(rte_mbuf* frame, const Host& own, const std::optional<Host>& to) {
  NeighborAdvertisement message{};
  message.icmp.type = kIcmpv6NeighborAdvertisement;
  message.flags.set(kNdAdvertisementOverride | (to ? kNdAdvertisementSolicited : 0));
  message.target = own.address.bytes;
  write_message(frame, own, to ? *to : Host{group_mac(kAllNodes), kAllNodes}, message, kNdOptionTargetLinkAddress);
}

}  // namespace causeway
