#include "control/evpn/shadow_devices.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "pmd/file_descriptor.h"
#include "pmd/kernel/netlink.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

// The group that devices get just before they go, all that are in it at once.
constexpr uint32_t kGoingGroup = kShadowGroup + 1;
// A slice keeps others from the kernel's devices for a fifth of a second.
constexpr size_t kVnisPerSlice = 8;

std::string bridge_name(uint32_t vni) { return fmt::format("cwb{}", vni); }
std::string vxlan_name(uint32_t vni) { return fmt::format("cwv{}", vni); }
std::string port_name(uint32_t vni) { return fmt::format("cwp{}", vni); }

int index_of(const std::string& name) { return static_cast<int>(if_nametoindex(name.c_str())); }

ifinfomsg* put_body(nlmsghdr* message, int index) {
  auto* const body = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  body->ifi_family = AF_UNSPEC;
  body->ifi_index = index;
  return body;
}

void set_flags(ifinfomsg* body, unsigned flags) {
  body->ifi_flags |= flags;
  body->ifi_change |= flags;
}

// A request for a new device of ours, down.
nlmsghdr* put_new(NetlinkRequest& room, const std::string& name, unsigned flags) {
  nlmsghdr* const message = put_header(room, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
  set_flags(put_body(message, 0), flags);
  mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
  mnl_attr_put_u32(message, IFLA_GROUP, kShadowGroup);
  return message;
}

bool send_request(const Rtnetlink& rtnetlink, nlmsghdr* message) {
  return rtnetlink.ask(message, [](const nlmsghdr*) {});
}

// No link-local address, so nothing that the kernel would say by itself. A host without IPv6 refuses, and needs it not.
void keep_silent(const Rtnetlink& rtnetlink, int index) {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
  put_body(message, index);
  nlattr* const families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
  nlattr* const inet6 = mnl_attr_nest_start(message, AF_INET6);
  mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(message, inet6);
  mnl_attr_nest_end(message, families);
  send_request(rtnetlink, message);
}

// As a bridge's port, and up.
bool set_port(const Rtnetlink& rtnetlink, int index, bool suppress) {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_NEWLINK, NLM_F_ACK);
  set_flags(put_body(message, index), IFF_UP);
  nlattr* const info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
  nlattr* const data = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
  mnl_attr_put_u8(message, IFLA_BRPORT_LEARNING, 0);
  if (suppress) mnl_attr_put_u8(message, IFLA_BRPORT_NEIGH_SUPPRESS, 1);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  return send_request(rtnetlink, message);
}

bool make_bridge(const Rtnetlink& rtnetlink, const std::string& name) {
  NetlinkRequest room{};
  // Without ARP: what a stranger would send into the vxlan device is neither answered nor believed.
  nlmsghdr* const message = put_new(room, name, IFF_NOARP);
  nlattr* const info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_str(message, IFLA_INFO_KIND, "bridge");
  nlattr* const data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  if (!send_request(rtnetlink, message)) return false;
  const int index = index_of(name);
  keep_silent(rtnetlink, index);
  return !rtnetlink.set_up(index);
}

bool make_vxlan(const Rtnetlink& rtnetlink, const std::string& name, int bridge, uint32_t vni, const IpAddress& local,
                uint16_t udp_port) {
  NetlinkRequest room{};
  nlmsghdr* const message = put_new(room, name, 0);
  mnl_attr_put_u32(message, IFLA_MASTER, static_cast<uint32_t>(bridge));
  nlattr* const info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_str(message, IFLA_INFO_KIND, "vxlan");
  nlattr* const data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  mnl_attr_put_u32(message, IFLA_VXLAN_ID, vni);
  if (local.is_v4()) {
    mnl_attr_put(message, IFLA_VXLAN_LOCAL, sizeof(in_addr), local.v4_wire());
  } else {
    mnl_attr_put(message, IFLA_VXLAN_LOCAL6, local.bytes.size(), local.bytes.data());
  }
  mnl_attr_put_u16(message, IFLA_VXLAN_PORT, htons(udp_port));
  mnl_attr_put_u8(message, IFLA_VXLAN_LEARNING, 0);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  if (!send_request(rtnetlink, message)) return false;
  const int index = index_of(name);
  keep_silent(rtnetlink, index);
  return set_port(rtnetlink, index, true);
}

