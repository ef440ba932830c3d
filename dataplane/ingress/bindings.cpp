#include "dataplane/ingress/bindings.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>

#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/dhcp.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/igmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/link_local.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

bool has_family(const Binding& binding, bool v4) noexcept {
  if (binding.addresses.empty()) return true;
  return std::ranges::any_of(binding.addresses, [v4](const IpPrefix& own) { return own.address.is_v4() == v4; });
}

bool may_use(const Binding& binding, const IpAddress& ip) noexcept {
  if (binding.addresses.empty()) return true;
  if (std::ranges::any_of(binding.addresses, [&](const IpPrefix& own) { return own.contains(ip); })) return true;
  return ip == link_local_address(binding.mac) && has_family(binding, false);
}

bool arp_is_bound(const rte_mbuf* m, uint32_t offset, const Binding& binding) noexcept {
  const auto* arp = header_at<ArpPacket>(m, offset);
  if (arp == nullptr || arp->protocol_type.get() != kEtherTypeIpv4 || arp->hardware_bytes != 6 ||
      arp->protocol_bytes != 4 || arp->sender_mac != binding.mac) {
    return false;
  }
  const IpAddress sender = arp->sender_address();
  // Nobody yet, who asks whether an address is taken (RFC 5227 section 1.1): of its own only.
  return may_use(binding, sender.is_unspecified() ? arp->target_address() : sender);
}

bool ipv4_is_bound(const rte_mbuf* m, uint32_t offset, const Binding& binding) noexcept {
  const auto* ip = header_at<Ipv4Header>(m, offset);
  if (ip == nullptr) return false;
  const IpAddress source = ip->source_address();
  if (may_use(binding, source)) return true;
  // DHCP's first question, which is how the address is got.
  const auto* udp = header_at<UdpHeader>(m, offset + ip->header_bytes());
  return source.is_unspecified() && ip->destination_address() == IpAddress::v4(255, 255, 255, 255) &&
         ip->protocol == kIpProtocolUdp && !ip->is_fragment() && udp != nullptr &&
         udp->source_port.get() == kDhcpClientPort && udp->destination_port.get() == kDhcpServerPort &&
         has_family(binding, true);
}

struct UpperLayer {
  uint8_t protocol = kIpv6NoNextHeader;
  uint32_t offset = 0;
  bool fragment = false;
};

// Behind the extension headers, where a host would look for it, too; nothing where that can't be told.
std::optional<UpperLayer> upper_layer(const rte_mbuf* m, uint32_t offset, uint8_t protocol) noexcept {
  struct Extension {
    uint8_t next_header;
    uint8_t length_units;  // of 8 bytes behind the first 8
    be16 fragment_offset;  // of a fragment header, its lowest 3 bits aside
  };
  constexpr int kMostHeaders = 8;
  constexpr uint16_t kFragmentOffset = 0xfff8;
  UpperLayer upper{protocol, offset};
  for (int n = 0; n < kMostHeaders; ++n) {
    const bool fragment = upper.protocol == kIpv6Fragment;
    if (!fragment && upper.protocol != kIpv6HopByHop && upper.protocol != kIpv6Routing &&
        upper.protocol != kIpv6DestinationOptions) {
      return upper;
    }
    const auto* extension = header_at<Extension>(m, upper.offset);
    if (extension == nullptr) return {};
    if (fragment && (extension->fragment_offset.get() & kFragmentOffset) != 0) return UpperLayer{};
    upper.fragment |= fragment;
    upper.protocol = extension->next_header;
    upper.offset += fragment ? 8U : 8U + extension->length_units * 8U;
  }
  return {};
}

