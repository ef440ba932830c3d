#include "control/evpn/kernel_fabric.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "control/evpn/neighbor_messages.h"
#include "pmd/kernel/netlink.h"
#include "pmd/open_error.h"
#include "pmd/socket_options.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr int kEventBytes = 32 << 20;  // a MAC is two messages, of 0.8 KB each with what the kernel adds
constexpr auto kTurn = std::chrono::milliseconds(2);
// What a gateway before this one advertised may be learnt, or restored, until then.
constexpr auto kAdoption = std::chrono::seconds(30);
constexpr std::array<uint8_t, 3> kFamilies{AF_BRIDGE, AF_INET, AF_INET6};
constexpr uint16_t kValid = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_NOARP | NUD_PERMANENT;

FileDescriptor open_events() {
  FileDescriptor fd = open_netlink(SOCK_NONBLOCK, RTMGRP_NEIGH);
  if (!fd.valid()) return fd;
  if (!set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kEventBytes)) {
    set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kEventBytes);
    spdlog::warn("EVPN: no buffer of 32 MB for what the kernel says ({}): what doesn't fit costs a dump of its tables",
                 system_error("SO_RCVBUFFORCE"));
  }
  return fd;
}

// Calls `visit` for each message that one recv() gives. Its size; <= 0: as recv().
template <typename Visit>
ssize_t receive(int fd, Visit&& visit) {
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> room;
  const ssize_t bytes = recv(fd, room.data(), room.size(), 0);
  int left = static_cast<int>(bytes);
  const auto* message = reinterpret_cast<const nlmsghdr*>(room.data());
  for (; left > 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) visit(message);
  return bytes;
}

}  // namespace

KernelFabric::KernelFabric(FabricListener& listener)
    : listener_(listener), events_(open_events()), requests_(open_netlink(SOCK_NONBLOCK, 0)) {
  if (!events_.valid() || !requests_.valid()) spdlog::error("EVPN: {}", system_error("rtnetlink"));
}

KernelFabric::Vni* KernelFabric::get(uint32_t vni) {
  const auto found = vnis_.find(vni);
  return found != vnis_.end() ? &found->second : nullptr;
}

const KernelFabric::Vni* KernelFabric::find(uint32_t vni) const {
  const auto found = vnis_.find(vni);
  return found != vnis_.end() ? &found->second : nullptr;
}

void KernelFabric::know(uint32_t vni, const ShadowDevices::Indexes& devices) {
  places_.insert_or_assign(devices.bridge, Place{Place::Kind::bridge, vni});
  places_.insert_or_assign(devices.vxlan, Place{Place::Kind::vxlan, vni});
  places_.insert_or_assign(devices.port, Place{Place::Kind::port, vni});
}

void KernelFabric::forget(const ShadowDevices::Indexes& devices) {
  for (const int index : {devices.bridge, devices.vxlan, devices.port}) places_.erase(index);
}

Error KernelFabric::add(uint32_t vni, const IpAddress& local, uint16_t udp_port) {
  if (vnis_.contains(vni)) return fmt::format("VNI {} is there already", vni);
  const ShadowDevices::Made made = devices_.make(vni, local, udp_port);
  if (made.error) return fmt::format("VNI {}: {}", vni, made.error.text());
  Vni& added = vnis_[vni];
  added.local = local;
  added.udp_port = udp_port;
  added.devices = made.devices;
  OpenError error;
  added.lock = InterfaceLock::take(made.devices.bridge, error);
  if (made.adopted) added.settles = Clock::now() + kAdoption;
  // What stands in tables that were there, no event tells.
  dump_wanted_ = dump_wanted_ || made.adopted;
  know(vni, made.devices);
  return {};
}

void KernelFabric::remove(uint32_t vni) {
  const auto found = vnis_.find(vni);
  if (found == vnis_.end()) return;
  forget(found->second.devices);
  vnis_.erase(found);
  devices_.remove(vni);
}

void KernelFabric::remove_all() {
  std::vector<uint32_t> vnis;
  for (const auto& [number, vni] : vnis_) vnis.push_back(number);
  vnis_.clear();
  places_.clear();
  devices_.remove_now(vnis);
}

void KernelFabric::advertise(uint32_t vni, const MacAddress& mac, bool sticky) {
  Vni* const record = get(vni);
  if (record == nullptr) return;
  Mac& entry = record->macs[mac];
  if (!entry.wanted) ++record->local_macs;
  entry.wanted = true;
  entry.wanted_sticky = sticky;
  if (entry.on_vxlan && entry.sticky) return;
  if (entry.on_port && entry.port_sticky == sticky && !entry.queued) return;
  if (!entry.told.is_unspecified()) --record->remote_macs;
  entry.told = {};
  entry.awaits_echo = true;
  queue(vni, mac, entry);
}

