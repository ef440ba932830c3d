#include "control/underlay/membership_messages.h"

#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

using std::chrono::milliseconds;

constexpr uint8_t kInternetworkControl = 0xc0;  // RFC 3376 section 4, and as good for IPv6
constexpr uint32_t kIpOffset = sizeof(EthernetHeader);

const IpAddress kIgmpRouters = IpAddress::v4(224, 0, 0, 22);
const IpAddress kAllRouters = IpAddress::v4(224, 0, 0, 2);

IpAddress link_scope_group(uint8_t last) {
  IpAddress group;
  group.bytes = {0xff, 0x02};
  group.bytes[15] = last;
  return group;
}

// RFC 3376 section 4.1.1, RFC 3810 section 5.1.3: a code with its highest bit set is 1mmmm * 2^(eee + 3).
uint32_t from_code(uint32_t code, unsigned mantissa_bits) {
  const uint32_t first_float = 8U << mantissa_bits;
  if (code < first_float) return code;
  const uint32_t mantissa = (code & ((1U << mantissa_bits) - 1)) | 1U << mantissa_bits;
  return mantissa << ((code >> mantissa_bits & 7) + 3);
}

std::optional<IpAddress> named(const IpAddress& group) {
  return group.is_multicast() ? std::optional(group) : std::nullopt;
}

std::optional<MembershipQuery> read_igmp(const rte_mbuf* frame) {
  const auto* ip = header_at<Ipv4Header>(frame, kIpOffset);
  if (ip == nullptr || ip->version() != 4 || ip->protocol != kIpProtocolIgmp || ip->is_fragment()) return {};
  const uint32_t offset = kIpOffset + ip->header_bytes();
  const uint32_t end = kIpOffset + ip->total_bytes.get();
  const auto* igmp = header_at<IgmpMessage>(frame, offset);
  if (igmp == nullptr || ip->header_bytes() < sizeof(Ipv4Header) || end > rte_pktmbuf_data_len(frame) ||
      offset + sizeof(IgmpMessage) > end || igmp->type != kIgmpQuery || !ipv4_checksum_valid(*ip) ||
      fold(sum_bytes(igmp, end - offset)) != 0xffff) {
    return {};
  }
  MembershipQuery query;
  query.old = end - offset == sizeof(IgmpMessage);
  query.group = named(IpAddress::v4(igmp->group.data()));
  query.querier = ip->source_address();
  // IGMPv1 leaves it 0 and means 10 s; we speak version 2 to such routers (RFC 2236 section 4).
  const uint32_t tenths =
      query.old ? (igmp->max_response != 0 ? igmp->max_response : 100) : from_code(igmp->max_response, 4);
  query.max_response = milliseconds(tenths * 100);
  return query;
}

std::optional<MembershipQuery> read_mld(const rte_mbuf* frame) {
  struct Head {
    Ipv6Header ip;
    std::array<uint8_t, 8> options;
    MldMessage mld;
  };
  const auto* head = header_at<Head>(frame, kIpOffset);
  if (head == nullptr || head->ip.version() != 6 || head->ip.next_header != kIpv6HopByHop ||
      head->options[0] != kIpProtocolIcmpv6 || head->options[1] != 0 || head->mld.icmp.type != kMldQuery) {
    return {};
  }
  const uint32_t whole = head->ip.payload_bytes.get();
  const uint32_t bytes = whole - static_cast<uint32_t>(sizeof(head->options));
  const IpAddress querier = head->ip.source_address();
  // RFC 3810 section 6.2: from a link-local address only.
  if (!is_link_local(querier) || whole < sizeof(head->options) + sizeof(MldMessage) ||
      kIpOffset + sizeof(Ipv6Header) + whole > rte_pktmbuf_data_len(frame) ||
      fold(pseudo_header_sum(head->ip, kIpProtocolIcmpv6, bytes) + sum_bytes(&head->mld, bytes)) != 0xffff) {
    return {};
  }
  MembershipQuery query;
  query.ipv6 = true;
  query.old = bytes == sizeof(MldMessage);
  query.group = named(IpAddress::v6(head->mld.group.data()));
  query.querier = querier;
  const uint32_t code = head->mld.max_response.get();
  query.max_response = milliseconds(query.old ? code : from_code(code, 12));
  return query;
}