// A TAP whose only descriptor is closed again. It stays once it is complete: one that isn't goes with a process that
// dies.
bool make_fake_port(const Rtnetlink& rtnetlink, const std::string& name, int bridge) {
  const FileDescriptor tap(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (!tap.valid() || ioctl(tap.get(), TUNSETIFF, &request) != 0) return false;
  const int index = index_of(name);
  keep_silent(rtnetlink, index);
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
  put_body(message, index);
  mnl_attr_put_u32(message, IFLA_MASTER, static_cast<uint32_t>(bridge));
  mnl_attr_put_u32(message, IFLA_GROUP, kShadowGroup);
  return send_request(rtnetlink, message) && set_port(rtnetlink, index, false) &&
         ioctl(tap.get(), TUNSETPERSIST, 1) == 0;
}

// What a device of ours is known by.
struct Found {
  std::string name;
  uint32_t group = 0;
  int master = 0;
  bool up = false;
  std::string kind;
  uint32_t vni = 0;
  IpAddress local;
  uint16_t udp_port = 0;
  bool learns = true;

  bool is_ours() const { return group == kShadowGroup || group == kGoingGroup; }
};

void read_vxlan(const nlattr* data, Found& found) {
  const auto* const first = static_cast<const nlattr*>(mnl_attr_get_payload(data));
  const void* const end = static_cast<const char*>(mnl_attr_get_payload(data)) + mnl_attr_get_payload_len(data);
  for_each_attribute(first, end, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_VXLAN_ID:
        found.vni = mnl_attr_get_u32(attribute);
        break;
      case IFLA_VXLAN_LOCAL:
      case IFLA_VXLAN_LOCAL6:
        found.local = address_in(attribute);
        break;
      case IFLA_VXLAN_PORT:
        found.udp_port = ntohs(mnl_attr_get_u16(attribute));
        break;
      case IFLA_VXLAN_LEARNING:
        found.learns = mnl_attr_get_u8(attribute) != 0;
        break;
      default:
        break;
    }
  });
}

Found read_found(const nlmsghdr* message) {
  Found found;
  found.up = (static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message))->ifi_flags & IFF_UP) != 0;
  for_each_attribute(message, sizeof(ifinfomsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        found.name = mnl_attr_get_str(attribute);
        break;
      case IFLA_GROUP:
        found.group = mnl_attr_get_u32(attribute);
        break;
      case IFLA_MASTER:
        found.master = static_cast<int>(mnl_attr_get_u32(attribute));
        break;
      case IFLA_LINKINFO: {
        const auto* const first = static_cast<const nlattr*>(mnl_attr_get_payload(attribute));
        const void* const end = reinterpret_cast<const char*>(first) + mnl_attr_get_payload_len(attribute);
        for_each_attribute(first, end, [&](const nlattr* part) {
          if (mnl_attr_get_type(part) == IFLA_INFO_KIND) found.kind = mnl_attr_get_str(part);
          if (mnl_attr_get_type(part) == IFLA_INFO_DATA && found.kind == "vxlan") read_vxlan(part, found);
        });
        break;
      }
      default:
        break;
    }
  });
  return found;
}

std::optional<Found> look(const Rtnetlink& rtnetlink, int index) {
  std::optional<Found> found;
  if (index == 0) return found;
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_GETLINK, 0);
  put_body(message, index);
  rtnetlink.ask(message, [&](const nlmsghdr* answer) {
    if (answer->nlmsg_type == RTM_NEWLINK) found = read_found(answer);
  });
  return found;
}

void remove_group(const Rtnetlink& rtnetlink) {
  NetlinkRequest room{};
  nlmsghdr* const message = put_header(room, RTM_DELLINK, NLM_F_ACK);
  put_body(message, 0);
  mnl_attr_put_u32(message, IFLA_GROUP, kGoingGroup);
  if (!send_request(rtnetlink, message) && errno != ENODEV) {
    spdlog::warn("{}", system_error("devices of a VNI that is gone"));
  }
}

// Only those of ours: a name may be another's.
void remove_devices(const Rtnetlink& rtnetlink, const std::vector<uint32_t>& vnis) {
  for (const uint32_t vni : vnis) {
    const ShadowDevices::Indexes devices = ShadowDevices::find(vni);
    for (const int index : {devices.port, devices.vxlan, devices.bridge}) {
      const auto found = look(rtnetlink, index);
      if (!found || !found->is_ours()) continue;
      NetlinkRequest room{};
      nlmsghdr* const message = put_header(room, RTM_SETLINK, NLM_F_ACK);
      put_body(message, index);
      mnl_attr_put_u32(message, IFLA_GROUP, kGoingGroup);
      send_request(rtnetlink, message);
    }
  }
  remove_group(rtnetlink);
}

}  // namespace

ShadowDevices::~ShadowDevices() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