void KernelFabric::withdraw(uint32_t vni, const MacAddress& mac) {
  Vni* const record = get(vni);
  if (record == nullptr) return;
  const auto found = record->macs.find(mac);
  if (found == record->macs.end() || !found->second.wanted) return;
  --record->local_macs;
  found->second.wanted = false;
  // Where it has become remote, the kernel has moved the entry; asked to take ours away, it would find none.
  queue(vni, mac, found->second);
}

void KernelFabric::advertise_host(uint32_t vni, const IpAddress& ip, const MacAddress& mac) {
  Vni* const record = get(vni);
  if (record == nullptr) return;
  Host& host = record->hosts[ip];
  if (host.wanted.is_zero()) ++record->local_hosts;
  host.wanted = mac;
  if (host.local == mac && host.remote.is_zero() && !host.queued) return;
  if (!host.told.is_zero()) --record->remote_hosts;
  host.told = {};
  host.awaits_echo = true;
  queue(vni, ip, host);
}

void KernelFabric::withdraw_host(uint32_t vni, const IpAddress& ip) {
  Vni* const record = get(vni);
  if (record == nullptr) return;
  const auto found = record->hosts.find(ip);
  if (found == record->hosts.end() || found->second.wanted.is_zero()) return;
  --record->local_hosts;
  found->second.wanted = {};
  queue(vni, ip, found->second);
}

void KernelFabric::serve() {
  const auto now = Clock::now();
  switch (phase_) {
    case Phase::following:
      if (dump_wanted_) {
        phase_ = Phase::draining;
      } else {
        follow(now + kTurn);
      }
      break;
    case Phase::draining:
      drain(now + kTurn);
      break;
    case Phase::dumping:
      dump(now + kTurn);
      break;
  }
  settle(Clock::now() + kTurn);
  send_queued(Clock::now() + kTurn);
  tick(now);
}

void KernelFabric::follow(Clock::time_point until) {
  do {
    const ssize_t bytes = receive(events_.get(), [this](const nlmsghdr* message) {
      const auto entry = read_neighbor(message);
      if (!entry) return;
      ++counts_.events;
      take(*entry);
    });
    if (bytes >= 0 || errno == EINTR) continue;
    if (errno == ENOBUFS) {
      ++counts_.overruns;
      dump_wanted_ = true;
    } else {
      hear_echoes();
    }
    return;
  } while (Clock::now() < until);
}

// What comes before a dump is older than that, and some of it is lost.
void KernelFabric::drain(Clock::time_point until) {
  do {
    const ssize_t bytes = receive(events_.get(), [](const nlmsghdr*) {});
    if (bytes >= 0 || errno == ENOBUFS || errno == EINTR) continue;
    // From here on events wait until the dump is read: they are newer, and in order.
    dump_wanted_ = false;
    dump_interrupted_ = false;
    dump_family_ = 0;
    ++dumps_begun_;
    phase_ = dump_next_family() ? Phase::dumping : Phase::following;
    return;
  } while (Clock::now() < until);
}

bool KernelFabric::dump_next_family() {
  dump_ = open_netlink(SOCK_NONBLOCK, 0);
  NetlinkRequest room{};
  const nlmsghdr* const request = put_neighbor_dump(room, kFamilies.at(dump_family_));
  if (dump_.valid() && send(dump_.get(), request, request->nlmsg_len, 0) >= 0) return true;
  spdlog::error("EVPN: {}", system_error("a dump of the kernel's neighbors"));
  asking_.looks = false;
  return false;
}

void KernelFabric::dump(Clock::time_point until) {
  bool done = false;
  do {
    const ssize_t bytes = receive(dump_.get(), [&](const nlmsghdr* message) {
      dump_interrupted_ = dump_interrupted_ || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      done = done || message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR;
      dump_interrupted_ = dump_interrupted_ || message->nlmsg_type == NLMSG_ERROR;
      if (const auto entry = read_neighbor(message)) take(*entry);
    });
    if (bytes < 0 && errno != EINTR) {
      dump_interrupted_ = true;
      done = true;
    }
    if (!done) continue;
    if (++dump_family_ == kFamilies.size()) return end_dump();
    if (!dump_next_family()) phase_ = Phase::following;
    return;
  } while (Clock::now() < until);
}

void KernelFabric::end_dump() {
  ++counts_.dumps;
  dump_ = {};
  phase_ = Phase::following;
  dump_wanted_ = dump_interrupted_;
  if (!dump_interrupted_) {
    for (auto& [number, vni] : vnis_) dump_wanted_ = sweep(number, vni) || dump_wanted_;
  }
  if (asking_.looks) ask_zebra(Clock::now());
  asking_.looks = false;
}

