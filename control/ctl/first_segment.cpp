#include "control/ctl/first_segment.h"

#include <cstdint>

#include "dataplane/gso/segment_layout.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/vlan.h"

namespace causeway {
namespace {

constexpr size_t kSegmentBytes = kIpv4SmallestMtu;

NetworkHeader ip_of(const FrameBytes& frame) { return find_ip({frame.data(), static_cast<uint32_t>(frame.size())}, 0); }

template <class Header>
Header& header_at(FrameBytes& frame, size_t offset) {
  return *reinterpret_cast<Header*>(&frame.at(offset));
}

void set_length(FrameBytes& frame, const NetworkHeader& ip) {
  if (!ip.is_v4) {
    header_at<Ipv6Header>(frame, ip.l3).payload_bytes = be16(static_cast<uint16_t>(frame.size() - ip.l4));
    return;
  }
  auto& header = header_at<Ipv4Header>(frame, ip.l3);
  header.total_bytes = be16(static_cast<uint16_t>(frame.size() - ip.l3));
  header.checksum = ipv4_checksum(header);
}

}  // namespace

bool is_super_packet(const FrameBytes& frame, size_t mtu) {
  constexpr size_t kTwoTags = 2 * sizeof(VlanHeader);
  const NetworkHeader ip = ip_of(frame);
  return frame.size() > mtu + (ip.l4 != 0 ? ip.l3 : sizeof(EthernetHeader) + kTwoTags);
}

FrameBytes first_segment(const FrameBytes& frame) {
  const NetworkHeader ip = ip_of(frame);
  const bool is_plain = ip.is_v4 || ip.l4 == ip.l3 + sizeof(Ipv6Header);
  const size_t bytes = ip.l3 + kSegmentBytes;
  if (ip.l4 == 0 || !is_plain || ip.protocol != kIpProtocolTcp || frame.size() <= bytes) return {};
  FrameBytes segment(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  set_length(segment, ip);
  auto& tcp = header_at<TcpHeader>(segment, ip.l4);
  tcp.flags = static_cast<uint8_t>(tcp.flags & ~(kTcpFin | kTcpPsh));
  tcp.checksum = be16(0);
  const auto l4_bytes = static_cast<uint32_t>(bytes - ip.l4);
  tcp.checksum = checksum_of(sum_bytes(&tcp, l4_bytes, pseudo_header_sum_at(&segment[ip.l3], ip.protocol, l4_bytes)));
  return segment;
}

}  // namespace causeway
