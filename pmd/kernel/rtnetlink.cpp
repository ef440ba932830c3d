#include "pmd/kernel/rtnetlink.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "pmd/kernel/netlink.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr int kEventBytes = 1 << 20;  // a thousand interfaces may come at once

unsigned groups_of(RtnetlinkEvents::Of of) {
  switch (of) {
    case RtnetlinkEvents::Of::links:
      return RTMGRP_LINK;
    case RtnetlinkEvents::Of::networks:
      return RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    case RtnetlinkEvents::Of::neighbors:
      return RTMGRP_NEIGH;
  }
  return 0;
}

ifinfomsg* put_link(nlmsghdr* message, int index) {
  auto* const body = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  body->ifi_family = AF_UNSPEC;
  body->ifi_index = index;
  return body;
}

LinkState read_link(const nlmsghdr* message) {
  const auto* const body = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  LinkState link;
  link.index = body->ifi_index;
  bool carrier = (body->ifi_flags & IFF_RUNNING) != 0;
  for_each_attribute(message, sizeof(ifinfomsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        link.name = mnl_attr_get_str(attribute);
        break;
      case IFLA_MTU:
        link.mtu = static_cast<uint16_t>(std::min<uint32_t>(mnl_attr_get_u32(attribute), UINT16_MAX));
        break;
      case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(attribute) != link.mac.bytes.size()) break;
        std::memcpy(link.mac.bytes.data(), mnl_attr_get_payload(attribute), link.mac.bytes.size());
        break;
      case IFLA_CARRIER:  // IFF_RUNNING follows it up to a second later
        carrier = mnl_attr_get_u8(attribute) != 0;
        break;
      case IFLA_STATS64: {
        rtnl_link_stats64 stats{};
        std::memcpy(&stats, mnl_attr_get_payload(attribute),
                    std::min<size_t>(sizeof(stats), mnl_attr_get_payload_len(attribute)));
        link.tx_dropped = stats.tx_dropped;
        break;
      }
      default:
        break;
    }
  });
  link.up = (body->ifi_flags & IFF_UP) != 0 && carrier;
  return link;
}

nlmsghdr* put_route(NetlinkRequest& room, const IpAddress& to, unsigned flags) {
  nlmsghdr* const message = put_header(room, RTM_GETROUTE, 0);
  auto* const body = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  body->rtm_family = to.is_v4() ? AF_INET : AF_INET6;
  body->rtm_dst_len = to.is_v4() ? 32 : 128;
  body->rtm_flags = flags;
  if (to.is_v4()) {
    mnl_attr_put(message, RTA_DST, sizeof(in_addr), to.v4_wire());
  } else {
    mnl_attr_put(message, RTA_DST, to.bytes.size(), to.bytes.data());
  }
  return message;
}

ino_t inode_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Rtnetlink::Rtnetlink() : socket_(open_netlink(0, 0)) {}

bool Rtnetlink::ask(nlmsghdr* request, const std::function<void(const nlmsghdr*)>& read) const {
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> answer;
  const auto* const message = reinterpret_cast<const nlmsghdr*>(answer.data());
  request->nlmsg_seq = ++sequence_;
  if (send(socket_.get(), request, request->nlmsg_len, 0) < 0) return false;
  do {
    const ssize_t bytes = recv(socket_.get(), answer.data(), answer.size(), 0);
    if (bytes < 0) return false;  // its answer may come yet: the next question passes it over
    if (!mnl_nlmsg_ok(message, static_cast<int>(bytes))) {
      errno = EBADMSG;
      return false;
    }
  } while (message->nlmsg_seq != request->nlmsg_seq);
  if (message->nlmsg_type == NLMSG_ERROR) {
    const auto* const error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
    errno = -error->error;
    return error->error == 0;
  }
  read(message);
  return true;
}

std::optional<int> Rtnetlink::namespace_id(int namespace_fd) const {
  const FileDescriptor here(ioctl(socket_.get(), SIOCGSKNS));
  if (here.valid() && inode_of(here.get()) == inode_of(namespace_fd)) return kHere;
  const auto put = [&](NetlinkRequest& room, uint16_t type, uint16_t flags) {
    nlmsghdr* const message = put_header(room, type, flags);
    static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtgenmsg)))->rtgen_family = AF_UNSPEC;
    mnl_attr_put_u32(message, NETNSA_FD, static_cast<uint32_t>(namespace_fd));
    return message;
  };
  const auto known = [&] {
    NetlinkRequest room{};
    int id = NETNSA_NSID_NOT_ASSIGNED;
    ask(put(room, RTM_GETNSID, 0), [&](const nlmsghdr* message) {
      for_each_attribute(message, sizeof(rtgenmsg), [&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) == NETNSA_NSID) id = static_cast<int>(mnl_attr_get_u32(attribute));
      });
    });
    return id;
  };
  int id = known();
  if (id < 0) {
    NetlinkRequest room{};
    nlmsghdr* const message = put(room, RTM_NEWNSID, NLM_F_ACK);
    mnl_attr_put_u32(message, NETNSA_NSID, static_cast<uint32_t>(NETNSA_NSID_NOT_ASSIGNED));  // whichever is free
    ask(message, [](const nlmsghdr*) {});
    id = known();
  }
  return id < 0 ? std::nullopt : std::optional(id);
}