// What two dumps in a row lacked is gone. True: something was missing in this one.
bool KernelFabric::sweep(uint32_t number, Vni& vni) {
  bool missing = false;
  // Whether an entry that was last seen then is gone.
  const auto gone = [&](uint32_t seen) {
    missing = missing || seen != dumps_begun_;
    return seen + 1 < dumps_begun_;
  };
  for (auto& [address, mac] : vni.macs) {
    const bool off = (mac.on_vxlan || mac.on_port) && gone(mac.bridge_dump);
    const bool no_self = !mac.self.is_unspecified() && gone(mac.self_dump);
    if (off) mac.on_vxlan = mac.on_port = false;
    if (no_self) mac.self = {};
    if (off && mac.wanted) queue(number, address, mac);
    if (off || no_self) changed_.push_back({number, address, {}});
  }
  for (auto& [address, host] : vni.hosts) {
    if ((host.remote.is_zero() && host.local.is_zero()) || !gone(host.dump)) continue;
    host.remote = host.local = {};
    if (!host.wanted.is_zero()) queue(number, address, host);
    changed_.push_back({number, {}, address});
  }
  for (auto& [address, vtep] : vni.vteps) {
    if (!vtep.there || !gone(vtep.dump)) continue;
    vtep.there = false;
    changed_vteps_.emplace_back(number, address);
  }
  return missing;
}

void KernelFabric::take(const NeighborEntry& entry) {
  const auto place = places_.find(entry.interface);
  if (place == places_.end()) return;
  const uint32_t number = place->second.vni;
  Vni& vni = vnis_.at(number);
  if (entry.family == AF_INET || entry.family == AF_INET6) {
    if (place->second.kind == Place::Kind::bridge) take_host(number, vni, entry);
    return;
  }
  if (entry.family != AF_BRIDGE || entry.mac.is_multicast()) return;
  const bool flood = entry.mac.is_zero();
  // Permanent are the devices' own addresses.
  if (!flood && (entry.state & NUD_PERMANENT) != 0) return;
  if (place->second.kind == Place::Kind::vxlan) {
    if (flood) {
      take_vtep(number, vni, entry);
    } else {
      take_remote(number, vni, entry);
    }
  } else if (place->second.kind == Place::Kind::port && !flood && (entry.flags & NTF_SELF) == 0) {
    take_local(number, vni, entry);
  }
}

void KernelFabric::take_vtep(uint32_t number, Vni& vni, const NeighborEntry& entry) {
  if (entry.to.is_unspecified() || entry.to.is_multicast()) return;
  Vtep& vtep = vni.vteps[entry.to];
  vtep.there = !entry.gone;
  vtep.asked = vtep.asked && !vtep.there;
  vtep.dump = dumps_begun_;
  changed_vteps_.emplace_back(number, entry.to);
  if (asking_.looks && phase_ == Phase::dumping) asking_.vteps.emplace_back(number, entry.to);
}

void KernelFabric::take_remote(uint32_t number, Vni& vni, const NeighborEntry& entry) {
  Mac& mac = vni.macs[entry.mac];
  const bool sticky = (entry.state & NUD_NOARP) != 0;
  changed_.push_back({number, entry.mac, {}});
  if ((entry.flags & NTF_SELF) != 0) {
    mac.self_dump = dumps_begun_;
    if (!entry.gone) {
      mac.self = entry.to;
      mac.sticky = sticky;
    } else if (mac.self == entry.to || entry.to.is_unspecified()) {
      mac.self = {};
    }
    return;
  }
  mac.bridge_dump = dumps_begun_;
  mac.on_vxlan = !entry.gone;
  if (entry.gone) return;
  mac.on_port = false;
  mac.asked = false;
  mac.sticky = mac.sticky || sticky;
  if (!asking_.looks || phase_ != Phase::dumping) return;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asking_.came);
  if (std::chrono::milliseconds(int64_t{entry.age_cs} * 10) < since) {
    ++asking_.written;
  } else {
    asking_.unwritten.push_back({number, entry.mac, {}});
  }
}

void KernelFabric::take_local(uint32_t number, Vni& vni, const NeighborEntry& entry) {
  Mac& mac = vni.macs[entry.mac];
  changed_.push_back({number, entry.mac, {}});
  mac.bridge_dump = dumps_begun_;
  mac.on_port = !entry.gone;
  if (entry.gone) {
    if (mac.wanted && !mac.on_vxlan) queue(number, entry.mac, mac);
    return;
  }
  mac.on_vxlan = false;
  mac.port_sticky = (entry.state & NUD_NOARP) != 0;
  mac.awaits_echo = mac.awaits_echo && mac.queued;
  if (!mac.wanted && !vni.settles) queue(number, entry.mac, mac);
}