// Neighbor discovery's options up to `end`: the sender's own link address, where one is given, is the bound one.
bool link_address_is_bound(const rte_mbuf* m, uint32_t offset, uint32_t end, uint8_t type,
                           const Binding& binding) noexcept {
  while (offset < end) {
    const auto* option = header_at<NdOption>(m, offset);
    if (option == nullptr || option->bytes() == 0) return false;
    if (option->type == type) {
      const auto* own = header_at<NdLinkAddressOption>(m, offset);
      if (own == nullptr || own->mac != binding.mac) return false;
    }
    offset += option->bytes();
  }
  return true;
}

// What may be sent by a host that has no address yet: it looks for routers, for others with its address (RFC 4862
// section 5.4), and reports its groups (RFC 3810 section 5.2.13).
bool is_for_nobody(uint8_t icmp_type) noexcept {
  return icmp_type == kIcmpv6RouterSolicitation || icmp_type == kIcmpv6NeighborSolicitation ||
         icmp_type == kMldReport || icmp_type == kMldReportV2 || icmp_type == kMldDone;
}

// An ICMPv6 message at `offset`.
bool icmpv6_is_bound(const rte_mbuf* m, uint32_t offset, uint32_t end, bool unspecified,
                     const Binding& binding) noexcept {
  const auto* icmp = header_at<IcmpHeader>(m, offset);
  if (icmp == nullptr || (unspecified && !is_for_nobody(icmp->type))) return false;
  switch (icmp->type) {
    case kIcmpv6RouterSolicitation:
      return link_address_is_bound(m, offset + 8, end, kNdOptionSourceLinkAddress, binding);
    case kIcmpv6RouterAdvertisement:
      return link_address_is_bound(m, offset + 16, end, kNdOptionSourceLinkAddress, binding);
    case kIcmpv6NeighborSolicitation: {
      const auto* message = header_at<NeighborSolicitation>(m, offset);
      return message != nullptr && (!unspecified || may_use(binding, message->target_address())) &&
             link_address_is_bound(m, offset + sizeof(*message), end, kNdOptionSourceLinkAddress, binding);
    }
    case kIcmpv6NeighborAdvertisement: {
      const auto* message = header_at<NeighborAdvertisement>(m, offset);
      return message != nullptr && may_use(binding, message->target_address()) &&
             link_address_is_bound(m, offset + sizeof(*message), end, kNdOptionTargetLinkAddress, binding);
    }
    default:
      return true;
  }
}

bool is_discovery(const rte_mbuf* m, uint32_t offset) noexcept {
  const auto* icmp = header_at<IcmpHeader>(m, offset);
  return icmp == nullptr || (icmp->type >= kIcmpv6RouterSolicitation && icmp->type <= kIcmpv6NeighborAdvertisement);
}

bool ipv6_is_bound(const rte_mbuf* m, uint32_t offset, const Binding& binding) noexcept {
  const auto* ip = header_at<Ipv6Header>(m, offset);
  if (ip == nullptr || ip->source_address().is_v4()) return false;  // ::ffff:a.b.c.d is on no wire (RFC 4291 2.5.5.2)
  const IpAddress source = ip->source_address();
  const bool unspecified = source.is_unspecified();
  if (unspecified ? !has_family(binding, false) : !may_use(binding, source)) return false;
  const auto upper = upper_layer(m, offset + static_cast<uint32_t>(sizeof(Ipv6Header)), ip->next_header);
  if (!upper) return false;
  if (upper->protocol != kIpProtocolIcmpv6) return !unspecified;
  // Nobody believes discovery in fragments (RFC 6980), where it could hide.
  if (upper->fragment && is_discovery(m, upper->offset)) return false;
  const uint32_t end = offset + static_cast<uint32_t>(sizeof(Ipv6Header)) + ip->payload_bytes.get();
  return icmpv6_is_bound(m, upper->offset, end, unspecified, binding);
}

