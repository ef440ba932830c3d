#include "control/hosts/hosts.h"

#include <algorithm>
#include <bit>

#include "dataplane/wire/icmp.h"

namespace causeway {
namespace {

constexpr uint32_t kFirstSlots = 1024;

// Of hosts whose advertisements nobody has seen. A router's without the flag would cost hosts their default route (RFC
// 4861 section 7.2.5), a host's with it costs nothing.
constexpr uint32_t kUnseenNdFlags = kNdAdvertisementRouter | kNdAdvertisementOverride;

// Locally administered, and nobody's guess.
MacAddress prober_of(uint64_t seed) {
  MacAddress mac = MacAddress::from_u64(hash_words(seed, 1, 0));
  mac.bytes[0] = static_cast<uint8_t>((mac.bytes[0] & 0xfc) | 2);
  return mac;
}

}  // namespace

const char* to_string(HostSource source) {
  switch (source) {
    case HostSource::bound:
      return "binding";
    case HostSource::fabric:
      return "fabric";
    case HostSource::snooped:
      return "snooped";
  }
  return "";
}

const char* to_string(Hosts::State state) {
  switch (state) {
    case Hosts::State::known:
      return "known";
    case Hosts::State::verifying:
      return "verifying";
    case Hosts::State::probing:
      return "probing";
    case Hosts::State::disputed:
      return "disputed";
  }
  return "";
}

HostSource Hosts::Host::source() const {
  if (bound) return HostSource::bound;
  return fabric ? HostSource::fabric : HostSource::snooped;
}

MacAddress Hosts::Host::mac() const {
  if (bound) return *bound;
  return fabric ? *fabric : snooped->mac;
}

Hosts::State Hosts::Host::state(Clock::time_point now) const {
  if (source() != HostSource::snooped) return State::known;
  if (!snooped->verified) return State::verifying;
  if (now < snooped->disputed_until) return State::disputed;
  return snooped->probes != 0 ? State::probing : State::known;
}

Hosts::Hosts(Tables& tables, Publisher& publisher, const Fdb& fdb, uint64_t seed, Hooks hooks)
    : tables_(tables),
      publisher_(publisher),
      fdb_(fdb),
      seed_(seed),
      prober_(prober_of(seed)),
      hooks_(std::move(hooks)) {}

Hosts::~Hosts() {
  publisher_.publish<HostTable>(tables_.hosts, nullptr);
  for (auto& [key, host] : hosts_) retire(std::move(host.published));
}

const Hosts::BridgeState* Hosts::bridge(BridgeIndex bridge) const {
  const auto found = bridges_.find(bridge);
  return found == bridges_.end() ? nullptr : &found->second;
}

void Hosts::for_each_of(BridgeIndex bridge, const std::function<void(Item)>& visit) {
  for (auto item = hosts_.lower_bound(HostKey{.bridge = bridge, .vlan = 0, .ip = {}});
       item != hosts_.end() && item->first.bridge == bridge;) {
    const auto visited = item++;  // which may go
    visit(visited);
  }
}

void Hosts::set_bridge(BridgeIndex bridge, bool suppresses, uint32_t most) {
  BridgeState& state = bridges_[bridge];
  state.most = most;
  if (std::exchange(state.suppresses, suppresses) == suppresses) return;
  if (suppresses && table_ == nullptr) show_table(kFirstSlots);
  for_each_of(bridge, [&](Item item) {
    if (!suppresses && item->second.snooped) {
      drop_snooped(item);
    } else {
      settle(item);
    }
  });
  const bool any = std::ranges::any_of(bridges_, [](const auto& other) { return other.second.suppresses; });
  if (!any && table_ != nullptr) {
    tables_.snooping.store(false, std::memory_order_relaxed);
    publisher_.publish<HostTable>(tables_.hosts, nullptr);
    table_ = nullptr;
  }
}

void Hosts::forget_bridge(BridgeIndex bridge) {
  set_bridge(bridge, false, 0);
  std::erase_if(bound_, [bridge](const auto& bound) { return bound.first.bridge == bridge; });
  for_each_of(bridge, [this](Item item) {
    item->second.bound.reset();
    item->second.fabric.reset();
    settle(item);
  });
  bridges_.erase(bridge);
}

void Hosts::bind(std::map<HostKey, MacAddress> bound) {
  const std::map<HostKey, MacAddress> before = std::exchange(bound_, std::move(bound));
  for (const auto& [key, mac] : before) {
    if (bound_.contains(key)) continue;
    const Item item = hosts_.find(key);
    item->second.bound.reset();
    settle(item);
  }
  for (const auto& [key, mac] : bound_) {
    const Item item = item_of(key);
    if (item->second.bound == mac) continue;
    item->second.bound = mac;
    settle(item);
  }
}

void Hosts::fabric_host(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac) {
  const Item item = item_of({bridge, vlan, ip});
  item->second.fabric = mac;
  const bool moved_away = item->second.snooped && port_of(item->first, item->second.snooped->mac) == nullptr;
  moved_away ? drop_snooped(item) : settle(item);
}

void Hosts::fabric_host_gone(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip) {
  const Item item = hosts_.find({bridge, vlan, ip});
  if (item == hosts_.end()) return;
  item->second.fabric.reset();
  settle(item);
}

void Hosts::tell(Local local) {
  local_ = std::move(local);
  for (const auto& [key, host] : hosts_) {
    if (host.local) local_(key.bridge, key.vlan, key.ip, *host.local, false);
  }
}

void Hosts::settle(Item item) {
  const HostKey& key = item->first;
  Host& host = item->second;
  const bool counts = host.snooped && host.snooped->counts(Clock::now());
  std::optional<MacAddress> local = host.bound;
  if (!local && counts) local = host.snooped->mac;
  if (host.local != local) {
    const std::optional<MacAddress> before = std::exchange(host.local, local);
    if (before && local_) local_(key.bridge, key.vlan, key.ip, *before, true);
    if (local) host.fabric.reset();  // it has moved here: the fabric forgets it, too
    if (local && local_) local_(key.bridge, key.vlan, key.ip, *local, false);
  }
  publish(key, host, counts);
  if (host.is_nobody()) hosts_.erase(item);
}

void Hosts::publish(const HostKey& key, Host& host, bool counts) {
  const auto state = bridges_.find(key.bridge);
  const bool suppresses = state != bridges_.end() && state->second.suppresses;
  if (!suppresses || !(host.bound || host.fabric || counts)) {
    if (host.published == nullptr) return;
    table_->replace(*host.published, nullptr);
    --published_;
    --state->second.published;
    return retire(std::move(host.published));
  }
  auto next = std::make_shared<KnownHost>();
  next->bridge = key.bridge;
  next->vlan = key.vlan;
  next->ip = key.ip;
  next->mac = host.mac();
  next->source = host.source();
  next->nd_flags = next->source == HostSource::snooped ? host.snooped->nd_flags : kUnseenNdFlags;
  const KnownHost* const old = host.published.get();
  if (old == nullptr) {
    if ((used_ + 1) * 2 > table_->capacity()) show_table(std::bit_ceil(std::max(kFirstSlots, (published_ + 1) * 4)));
    used_ += table_->insert(*next) ? 1 : 0;
    ++published_;
    ++state->second.published;
  } else {
    if (old->mac == next->mac && old->source == next->source && old->nd_flags == next->nd_flags) return;
    table_->replace(*old, next.get());
  }
  if (host.snooped) host.snooped->seen_s = 0;  // as the new one has it
  retire(std::exchange(host.published, std::move(next)));
}

// A larger table, or one without the slots that were freed.
void Hosts::show_table(uint32_t slots) {
  auto next = std::make_unique<HostTable>(slots, seed_, prober_);
  used_ = 0;
  for (const auto& [key, host] : hosts_) {
    if (host.published != nullptr) used_ += next->insert(*host.published) ? 1 : 0;
  }
  table_ = next.get();
  publisher_.publish<HostTable>(tables_.hosts, std::move(next));
  tables_.snooping.store(true, std::memory_order_relaxed);
}

void Hosts::retire(std::shared_ptr<const KnownHost> old) {
  if (old != nullptr) publisher_.after_grace([old = std::move(old)] {});
}

}  // namespace causeway
