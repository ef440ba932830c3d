#include "pmd/routes/route_socket.h"

#include <linux/nexthop.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "pmd/kernel/netlink.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

// A hundred thousand routes may come at once.
constexpr int kBufferBytes = 32 << 20;
constexpr int kGroups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                           RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_NEXTHOP};

bool set(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof(value)) == 0; }

}  // namespace

Error RouteSocket::open() {
  FileDescriptor fd = open_netlink(SOCK_NONBLOCK, 0);
  sockaddr_nl own{};
  socklen_t bytes = sizeof(own);
  if (!fd.valid() || getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &bytes) != 0) {
    return system_error("rtnetlink");
  }
  // With strict checks the kernel leaves out other tables.
  if (!set(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)) return system_error("rtnetlink");
  if (!set(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kBufferBytes)) set(fd.get(), SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  for (const int group : kGroups) {
    if (!set(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) return system_error("rtnetlink");
  }
  port_ = own.nl_pid;
  socket_ = std::move(fd);
  return {};
}

void RouteSocket::close() {
  socket_ = FileDescriptor();
  questions_.clear();
}

void RouteSocket::ask(const std::set<uint32_t>& tables) {
  questions_ = {{RTM_GETLINK}, {RTM_GETNEXTHOP}};
  for (const uint32_t table : tables) {
    questions_.push_back({RTM_GETROUTE, AF_INET, table});
    questions_.push_back({RTM_GETROUTE, AF_INET6, table});
  }
  send_question();
}

void RouteSocket::send_question() {
  const Question& question = questions_.front();
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, question.type, NLM_F_DUMP);
  switch (question.type) {
    case RTM_GETLINK:
      mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
      break;
    case RTM_GETNEXTHOP:
      mnl_nlmsg_put_extra_header(request, sizeof(nhmsg));
      break;
    default:
      static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)))->rtm_family = question.family;
      mnl_attr_put_u32(request, RTA_TABLE, question.table);
      break;
  }
  if (send(socket_.get(), request, request->nlmsg_len, 0) >= 0) return;
  questions_.clear();
  listener_.lost();
}

void RouteSocket::read(Clock::time_point until) {
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> room;
  while (socket_.valid() && Clock::now() < until) {
    const ssize_t bytes = recv(socket_.get(), room.data(), room.size(), 0);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && errno == ENOBUFS) {
      listener_.lost();
      continue;
    }
    if (bytes <= 0) return;
    int left = static_cast<int>(bytes);
    const auto* message = reinterpret_cast<const nlmsghdr*>(room.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) take(message);
  }
}

void RouteSocket::take(const nlmsghdr* message) {
  // Who made a change has his number in what is told of it. What changes while an answer comes is told by itself, too.
  const bool told = message->nlmsg_pid == port_ && asks();
  if (told && (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) listener_.interrupted();
  if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
    if (!told) return;
    questions_.pop_front();  // refused, too: there is no such table now
    if (asks()) return send_question();
    return listener_.all_told();
  }
  if (message->nlmsg_type == RTM_DELADDR) return listener_.address_gone();
  if (const auto route = read_route(message)) return listener_.route(*route, told);
  if (const auto object = read_next_hop(message)) return listener_.next_hop(*object, told);
  if (const auto link = read_link_message(message)) return listener_.link(*link, told);
}

void RouteSocket::wait(Clock::time_point until) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  pollfd watched{socket_.get(), POLLIN, 0};
  poll(&watched, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
}

}  // namespace causeway
