// What KernelFabric sends, and what it does by the clock.
#include <linux/neighbour.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/evpn/kernel_fabric.h"
#include "control/evpn/neighbor_messages.h"
#include "pmd/kernel/netlink.h"
#include "pmd/open_error.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr size_t kBatchBytes = 32768;
constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kComplaintEvery = std::chrono::minutes(1);
// A gateway that starts has its VNIs by then; what is left of another is nobody's.
constexpr auto kStrangersGo = std::chrono::seconds(30);
constexpr size_t kLookedAfterPerTick = 32;

// zebra is back: its sessions need a while until it knows what it knew.
constexpr auto kFirstAsking = std::chrono::seconds(60);
constexpr auto kNextAsking = std::chrono::seconds(30);
constexpr int kAskings = 20;
constexpr auto kAnswerIn = std::chrono::seconds(2);

// zebra takes any valid neighbor without NTF_EXT_LEARNED for a local host. From 128 neighbors on, the kernel drops
// those of other states that nobody uses, and it takes no more than 1,024 (net.ipv4.neigh.default.gc_thresh1 and 3).
constexpr uint16_t kHostState = NUD_PERMANENT;

NeighborEntry fdb_entry(int interface, const MacAddress& mac, uint8_t flags, uint16_t state) {
  NeighborEntry entry;
  entry.family = AF_BRIDGE;
  entry.interface = interface;
  entry.mac = mac;
  entry.flags = flags;
  entry.state = state;
  return entry;
}

NeighborEntry without(NeighborEntry entry) {
  entry.gone = true;
  return entry;
}

NeighborEntry host_entry(int interface, const IpAddress& ip, const MacAddress& mac) {
  NeighborEntry entry;
  entry.family = ip.is_v4() ? AF_INET : AF_INET6;
  entry.interface = interface;
  entry.mac = mac;
  entry.to = ip;
  entry.state = kHostState;
  return entry;
}

// Of what one device's own FDB holds of a VTEP.
NeighborEntry self_entry(int vxlan, const MacAddress& mac, const IpAddress& vtep) {
  NeighborEntry entry = fdb_entry(vxlan, mac, NTF_SELF, 0);
  entry.to = vtep;
  return entry;
}

}  // namespace

void KernelFabric::queue(uint32_t number, const MacAddress& address, Mac& mac) {
  if (!std::exchange(mac.queued, true)) queue_.push_back({number, address, {}});
}

void KernelFabric::queue(uint32_t number, const IpAddress& address, Host& host) {
  if (!std::exchange(host.queued, true)) queue_.push_back({number, {}, address});
}

// What stands in the queue is sent as it is wanted now, whatever was wanted when it came there.
void KernelFabric::send_queued(Clock::time_point until) {
  while (!queue_.empty() && Clock::now() < until) {
    const Key key = queue_.front();
    queue_.pop_front();
    Vni* const vni = get(key.vni);
    if (vni == nullptr) continue;
    if (key.mac.is_zero()) {
      const auto host = vni->hosts.find(key.ip);
      if (host != vni->hosts.end()) put_host(key, *vni, host->second);
    } else {
      const auto mac = vni->macs.find(key.mac);
      if (mac != vni->macs.end()) put_mac(key, *vni, mac->second);
    }
  }
  send_asks(until);
  flush();
}

void KernelFabric::put_mac(const Key& key, const Vni& vni, Mac& mac) {
  mac.queued = false;
  sent_.push_back(key);
  if (vni.missing) return;
  // Never over a sticky one: it would be taken from its place (RFC 7432 section 15.2).
  if (mac.wanted && mac.on_vxlan && mac.sticky) return;
  const auto dynamic = fdb_entry(vni.devices.port, key.mac, NTF_MASTER | NTF_EXT_LEARNED, NUD_REACHABLE);
  const auto sticky = fdb_entry(vni.devices.port, key.mac, NTF_MASTER | NTF_STICKY, NUD_NOARP | NUD_REACHABLE);
  if (!mac.wanted) return put(without(dynamic));
  // The kernel makes no plain entry of a sticky one.
  if (mac.on_port && mac.port_sticky && !mac.wanted_sticky) put(without(dynamic));
  put(mac.wanted_sticky ? sticky : dynamic);
  // What the vxlan device still says of it would keep it from telling the next move.
  if (!mac.self.is_unspecified()) put(without(self_entry(vni.devices.vxlan, key.mac, mac.self)));
}

void KernelFabric::put_host(const Key& key, const Vni& vni, Host& host) {
  host.queued = false;
  sent_.push_back(key);
  if (vni.missing) return;
  // Where it is zebra's by now, it isn't ours to take away.
  if (host.wanted.is_zero() && !host.remote.is_zero()) return;
  const auto entry = host_entry(vni.devices.bridge, key.ip, host.wanted);
  put(host.wanted.is_zero() ? without(entry) : entry);
}