ShadowDevices::Indexes ShadowDevices::find(uint32_t vni) {
  return {index_of(bridge_name(vni)), index_of(vxlan_name(vni)), index_of(port_name(vni))};
}

std::vector<uint32_t> ShadowDevices::present() const {
  std::vector<uint32_t> vnis;
  struct if_nameindex* const names = if_nameindex();
  if (names == nullptr) return vnis;
  for (const struct if_nameindex* at = names; at->if_index != 0; ++at) {
    const std::string_view name = at->if_name;
    uint32_t vni = 0;
    if (!name.starts_with("cwb")) continue;
    const auto [end, error] = std::from_chars(name.data() + 3, name.data() + name.size(), vni);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    const auto found = look(rtnetlink_, static_cast<int>(at->if_index));
    if (found && found->is_ours()) vnis.push_back(vni);
  }
  if_freenameindex(names);
  return vnis;
}

bool ShadowDevices::fits(uint32_t vni, const Indexes& devices, const IpAddress& local, uint16_t udp_port) const {
  const auto bridge = look(rtnetlink_, devices.bridge);
  const auto vxlan = look(rtnetlink_, devices.vxlan);
  const auto port = look(rtnetlink_, devices.port);
  if (!bridge || !vxlan || !port) return false;
  const auto in_use = [](const Found& found) { return found.group == kShadowGroup && found.up; };
  return in_use(*bridge) && in_use(*vxlan) && in_use(*port) && bridge->kind == "bridge" && vxlan->kind == "vxlan" &&
         port->kind == "tun" && vxlan->master == devices.bridge && port->master == devices.bridge &&
         vxlan->vni == vni && vxlan->local == local && vxlan->udp_port == udp_port && !vxlan->learns;
}

Error ShadowDevices::build(uint32_t vni, const IpAddress& local, uint16_t udp_port, Indexes& devices) const {
  // errno is that of the request that failed.
  if (!make_bridge(rtnetlink_, bridge_name(vni))) return system_error(bridge_name(vni));
  devices.bridge = index_of(bridge_name(vni));
  if (!make_vxlan(rtnetlink_, vxlan_name(vni), devices.bridge, vni, local, udp_port)) {
    return errno == EEXIST ? Error(fmt::format("another vxlan device of this host has the VNI {}", vni))
                           : Error(system_error(vxlan_name(vni)));
  }
  if (!make_fake_port(rtnetlink_, port_name(vni), devices.bridge)) return system_error(port_name(vni));
  devices = find(vni);
  return {};
}

ShadowDevices::Made ShadowDevices::make(uint32_t vni, const IpAddress& local, uint16_t udp_port) {
  keep(vni);
  Made made{find(vni), true, {}};
  if (fits(vni, made.devices, local, udp_port)) return made;
  made.adopted = false;
  bool any = false;
  for (const int index : {made.devices.bridge, made.devices.vxlan, made.devices.port}) {
    const auto found = look(rtnetlink_, index);
    if (found && !found->is_ours()) {
      made.error = fmt::format("an interface {} exists, and is none of Causeway's", found->name);
      return made;
    }
    any = any || found;
  }
  if (any) remove_devices(rtnetlink_, {vni});
  made.devices = {};
  made.error = build(vni, local, udp_port, made.devices);
  if (!made.error) return made;
  remove_devices(rtnetlink_, {vni});
  made.devices = {};
  return made;
}

void ShadowDevices::keep(uint32_t vni) {
  std::unique_lock lock(mutex_);
  std::erase(waiting_, vni);
  changed_.wait(lock, [&] { return !going_.contains(vni); });
}

void ShadowDevices::remove(uint32_t vni) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(vni);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work_off(); });
  changed_.notify_all();
}

void ShadowDevices::remove_now(const std::vector<uint32_t>& vnis) {
  std::vector<uint32_t> all = vnis;
  {
    std::unique_lock lock(mutex_);
    all.insert(all.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    changed_.wait(lock, [this] { return going_.empty(); });
  }
  if (!all.empty()) remove_devices(rtnetlink_, all);
}

// Ends when nothing waits any more, and not before: what stays would be advertised for good.
void ShadowDevices::work_off() {
  const Rtnetlink rtnetlink;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto end = waiting_.begin() + static_cast<ptrdiff_t>(std::min(kVnisPerSlice, waiting_.size()));
    const std::vector<uint32_t> slice(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    going_.insert(slice.begin(), slice.end());
    lock.unlock();
    remove_devices(rtnetlink, slice);
    lock.lock();
    going_.clear();
    changed_.notify_all();
  }
}

}  // namespace causeway