// What any protocol may carry but ICMPv6 and extension headers, from the prefix that stands beside the sender. False
// says nothing yet.
bool is_in_first_prefix(const rte_mbuf* m, const EthernetPayload& payload, const BindingTable::Place& sender) noexcept {
  if (payload.ethertype == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(m, payload.offset);
    return ip != nullptr && sender.ipv4.contains(ip->source.raw());
  }
  if (payload.ethertype != kEtherTypeIpv6) return false;
  const auto* ip = header_at<Ipv6Header>(m, payload.offset);
  if (ip == nullptr || (ip->next_header != kIpProtocolTcp && ip->next_header != kIpProtocolUdp)) return false;
  const auto source = std::bit_cast<std::array<uint64_t, 2>>(ip->source);
  return source[0] != 0 && sender.ipv6.contains(source);  // neither :: nor ::ffff:a.b.c.d
}

DropReason check(const rte_mbuf* m, const BindingTable& bindings) noexcept {
  const uint64_t source = rte_pktmbuf_mtod(m, const EthernetHeader*)->source.to_raw();
  const BindingTable::Place& sender = bindings.place_of(source);
  if (sender.mac != source) return DropReason::mac_not_bound;
  const EthernetPayload payload = behind_tags(m);
  if (is_in_first_prefix(m, payload, sender)) return DropReason::none;
  const Binding& binding = bindings.binding_of(sender);
  bool bound = true;
  if (payload.ethertype == kEtherTypeIpv4) {
    bound = ipv4_is_bound(m, payload.offset, binding);
  } else if (payload.ethertype == kEtherTypeIpv6) {
    bound = ipv6_is_bound(m, payload.offset, binding);
  } else if (payload.ethertype == kEtherTypeArp) {
    bound = arp_is_bound(m, payload.offset, binding);
  } else {
    bound = !is_vlan_ethertype(payload.ethertype);  // tags too many to see what they hide
  }
  return bound ? DropReason::none : DropReason::address_not_bound;
}

// The frames (a bit each) of which one look at the table doesn't say that they may pass: all but untagged IPv4 from the
// prefix that stands beside its sender. No branch depends on what a frame is, so that senders in any order cost the
// same.
uint64_t not_allowed_at_sight(const BindingTable& bindings, const Batch& batch) noexcept {
  static_assert(kBatch <= 64);
  constexpr size_t kSourceOffset = kEthernetBytes + offsetof(Ipv4Header, source);
  std::array<const BindingTable::Place*, kBatch> senders;
  for (uint16_t i = 0; i < batch.count; ++i) {
    senders[i] = &bindings.place_of(batch.key[i].hi & kMacMask);
    __builtin_prefetch(senders[i]);
  }
  uint64_t open = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    const rte_mbuf* const m = batch.frame[i];
    const auto* const bytes = rte_pktmbuf_mtod(m, const uint8_t*);
    const bool readable = rte_pktmbuf_data_len(m) >= kEthernetBytes + sizeof(Ipv4Header);
    const bool ipv4 = rte_pktmbuf_mtod(m, const EthernetHeader*)->ethertype.get() == kEtherTypeIpv4;
    uint32_t source = 0;
    std::memcpy(&source, bytes + (readable ? kSourceOffset : 0), sizeof(source));
    const bool bound = senders[i]->mac == (batch.key[i].hi & kMacMask);
    open |= static_cast<uint64_t>(!(readable & ipv4 & bound & senders[i]->ipv4.contains(source))) << i;
  }
  return open;
}

}  // namespace

void check_bindings(WorkerContext& w, const BindingTable& bindings, Batch& batch) noexcept {
  const uint64_t open = not_allowed_at_sight(bindings, batch);
  if (open == 0) [[likely]] {
    return;
  }
  uint16_t kept = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    rte_mbuf* const m = batch.frame[i];
    const DropReason reason = (open >> i & 1) != 0 ? check(m, bindings) : DropReason::none;
    if (reason != DropReason::none) {
      drop(w, m, reason);
      continue;
    }
    batch.frame[kept] = m;
    batch.in[kept] = batch.in[i];
    batch.key[kept] = batch.key[i];
    ++kept;
  }
  batch.count = kept;
}

}  // namespace causeway
