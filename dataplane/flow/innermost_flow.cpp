#include "dataplane/flow/innermost_flow.h"

#include <optional>

#include "dataplane/flow/inner_flow.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

struct IpPayload {
  uint8_t protocol;
  uint32_t offset;
};

// Behind an IP header without extensions; none of a fragment.
std::optional<IpPayload> payload_of(const rte_mbuf* m) noexcept {
  const auto [ethertype, offset] = behind_tags(m);
  if (ethertype == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(m, offset);
    if (ip == nullptr || ip->is_fragment()) return std::nullopt;
    return IpPayload{ip->protocol, offset + ip->header_bytes()};
  }
  if (ethertype == kEtherTypeIpv6) {
    const auto* ip = header_at<Ipv6Header>(m, offset);
    if (ip == nullptr) return std::nullopt;
    return IpPayload{ip->next_header, offset + static_cast<uint32_t>(sizeof(Ipv6Header))};
  }
  return std::nullopt;
}

}  // namespace

uint32_t innermost_entropy(const rte_mbuf* m) noexcept {
  if (header_at<EthernetHeader>(m, 0) == nullptr) return 0;
  const auto payload = payload_of(m);
  if (payload && payload->protocol == kIpProtocolGre) {
    const auto* gre = header_at<GreHeader>(m, payload->offset);
    if (gre != nullptr && gre->protocol.get() == kEtherTypeTransparentEthernet) {
      const uint32_t inner = payload->offset + gre->header_bytes();
      if (header_at<EthernetHeader>(m, inner) != nullptr) return inner_flow_of_any(m, inner).entropy;
    }
  }
  const uint32_t entropy = inner_flow(m).entropy;
  if (payload && payload->protocol == kIpProtocolEsp) {
    if (const auto* spi = header_at<be32>(m, payload->offset)) {
      return static_cast<uint32_t>(hash_words(entropy, spi->raw(), 0));
    }
  }
  return entropy;
}

}  // namespace causeway
