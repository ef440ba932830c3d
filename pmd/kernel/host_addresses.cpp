#include "pmd/kernel/host_addresses.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "pmd/kernel/netlink.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr uint8_t kMark = 0xc5;  // the kernel's own are below 4 (linux/if_addr.h)

struct Held {
  IpPrefix prefix;
  bool ours = false;
};

struct Dump {
  int interface = 0;
  std::vector<Held> held;
};

int read_address(const nlmsghdr* message, void* data) {
  auto& dump = *static_cast<Dump*>(data);
  const auto* const body = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  if (message->nlmsg_type != RTM_NEWADDR || static_cast<int>(body->ifa_index) != dump.interface) return MNL_CB_OK;
  Held held;
  held.prefix.length = body->ifa_prefixlen;
  bool local = false;
  for_each_attribute(message, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
    const uint16_t type = mnl_attr_get_type(attribute);
    if (type == IFA_PROTO) held.ours = mnl_attr_get_u8(attribute) == kMark;
    // Of a point-to-point link IFA_ADDRESS is the other end's.
    if (type != IFA_LOCAL && (type != IFA_ADDRESS || local)) return;
    local = local || type == IFA_LOCAL;
    held.prefix.address = address_in(attribute);
  });
  dump.held.push_back(held);
  return MNL_CB_OK;
}

// Null and errno: the kernel doesn't say, or EINTR: something changed meanwhile.
std::optional<std::vector<Held>> dump_addresses(int interface) {
  const FileDescriptor fd = open_netlink(0, 0);
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, RTM_GETADDR, NLM_F_DUMP);
  mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg));
  if (!fd.valid() || send(fd.get(), request, request->nlmsg_len, 0) < 0) return std::nullopt;
  Dump dump{interface, {}};
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> answer;
  while (true) {
    const ssize_t bytes = recv(fd.get(), answer.data(), answer.size(), 0);
    if (bytes < 0) return std::nullopt;
    const int more = mnl_cb_run(answer.data(), static_cast<size_t>(bytes), 0, 0, read_address, &dump);
    if (more == MNL_CB_STOP) return std::move(dump.held);
    if (more == MNL_CB_ERROR) return std::nullopt;
  }
}

std::optional<std::vector<Held>> addresses_of(int interface) {
  constexpr int kTries = 3;
  for (int i = 1;; ++i) {
    auto held = dump_addresses(interface);
    if (held || errno != EINTR || i == kTries) return held;
  }
}

void put_address(nlmsghdr* message, uint16_t type, const IpAddress& address) {
  if (address.is_v4()) {
    mnl_attr_put(message, type, sizeof(in_addr), address.v4_wire());
  } else {
    mnl_attr_put(message, type, address.bytes.size(), address.bytes.data());
  }
}

// False, and errno: the kernel's refusal.
bool ask(nlmsghdr* request) {
  const FileDescriptor fd = open_netlink(0, 0);
  if (!fd.valid() || send(fd.get(), request, request->nlmsg_len, 0) < 0) return false;
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> answer;
  const ssize_t bytes = recv(fd.get(), answer.data(), answer.size(), 0);
  return bytes >= 0 && mnl_cb_run(answer.data(), static_cast<size_t>(bytes), 0, 0, nullptr, nullptr) != MNL_CB_ERROR;
}

// RTM_NEWADDR or RTM_DELADDR. False, and errno: the kernel's refusal.
bool change(int interface, uint16_t type, const IpPrefix& prefix) {
  const bool adds = type == RTM_NEWADDR;
  NetlinkRequest room{};
  nlmsghdr* const request =
      put_header(room, type, static_cast<uint16_t>(NLM_F_ACK | (adds ? NLM_F_CREATE | NLM_F_REPLACE : 0)));
  auto* const body = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)));
  body->ifa_family = prefix.address.is_v4() ? AF_INET : AF_INET6;
  body->ifa_prefixlen = prefix.length;
  body->ifa_index = static_cast<uint32_t>(interface);
  put_address(request, IFA_LOCAL, prefix.address);
  put_address(request, IFA_ADDRESS, prefix.address);
  if (adds && prefix.address.is_v6()) mnl_attr_put_u32(request, IFA_FLAGS, IFA_F_NODAD);
  if (adds) mnl_attr_put_u8(request, IFA_PROTO, kMark);
  return ask(request);
}

// Otherwise the first IPv4 address of a network takes all others of it along.
void keep_secondaries(int interface) {
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, RTM_SETLINK, NLM_F_ACK);
  static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)))->ifi_index = interface;
  nlattr* const families = mnl_attr_nest_start(request, IFLA_AF_SPEC);
  nlattr* const ipv4 = mnl_attr_nest_start(request, AF_INET);
  nlattr* const settings = mnl_attr_nest_start(request, IFLA_INET_CONF);
  mnl_attr_put_u32(request, IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
  mnl_attr_nest_end(request, settings);
  mnl_attr_nest_end(request, ipv4);
  mnl_attr_nest_end(request, families);
  ask(request);
}

Error add_missing(int interface, const std::vector<Held>& held, const std::vector<IpPrefix>& wanted) {
  for (const IpPrefix& prefix : wanted) {
    const bool there = std::ranges::any_of(held, [&](const Held& one) { return one.prefix == prefix; });
    if (!there && !change(interface, RTM_NEWADDR, prefix)) return system_error("RTM_NEWADDR");
  }
  return {};
}

}  // namespace

// New ones first: with its last address of an IP version an interface loses the routes by it, too.
Error set_host_addresses(int interface, const std::vector<IpPrefix>& wanted) {
  auto held = addresses_of(interface);
  if (!held) return system_error("RTM_GETADDR");
  Error error = add_missing(interface, *held, wanted);
  std::erase_if(*held,
                [&](const Held& one) { return !one.ours || std::ranges::find(wanted, one.prefix) != wanted.end(); });
  if (held->empty()) return error;
  keep_secondaries(interface);
  for (const Held& one : *held) change(interface, RTM_DELADDR, one.prefix);
  return error;
}

}  // namespace causeway
