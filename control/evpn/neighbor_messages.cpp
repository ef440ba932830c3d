#include "control/evpn/neighbor_messages.h"

#include <linux/neighbour.h>

#include <algorithm>
#include <cstring>

namespace causeway {
namespace {

void put_address(nlmsghdr* message, const IpAddress& address) {
  if (address.is_v4()) {
    mnl_attr_put(message, NDA_DST, sizeof(in_addr), address.v4_wire());
  } else {
    mnl_attr_put(message, NDA_DST, address.bytes.size(), address.bytes.data());
  }
}

}  // namespace

std::optional<NeighborEntry> read_neighbor(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return std::nullopt;
  const auto* const body = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  NeighborEntry entry;
  entry.gone = message->nlmsg_type == RTM_DELNEIGH;
  entry.family = body->ndm_family;
  entry.flags = body->ndm_flags;
  entry.state = body->ndm_state;
  entry.interface = body->ndm_ifindex;
  for_each_attribute(message, sizeof(ndmsg), [&](const nlattr* attribute) {
    const size_t bytes = mnl_attr_get_payload_len(attribute);
    switch (mnl_attr_get_type(attribute)) {
      case NDA_LLADDR:
        if (bytes == entry.mac.bytes.size()) {
          std::memcpy(entry.mac.bytes.data(), mnl_attr_get_payload(attribute), entry.mac.bytes.size());
        }
        break;
      case NDA_DST:
        entry.to = address_in(attribute);
        break;
      case NDA_CACHEINFO: {
        nda_cacheinfo info{};
        std::memcpy(&info, mnl_attr_get_payload(attribute), std::min(sizeof(info), bytes));
        entry.age_cs = info.ndm_updated;
        break;
      }
      default:
        break;
    }
  });
  return entry;
}

nlmsghdr* put_neighbor(NetlinkRequest& room, const NeighborEntry& entry) {
  nlmsghdr* const message =
      entry.gone ? put_header(room, RTM_DELNEIGH, 0) : put_header(room, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  auto* const body = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  body->ndm_family = entry.family;
  body->ndm_ifindex = entry.interface;
  body->ndm_state = entry.state;
  body->ndm_flags = entry.flags;
  const bool fdb = entry.family == AF_BRIDGE;
  // ARP and ND know an entry by its address alone.
  if (fdb || !entry.gone) mnl_attr_put(message, NDA_LLADDR, entry.mac.bytes.size(), entry.mac.bytes.data());
  if (!fdb || !entry.to.is_unspecified()) put_address(message, entry.to);
  return message;
}

nlmsghdr* put_neighbor_dump(NetlinkRequest& room, uint8_t family) {
  nlmsghdr* const message = put_header(room, RTM_GETNEIGH, NLM_F_DUMP);
  static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)))->ndm_family = family;
  return message;
}

}  // namespace causeway