// A message under construction.
class Message {
 public:
  template <class Header>
  void add(const Header& header) {
    const auto* const first = reinterpret_cast<const uint8_t*>(&header);
    bytes_.insert(bytes_.end(), first, first + sizeof(header));
  }
  void add_address(const IpAddress& address) {
    const uint8_t* const first = address.is_v4() ? address.v4_wire() : address.bytes.data();
    bytes_.insert(bytes_.end(), first, address.bytes.data() + address.bytes.size());
  }
  uint8_t* data() { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<uint8_t> bytes_;
};

// Both kinds of messages have their checksum at the same place.
void set_checksum(Message& message, uint32_t pseudo_header) {
  const be16 checksum = checksum_of(sum_bytes(message.data(), message.size(), pseudo_header));
  std::memcpy(message.data() + offsetof(IgmpMessage, checksum), &checksum, sizeof(checksum));
}

void write(rte_mbuf* frame, const MembershipSender& sender, const IpAddress& to, Message message) {
  const bool ipv4 = to.is_v4();
  Message whole;
  whole.add(EthernetHeader{group_mac(to), sender.mac, be16(ipv4 ? kEtherTypeIpv4 : kEtherTypeIpv6)});
  if (ipv4) {
    set_checksum(message, 0);
    struct {
      Ipv4Header ip{};
      std::array<uint8_t, 4> option = kIpv4RouterAlert;
    } head;
    head.ip.version_ihl = 0x46;
    head.ip.tos = kInternetworkControl;
    head.ip.total_bytes.set(static_cast<uint16_t>(sizeof(head) + message.size()));
    head.ip.fragment.set(kIpv4DontFragment);
    head.ip.ttl = 1;
    head.ip.protocol = kIpProtocolIgmp;
    std::memcpy(&head.ip.source, sender.address.v4_wire(), 4);
    std::memcpy(&head.ip.destination, to.v4_wire(), 4);
    head.ip.checksum = ipv4_checksum(head.ip);
    whole.add(head);
  } else {
    Ipv6Header ip{};
    ip.version_class_flow = Ipv6Header::version_class_flow_of(kInternetworkControl, 0);
    ip.payload_bytes.set(static_cast<uint16_t>(kIpv6RouterAlert.size() + message.size()));
    ip.next_header = kIpv6HopByHop;
    ip.hop_limit = 1;
    ip.source = sender.address.bytes;
    ip.destination = to.bytes;
    set_checksum(message, pseudo_header_sum(ip, kIpProtocolIcmpv6, static_cast<uint32_t>(message.size())));
    whole.add(ip);
    whole.add(kIpv6RouterAlert);
  }
  constexpr size_t kMinFrameBytes = 60;
  const size_t bytes = whole.size() + message.size();
  auto* out =
      reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, static_cast<uint16_t>(std::max(bytes, kMinFrameBytes))));
  std::memcpy(out, whole.data(), whole.size());
  std::memcpy(out + whole.size(), message.data(), message.size());
  if (bytes < kMinFrameBytes) std::memset(out + bytes, 0, kMinFrameBytes - bytes);
}

}  // namespace

std::optional<MembershipQuery> read_membership_query(const rte_mbuf* frame) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  if (ethernet == nullptr) return {};
  if (ethernet->ethertype.get() == kEtherTypeIpv4) return read_igmp(frame);
  if (ethernet->ethertype.get() == kEtherTypeIpv6) return read_mld(frame);
  return {};
}

void write_membership_report(rte_mbuf* frame, const MembershipSender& sender,
                             std::span<const MembershipRecord> records) {
  const bool ipv4 = records.front().group.is_v4();
  Message message;
  message.add(MembershipReport{ipv4 ? kIgmpReportV3 : kMldReportV2, 0, be16{}, be16{},
                               be16(static_cast<uint16_t>(records.size()))});
  for (const MembershipRecord& record : records) {
    message.add(GroupRecord{record.type, 0, be16{}});
    message.add_address(record.group);
  }
  write(frame, sender, ipv4 ? kIgmpRouters : link_scope_group(0x16), std::move(message));
}

void write_old_membership_report(rte_mbuf* frame, const MembershipSender& sender, const MembershipRecord& record) {
  const bool left = record.type == kRecordToInclude;
  const bool ipv4 = record.group.is_v4();
  Message message;
  if (ipv4) {
    IgmpMessage igmp{left ? kIgmpLeave : kIgmpReportV2, 0, be16{}, {}};
    std::memcpy(igmp.group.data(), record.group.v4_wire(), igmp.group.size());
    message.add(igmp);
  } else {
    message.add(MldMessage{{left ? kMldDone : kMldReport, 0, be16{}}, be16{}, be16{}, record.group.bytes});
  }
  const IpAddress routers = ipv4 ? kAllRouters : link_scope_group(2);
  write(frame, sender, left ? routers : record.group, std::move(message));
}

}  // namespace causeway
