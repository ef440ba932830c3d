// What hosts say of themselves, held against what they answer (RFC 9161 sections 3.2, 3.5 and 3.7).
#include <utility>

#include "control/hosts/hosts.h"
#include "control/hosts/probes.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr auto kRetry = 1s;        // between probes without an answer
constexpr unsigned kProbes = 3;    // unanswered, then it is gone
constexpr auto kFresh = 60s;       // an answer is good for so long
constexpr auto kDispute = 180s;    // that nobody is answered for, once two have claimed one address
constexpr auto kAfterLease = 10s;  // then its client has looked whether it is alone (RFC 5227 section 1.1)
constexpr int kLooks = 512;        // at a tick: 120,000 silent hosts are asked once a minute

}  // namespace

// The bridge port behind which it lives; null: none.
const Adjacency* Hosts::port_of(const HostKey& key, const MacAddress& mac) const {
  const auto entry = fdb_.find(key.bridge, mac_vlan(mac, key.vlan));
  const Adjacency* const port = entry ? tables_.adjacency(entry->exit) : nullptr;
  return port != nullptr && port->kind == TunnelType::none && port->bridge == key.bridge ? port : nullptr;
}

void Hosts::sighted(const HostSighting& sighting) {
  const HostKey key{sighting.bridge, sighting.vlan, sighting.ip};
  const auto state = bridges_.find(key.bridge);
  if (state == bridges_.end() || !state->second.suppresses || port_of(key, sighting.mac) == nullptr) return;
  const auto now = Clock::now();
  const Item item = hosts_.find(key);
  if (item == hosts_.end()) return begin(key, sighting, now);
  Host& host = item->second;
  if (host.bound) return;
  if (!host.snooped) {
    if (host.fabric == sighting.mac) begin(key, sighting, now);
    return;
  }
  if (host.snooped->mac == sighting.mac) return again(item, sighting, now);
  // Another says the same: who was first is asked, and stays if it answers.
  if (!host.snooped->verified || host.snooped->rival) return;
  host.snooped->rival = sighting.mac;
  if (host.snooped->probes == 0) probe(key, *host.snooped, now);
}

void Hosts::begin(const HostKey& key, const HostSighting& sighting, Clock::time_point now) {
  BridgeState& state = bridges_.at(key.bridge);
  if (state.snooped >= state.most) {
    ++state.refused;
    return;
  }
  ++state.snooped;
  Snooped& snooped = item_of(key)->second.snooped.emplace(Snooped{});
  snooped.mac = sighting.mac;
  snooped.nd_flags = sighting.nd_flags;
  snooped.confirmed = now;
  if (sighting.leased) return schedule(key, snooped, now + kAfterLease);
  probe(key, snooped, now);
}

void Hosts::again(Item item, const HostSighting& sighting, Clock::time_point now) {
  Snooped& snooped = *item->second.snooped;
  if (!sighting.answers) {
    // News of itself are asked for, too: other flags in its advertisements.
    const bool news = snooped.verified && !sighting.leased && sighting.nd_flags != snooped.nd_flags;
    if (news && snooped.probes == 0 && item->first.ip.is_v6()) probe(item->first, snooped, now);
    return;
  }
  if (snooped.probes == 0) return;  // nobody has asked
  snooped.verified = true;
  snooped.probes = 0;
  snooped.nd_flags = sighting.nd_flags;
  snooped.confirmed = now;
  if (snooped.rival) snooped.disputed_until = now + kDispute;
  snooped.rival.reset();
  schedule(item->first, snooped, now < snooped.disputed_until ? snooped.disputed_until : now + kFresh);
  settle(item);
}

void Hosts::tick() {
  const auto now = Clock::now();
  for (int looks = 0; looks < kLooks && !due_.empty() && due_.begin()->first <= now; ++looks) {
    look(hosts_.find(due_.begin()->second), now);
  }
}

void Hosts::look(Item item, Clock::time_point now) {
  Host& host = item->second;
  Snooped& snooped = *host.snooped;
  if (port_of(item->first, snooped.mac) == nullptr) return drop_snooped(item);  // silent, or elsewhere now
  const bool published = host.published != nullptr && host.published->source == HostSource::snooped;
  const uint16_t seen_s = published ? host.published->seen_s.load(std::memory_order_relaxed) : snooped.seen_s;
  const bool heard = std::exchange(snooped.seen_s, seen_s) != seen_s;
  if (heard && snooped.probes == 0) {
    snooped.confirmed = now;
    return schedule(item->first, snooped, now + kFresh);
  }
  if (snooped.probes < kProbes) return probe(item->first, snooped, now);
  if (!snooped.rival) return drop_snooped(item);
  const MacAddress rival = *snooped.rival;
  const Clock::time_point due = snooped.due;
  snooped = {};
  snooped.mac = rival;
  snooped.confirmed = now;
  snooped.due = due;
  probe(item->first, snooped, now);
  settle(item);
}

void Hosts::probe(const HostKey& key, Snooped& snooped, Clock::time_point now) {
  ++snooped.probes;
  schedule(key, snooped, now + kRetry);
  const Adjacency* const port = port_of(key, snooped.mac);
  rte_mbuf* const frame = port != nullptr ? hooks_.make_frame() : nullptr;
  if (frame == nullptr) return;
  write_host_probe(frame, prober_, key.vlan, key.ip, snooped.mac);
  hooks_.forward(*port, frame);
}

void Hosts::schedule(const HostKey& key, Snooped& snooped, Clock::time_point due) {
  due_.erase({snooped.due, key});
  snooped.due = due;
  due_.insert({due, key});
}

void Hosts::drop_snooped(Item item) {
  due_.erase({item->second.snooped->due, item->first});
  --bridges_.at(item->first.bridge).snooped;
  item->second.snooped.reset();
  settle(item);
}

}  // namespace causeway
