// Reading and writing messages of rtnetlink(7), by libmnl. Control thread only.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "pmd/file_descriptor.h"

namespace causeway {

// An interface with many queues, VFs and statistics says more than MNL_SOCKET_BUFFER_SIZE.
inline constexpr size_t kNetlinkAnswerBytes = 32768;

using NetlinkRequest = std::array<char, 512>;

// In the calling thread's network namespace. `groups`: RTMGRP_* that it hears. Not valid, and errno: there is none.
inline FileDescriptor open_netlink(int flags, unsigned groups) {
  FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return {};
  return fd;
}

inline nlmsghdr* put_header(NetlinkRequest& room, uint16_t type, uint16_t flags) {
  nlmsghdr* const message = mnl_nlmsg_put_header(room.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  return message;
}

// Attributes up to `end`. libmnl's own loop is for C only.
template <typename Visit>
void for_each_attribute(const nlattr* at, const void* end, Visit&& visit) {
  const auto left = [&] { return static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(at)); };
  for (; mnl_attr_ok(at, left()); at = mnl_attr_next(at)) visit(at);
}

// Those of a message, behind a body of so many bytes.
template <typename Visit>
void for_each_attribute(const nlmsghdr* message, size_t body_bytes, Visit&& visit) {
  for_each_attribute(static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, body_bytes)),
                     mnl_nlmsg_get_payload_tail(message), visit);
}

// An address of 4 or 16 bytes, in network order; unspecified: it has another length.
inline IpAddress address_in(const void* wire, size_t bytes) {
  if (bytes == sizeof(in_addr)) return IpAddress::v4(wire);
  return bytes == sizeof(in6_addr) ? IpAddress::v6(wire) : IpAddress{};
}

inline IpAddress address_in(const nlattr* attribute) {
  return address_in(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

}  // namespace causeway