void KernelFabric::take_host(uint32_t number, Vni& vni, const NeighborEntry& entry) {
  if (entry.to.is_unspecified() || entry.to.is_multicast()) return;
  const bool there = !entry.gone && (entry.state & kValid) != 0;
  const bool remote = (entry.flags & NTF_EXT_LEARNED) != 0;
  Host& host = vni.hosts[entry.to];
  changed_.push_back({number, {}, entry.to});
  host.dump = dumps_begun_;
  host.remote = there && remote ? entry.mac : MacAddress{};
  host.local = there && !remote ? entry.mac : MacAddress{};
  if (there && remote) host.asked = false;
  if (there && !remote) host.awaits_echo = host.awaits_echo && host.queued;
  if (!there && !host.wanted.is_zero()) queue(number, entry.to, host);
  if (there && !remote && host.wanted.is_zero() && !vni.settles) queue(number, entry.to, host);
}

// VTEPs first: MACs live behind them.
void KernelFabric::settle(Clock::time_point until) {
  while (!changed_vteps_.empty()) {
    const auto [number, address] = changed_vteps_.front();
    changed_vteps_.pop_front();
    settle_vtep(number, address);
    if (Clock::now() >= until) return;
  }
  while (!changed_.empty()) {
    const Key key = changed_.front();
    changed_.pop_front();
    if (key.mac.is_zero()) {
      settle_host(key.vni, key.ip);
    } else {
      settle_mac(key.vni, key.mac);
    }
    if (Clock::now() >= until) return;
  }
}

// The listener may change what it is told of: its call comes last.
void KernelFabric::settle_mac(uint32_t number, const MacAddress& address) {
  Vni* const vni = get(number);
  if (vni == nullptr) return;
  const auto found = vni->macs.find(address);
  if (found == vni->macs.end()) return;
  Mac& mac = found->second;
  const bool remote = mac.on_vxlan && !mac.self.is_unspecified();
  const bool was_remote = !mac.told.is_unspecified();
  if (mac.awaits_echo || (mac.asked && !remote)) return;
  if (remote) {
    const bool same = mac.told == mac.self && mac.told_sticky == mac.sticky;
    if (!was_remote) ++vni->remote_macs;
    mac.told = mac.self;
    mac.told_sticky = mac.sticky;
    if (!same) listener_.remote_mac(number, address, IpAddress(mac.told), mac.told_sticky);
    return;
  }
  if (was_remote) --vni->remote_macs;
  mac.told = {};
  if (!mac.on_vxlan && mac.self.is_unspecified()) mac.sticky = false;
  // It has waited for a sticky one to go, or for one that the listener still wants here.
  if (mac.wanted && !mac.on_port && was_remote) queue(number, address, mac);
  const bool nothing_left = mac.self.is_unspecified() && !mac.on_vxlan && !mac.on_port && !mac.wanted && !mac.queued;
  if (nothing_left) vni->macs.erase(found);
  if (was_remote) listener_.remote_mac_gone(number, address);
}

void KernelFabric::settle_host(uint32_t number, const IpAddress& address) {
  Vni* const vni = get(number);
  if (vni == nullptr) return;
  const auto found = vni->hosts.find(address);
  if (found == vni->hosts.end()) return;
  Host& host = found->second;
  const bool remote = !host.remote.is_zero();
  const bool was_remote = !host.told.is_zero();
  if (host.awaits_echo || (host.asked && !remote)) return;
  if (remote) {
    const bool same = host.told == host.remote;
    if (!was_remote) ++vni->remote_hosts;
    host.told = host.remote;
    if (!same) listener_.remote_host(number, address, MacAddress(host.told));
    return;
  }
  if (was_remote) --vni->remote_hosts;
  host.told = {};
  if (host.local.is_zero() && host.wanted.is_zero() && !host.queued) vni->hosts.erase(found);
  if (was_remote) listener_.remote_host_gone(number, address);
}

void KernelFabric::settle_vtep(uint32_t number, const IpAddress& address) {
  Vni* const vni = get(number);
  if (vni == nullptr) return;
  const auto found = vni->vteps.find(address);
  if (found == vni->vteps.end() || (found->second.asked && !found->second.there)) return;
  const bool there = found->second.there;
  const bool told = std::exchange(found->second.told, there);
  if (!there) vni->vteps.erase(found);
  if (there && !told) listener_.vtep(number, address);
  if (!there && told) listener_.vtep_gone(number, address);
}

}  // namespace causeway