std::optional<LinkState> Rtnetlink::link(int index, const std::string& name, int nsid) const {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_GETLINK, 0);
  put_link(message, index);
  if (index == 0) mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
  if (nsid != kHere) mnl_attr_put_u32(message, IFLA_TARGET_NETNSID, static_cast<uint32_t>(nsid));
  std::optional<LinkState> link;
  ask(message, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type == RTM_NEWLINK) link = read_link(answer);
  });
  return link;
}

// Asked plainly, the kernel tells what a packet would get; with RTM_F_FIB_MATCH, which route that is of.
std::optional<KernelRoute> Rtnetlink::route_to(const IpAddress& to) const {
  NetlinkRequest room{};
  std::optional<KernelRoute> route;
  int interface = 0;
  ask(put_route(room, to, 0), [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type != RTM_NEWROUTE) return;
    KernelRoute found;
    for_each_attribute(answer, sizeof(rtmsg), [&](const nlattr* attribute) {
      const uint16_t type = mnl_attr_get_type(attribute);
      if (type == RTA_OIF) interface = static_cast<int>(mnl_attr_get_u32(attribute));
      if (type == RTA_PREFSRC) found.source = address_in(attribute);
      if (type == RTA_GATEWAY) found.gateway = address_in(attribute);
    });
    if (!found.source.is_unspecified()) route = found;
  });
  const auto link_there = route ? link(interface, "") : std::nullopt;
  if (!link_there) return std::nullopt;
  route->interface = link_there->name;
  route->to.address = to.is_v4() ? IpAddress::v4(0, 0, 0, 0) : IpAddress{};
  room = {};
  ask(put_route(room, to, RTM_F_FIB_MATCH), [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type != RTM_NEWROUTE) return;
    route->to.length = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(answer))->rtm_dst_len;
    for_each_attribute(answer, sizeof(rtmsg), [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == RTA_DST) route->to.address = address_in(attribute);
    });
  });
  return route;
}

Error Rtnetlink::set_up(int index) const {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
  ifinfomsg* const body = put_link(message, index);
  body->ifi_flags = body->ifi_change = IFF_UP;
  return ask(message, [](const nlmsghdr*) {}) ? "" : system_error("cannot set the interface up");
}

Error Rtnetlink::set_mtu(int index, uint16_t mtu) const {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
  put_link(message, index);
  mnl_attr_put_u32(message, IFLA_MTU, mtu);
  return ask(message, [](const nlmsghdr*) {}) ? "" : system_error("mtu " + std::to_string(mtu));
}

Error Rtnetlink::set_mac(int index, const MacAddress& mac) const {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
  put_link(message, index);
  mnl_attr_put(message, IFLA_ADDRESS, mac.bytes.size(), mac.bytes.data());
  return ask(message, [](const nlmsghdr*) {}) ? "" : system_error("macaddress");
}

Error Rtnetlink::remove(int index) const {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_DELLINK, NLM_F_ACK);
  put_link(message, index);
  return ask(message, [](const nlmsghdr*) {}) ? "" : system_error("cannot remove the interface");
}

RtnetlinkEvents::RtnetlinkEvents(Of of) : socket_(open_netlink(SOCK_NONBLOCK, groups_of(of))) {
  if (of == Of::links) {
    const int on = 1;
    const int group = RTNLGRP_NSID;  // the end of a namespace with an interface of ours
    setsockopt(socket_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
    setsockopt(socket_.get(), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
  }
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBytes, sizeof(kEventBytes)) != 0) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &kEventBytes, sizeof(kEventBytes));
  }
}

// ENOBUFS says that some were lost: whoever looks at everything misses nothing.
void RtnetlinkEvents::drain() const {
  std::array<char, 8192> message;
  while (recv(socket_.get(), message.data(), message.size(), MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace causeway