void KernelFabric::put(const NeighborEntry& entry) {
  NetlinkRequest room{};
  const nlmsghdr* const message = put_neighbor(room, entry);
  batch_.insert(batch_.end(), room.data(), room.data() + NLMSG_ALIGN(message->nlmsg_len));
  if (batch_.size() >= kBatchBytes) flush();
}

void KernelFabric::flush() {
  if (batch_.empty()) return;
  // The kernel does all of it before send() returns.
  if (send(requests_.get(), batch_.data(), batch_.size(), 0) < 0) ++counts_.refused;
  batch_.clear();
  read_refusals();
}

void KernelFabric::read_refusals() {
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> room;
  while (true) {
    const ssize_t bytes = recv(requests_.get(), room.data(), room.size(), 0);
    if (bytes < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
    if (bytes < 0) return;
    const auto* const message = reinterpret_cast<const nlmsghdr*>(room.data());
    if (!mnl_nlmsg_ok(message, static_cast<int>(bytes)) || message->nlmsg_type != NLMSG_ERROR) continue;
    const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
    // What was to go had gone before.
    if (error == 0 || error == ENOENT) continue;
    ++counts_.refused;
    const auto now = Clock::now();
    if (now - complained_at_ < kComplaintEvery) continue;
    complained_at_ = now;
    spdlog::warn("EVPN: the kernel refuses a local MAC or host: {}", std::strerror(error));
  }
}

void KernelFabric::hear_echoes() {
  for (const Key& key : std::exchange(sent_, {})) {
    Vni* const vni = get(key.vni);
    if (vni == nullptr) continue;
    if (key.mac.is_zero()) {
      const auto host = vni->hosts.find(key.ip);
      if (host == vni->hosts.end() || host->second.queued) continue;
      host->second.awaits_echo = false;
    } else {
      const auto mac = vni->macs.find(key.mac);
      if (mac == vni->macs.end() || mac->second.queued) continue;
      mac->second.awaits_echo = false;
    }
    changed_.push_back(key);
  }
}

void KernelFabric::tick(Clock::time_point now) {
  if (now - ticked_at_ < kTick) return;
  ticked_at_ = now;
  for (auto& [number, vni] : vnis_) {
    if (vni.settles && now >= *vni.settles && phase_ == Phase::following) remove_strays(number, vni);
  }
  if (!strangers_removed_ && now - made_at_ >= kStrangersGo) remove_strangers();
  look_after_devices();
  if (zebra_.look() && !vnis_.empty()) {
    asking_.came = now - kTick;
    asking_.next = now + kFirstAsking;
    asking_.left = kAskings;
  }
  if (asking_.next && now >= *asking_.next && phase_ == Phase::following) {
    asking_.next.reset();
    asking_.written = 0;
    asking_.unwritten.clear();
    asking_.vteps.clear();
    asking_.looks = dump_wanted_ = true;
  }
  end_asking(now);
}

// What the process before this one advertised, and this one doesn't.
void KernelFabric::remove_strays(uint32_t number, Vni& vni) {
  vni.settles.reset();
  for (auto& [address, mac] : vni.macs) {
    if (mac.on_port && !mac.wanted) queue(number, address, mac);
  }
  for (auto& [address, host] : vni.hosts) {
    if (!host.local.is_zero() && host.wanted.is_zero()) queue(number, address, host);
  }
}

// Devices of ours for VNIs that neither this process nor another one has.
void KernelFabric::remove_strangers() {
  strangers_removed_ = true;
  for (const uint32_t number : devices_.present()) {
    if (vnis_.contains(number)) continue;
    OpenError error;
    if (!InterfaceLock::take(ShadowDevices::find(number).bridge, error)) continue;
    spdlog::info("EVPN: VNI {} is in no bridge any more", number);
    devices_.remove(number);
  }
}

// Some VNIs a tick: have their devices gone, and can their bridge be locked by now (after an upgrade)? Of one that
// somebody has set down, or taken out of its bridge, nothing is seen before the next start.
void KernelFabric::look_after_devices() {
  for (size_t i = 0; i < std::min(kLookedAfterPerTick, vnis_.size()); ++i) {
    auto at = vnis_.upper_bound(looked_after_);
    if (at == vnis_.end()) at = vnis_.begin();
    auto& [number, vni] = *at;
    looked_after_ = number;
    OpenError error;
    if (vni.missing || ShadowDevices::find(number) != vni.devices) restore(number, vni);
    if (!vni.lock && vni.devices.bridge != 0) vni.lock = InterfaceLock::take(vni.devices.bridge, error);
  }
}

// New devices, with what is advertised; zebra writes the rest, as for any that it hasn't seen.
void KernelFabric::restore(uint32_t number, Vni& vni) {
  ShadowDevices::Made made = devices_.make(number, vni.local, vni.udp_port);
  if (made.error && !vni.missing) spdlog::warn("EVPN: VNI {}: {}", number, made.error.text());
  if (!made.error) spdlog::info("EVPN: the devices of VNI {} were gone, and are made anew", number);
  vni.missing = std::move(made.error);
  forget(vni.devices);
  vni.devices = made.devices;
  vni.lock.reset();
  if (!vni.missing) know(number, vni.devices);
  for (auto& [address, mac] : vni.macs) {
    mac.on_port = mac.on_vxlan = false;
    mac.self = {};
    changed_.push_back({number, address, {}});
    if (mac.wanted) queue(number, address, mac);
  }
  for (auto& [address, host] : vni.hosts) {
    host.local = host.remote = {};
    changed_.push_back({number, {}, address});
    if (!host.wanted.is_zero()) queue(number, address, host);
  }
  for (auto& [address, vtep] : vni.vteps) {
    vtep.there = false;
    changed_vteps_.emplace_back(number, address);
  }
}

// At the end of a dump. Where zebra has begun anew, it has written most of what it knows again. Where it hasn't yet, or
// somebody else has begun to follow neighbors, the next dump will tell.
void KernelFabric::ask_zebra(Clock::time_point now) {
  const size_t total = asking_.written + asking_.unwritten.size();
  if (dump_interrupted_ || total == 0 || asking_.written * 2 < total) {
    if (--asking_.left > 0) asking_.next = now + kNextAsking;
    return;
  }
  asking_.to_ask = std::move(asking_.unwritten);
  asking_.unwritten = {};
  // Whether these are written again, the kernel doesn't tell.
  for (const auto& [number, vni] : vnis_) {
    for (const auto& [address, host] : vni.hosts) {
      if (!host.remote.is_zero()) asking_.to_ask.push_back({number, {}, address});
    }
  }
  for (const auto& [number, address] : asking_.vteps) {
    Vni* const vni = get(number);
    const auto found = vni != nullptr ? vni->vteps.find(address) : std::map<IpAddress, Vtep>::iterator();
    if (vni == nullptr || found == vni->vteps.end() || !found->second.there) continue;
    found->second.asked = true;
    put(without(self_entry(vni->devices.vxlan, {}, address)));
    asking_.asked_vteps.emplace_back(number, address);
    ++counts_.asked;
  }
  asking_.asked_at = now;
}

void KernelFabric::send_asks(Clock::time_point until) {
  while (!asking_.to_ask.empty() && Clock::now() < until) {
    const Key key = asking_.to_ask.back();
    asking_.to_ask.pop_back();
    Vni* const vni = get(key.vni);
    if (vni == nullptr) continue;
    if (key.mac.is_zero()) {
      const auto host = vni->hosts.find(key.ip);
      if (host == vni->hosts.end() || host->second.remote.is_zero()) continue;
      host->second.asked = true;
      put(without(host_entry(vni->devices.bridge, key.ip, {})));
    } else {
      const auto mac = vni->macs.find(key.mac);
      if (mac == vni->macs.end() || !mac->second.on_vxlan) continue;
      mac->second.asked = true;
      put(without(fdb_entry(vni->devices.vxlan, key.mac, NTF_MASTER, 0)));
    }
    asking_.asked.push_back(key);
    asking_.asked_at = Clock::now();
    ++counts_.asked;
  }
}

// What hasn't come back is gone.
void KernelFabric::end_asking(Clock::time_point now) {
  if (!asking_.to_ask.empty() || phase_ != Phase::following || now - asking_.asked_at < kAnswerIn) return;
  for (const auto& [number, address] : std::exchange(asking_.asked_vteps, {})) {
    Vni* const vni = get(number);
    const auto found = vni != nullptr ? vni->vteps.find(address) : std::map<IpAddress, Vtep>::iterator();
    if (vni == nullptr || found == vni->vteps.end()) continue;
    found->second.asked = false;
    changed_vteps_.emplace_back(number, address);
  }
  for (const Key& key : std::exchange(asking_.asked, {})) {
    changed_.push_back(key);
    Vni* const vni = get(key.vni);
    if (vni == nullptr) continue;
    if (const auto host = vni->hosts.find(key.ip); key.mac.is_zero() && host != vni->hosts.end()) {
      host->second.asked = false;
    }
    const auto mac = vni->macs.find(key.mac);
    if (mac == vni->macs.end() || !std::exchange(mac->second.asked, false)) continue;
    if (mac->second.self.is_unspecified()) continue;
    put(without(self_entry(vni->devices.vxlan, key.mac, mac->second.self)));
  }
}

}  // namespace causeway
