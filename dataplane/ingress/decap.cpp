#include "dataplane/ingress/decap.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "dataplane/frame/chain.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/move_start.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/gso/merged_datagrams.h"
#include "dataplane/ingress/for_host.h"
#include "dataplane/ingress/geneve_options.h"
#include "dataplane/ingress/marked_tunnel.h"
#include "dataplane/ingress/parse.h"
#include "dataplane/ingress/vlan.h"
#include "dataplane/to_control.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

// The tunnel headers are gone: what the frame still wants counts from the inner frame now. A checksum
// that was to be filled in the outer headers died with them.
void move_intent(rte_mbuf* m, uint16_t stripped) noexcept {
  Intent intent = intent_of(m);
  if (intent.csum_start < stripped) {
    clear_intent(m);
    return;
  }
  intent.csum_start = static_cast<uint16_t>(intent.csum_start - stripped);
  intent.tunnel_bytes = 0;
  intent.set_outer(Outer::none);
  set_intent(m, intent, m->ol_flags & kIntentFlags);
}

// RFC 6040 section 4.2, figure 4: the inner ECN field becomes the combination of both, or the frame dies.
// Called only if the outer field is ECT(1) or CE: the others change nothing.
DropReason combine_ecn(rte_mbuf* m, uint8_t outer) noexcept {
  const auto [ethertype, offset] = behind_tags(m);
  auto* ip4 = ethertype == kEtherTypeIpv4 ? writable_header_at<Ipv4Header>(m, offset) : nullptr;
  auto* ip6 = ethertype == kEtherTypeIpv6 ? writable_header_at<Ipv6Header>(m, offset) : nullptr;
  if (ip4 == nullptr && ip6 == nullptr) {
    // Not IP: not ECN-capable.
    return outer == kEcnCongestion ? DropReason::ecn : DropReason::none;
  }
  const uint8_t inner = ip4 != nullptr ? ip4->ecn() : ip6->ecn();
  uint8_t combined = inner;
  if (outer == kEcnCongestion) {
    if (inner == kEcnNotCapable) return DropReason::ecn;
    combined = kEcnCongestion;
  } else if (inner == kEcnCapable0) {
    combined = kEcnCapable1;
  }
  if (combined == inner) return DropReason::none;
  if (ip4 != nullptr) {
    const auto tos = static_cast<uint8_t>((ip4->tos & ~kEcnMask) | combined);
    ip4->checksum = update_checksum(ip4->checksum, be16(ip4->tos), be16(tos));
    ip4->tos = tos;
  } else {
    ip6->set_traffic_class(static_cast<uint8_t>((ip6->traffic_class() & ~kEcnMask) | combined));
  }
  return DropReason::none;
}

void strip(rte_mbuf* m, const OuterFrame& outer) noexcept {
  if (outer.end != m->pkt_len) [[unlikely]] {
    trim(m, outer.end);
  }
  move_start(m, outer.inner_offset);
  if (has_intent(m)) [[unlikely]] {
    move_intent(m, outer.inner_offset);
  }
}

bool any_contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) noexcept {
  return std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool may_be_learnt(const GroupTunnel& tunnel, const IpAddress& vtep) noexcept {
  return vtep != tunnel.local && (tunnel.allow_from.empty() || any_contains(tunnel.allow_from, vtep));
}

// The tunnel an outer frame belongs to, or why there is none. Bursts mostly come from one tunnel, so the last answer is
// tried first, be it that there is none.
class TunnelFinder {
 public:
  explicit TunnelFinder(WorkerContext& w) noexcept : w_(w) {}

  const Adjacency* find(const rte_mbuf* m, const TunnelKey& key, DropReason& reason) noexcept {
    if (!any_ || !(last_key_ == key)) look_up(m, key);
    reason = last_reason_;
    return last_;
  }
  // After find() gave null: the multicast tunnel that doesn't know the frame's VTEP, which only the control thread can
  // learn. None: the frame is to die.
  AdjacencyIndex learns_vtep() const noexcept { return learns_vtep_; }

 private:
  void look_up(const rte_mbuf* m, const TunnelKey& key) noexcept {
    any_ = true;
    last_key_ = key;
    const Adjacency* const marked = marked_tunnel(w_.tables, m, key);
    look_up(key, marked != nullptr ? marked->index : w_.tunnels->find(key));
    // A GRE key is a VSID and some entropy to NVGRE. A gretap tunnel between other ends may have the same key.
    const DropReason as_gretap = last_reason_;
    if (as_gretap != DropReason::none && as_gretap != DropReason::tunnel_unassigned && key.may_be_nvgre()) {
      look_up(key.as_nvgre(), w_.tunnels->find(key.as_nvgre()));
      if (last_reason_ == DropReason::unknown_vni) last_reason_ = as_gretap;
    }
  }

  void look_up(const TunnelKey& key, AdjacencyIndex index) noexcept {
    last_ = nullptr;
    learns_vtep_ = kNoAdjacency;
    // A record without a source is no VTEP's.
    if (index == kNoAdjacency || key.remote == IpAddress{}) return look_for_group(key);
    const Adjacency* const found = w_.tables.adjacency(index);
    const bool assigned = found != nullptr && found->bridge != kNoBridge;
    last_ = assigned ? found : nullptr;
    last_reason_ = assigned ? DropReason::none : DropReason::tunnel_unassigned;
  }

  void look_for_group(const TunnelKey& key) noexcept {
    const AdjacencyIndex group = w_.tunnels->find(key.any_source());
    if (group == kNoAdjacency) {
      const bool known = w_.tunnels->find(key.any_remote()) != kNoAdjacency;
      last_reason_ = known ? DropReason::unknown_remote : DropReason::unknown_vni;
      return;
    }
    const GroupTunnels* const tunnels = w_.tables.group_tunnels.load(std::memory_order_acquire);
    const auto found = tunnels->find(group);
    const Adjacency* const adjacency = w_.tables.adjacency(group);
    if (found == tunnels->end() || adjacency == nullptr || adjacency->bridge == kNoBridge) {
      last_reason_ = DropReason::tunnel_unassigned;
    } else if (const GroupTunnel& tunnel = found->second; !may_be_learnt(tunnel, key.remote)) {
      last_reason_ = key.remote == tunnel.local ? DropReason::unknown_remote : DropReason::source_not_allowed;
    } else {
      last_reason_ = DropReason::none;
      const bool offered =
          !w_.again && (!tunnel.full || w_.offered_vteps.take(group, kOfferedVtepsPerSecond, w_.now_s));
      if (offered) {
        learns_vtep_ = group;
      } else {
        last_ = adjacency;
      }
    }
  }

  WorkerContext& w_;
  bool any_ = false;
  AdjacencyIndex learns_vtep_ = kNoAdjacency;
  TunnelKey last_key_;
  const Adjacency* last_ = nullptr;
  DropReason last_reason_ = DropReason::none;
};

// Why a tunnel doesn't take a frame that is its own; none: it does.
DropReason refused_by(WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer, const Adjacency& in) noexcept {
  if (outer.zero_checksum && in.kind == TunnelType::geneve && (in.receive_rules & kZeroChecksumOk) == 0) {
    return DropReason::udp_zero_checksum;
  }
  if (!outer.plain_gre && in.kind == TunnelType::nvgre) return DropReason::gre_flags;  // RFC 7637 section 3.2
  if (outer.options_offset != 0 || (in.receive_rules & kMatchOptions) != 0) [[unlikely]] {
    return check_geneve_options(w, m, outer, in);
  }
  return DropReason::none;
}

// Where the host has the same frames, what isn't a tunnel's is its own business.
DropReason reason_for(const PortEntry& port, DropReason reason) noexcept {
  const bool no_tunnel = reason == DropReason::not_for_us || reason == DropReason::unknown_ethertype ||
                         reason == DropReason::unknown_protocol;
  return port.host && no_tunnel ? DropReason::host_traffic : reason;
}

// ARP, ND, ICMP, IGMP or MLD.
void to_this_host(WorkerContext& w, const PortEntry& port, rte_mbuf* m) noexcept {
  if (port.host_path == kNoPort) return punt_to_us(w, port, m);
  if (!offer_to_control(w, port, m)) give_to_host(w, m);
}

// A frame that parse_outer called dead.
void no_tunnels_frame(WorkerContext& w, const PortEntry& port, rte_mbuf* m, const OuterFrame& outer) noexcept {
  if (port.host_path == kNoPort) return drop(w, m, reason_for(port, outer.reason));
  is_hosts(w, m, outer) ? give_to_host(w, m) : drop(w, m, outer.reason);
}

// Null when the frame has left: dropped, with the control thread, or for the host.
[[gnu::noinline]] const Adjacency* decap_one(WorkerContext& w, const PortEntry& port, rte_mbuf* m,
                                             TunnelFinder& tunnels) noexcept {
  w.from = kNoAdjacency;
  OuterFrame outer;
  switch (parse_outer(w, port, m, outer)) {
    case OuterFrame::Verdict::tunnel:
      break;
    case OuterFrame::Verdict::control:
      to_this_host(w, port, m);
      return nullptr;
    case OuterFrame::Verdict::dead:
      no_tunnels_frame(w, port, m, outer);
      return nullptr;
  }
  if (!port.allow_from.empty() && !any_contains(port.allow_from, outer.key.remote)) {
    drop(w, m, DropReason::source_not_allowed);
    return nullptr;
  }
  DropReason reason = DropReason::none;
  const Adjacency* const in = tunnels.find(m, outer.key, reason);
  if (in == nullptr) {
    if (tunnels.learns_vtep() != kNoAdjacency) {
      punt_unknown_vtep(w, m, tunnels.learns_vtep(), outer.key.remote);
    } else {
      drop(w, m, reason);
    }
    return nullptr;
  }
  w.from = in->index;
  reason = refused_by(w, m, outer, *in);
  if (reason != DropReason::none) {
    drop(w, m, reason);
    return nullptr;
  }
  // The inner Ethernet header must lie in the first segment, as every header must.
  if (uint32_t{outer.inner_offset} + kEthernetBytes > std::min<uint32_t>(outer.end, rte_pktmbuf_data_len(m))) {
    drop(w, m, DropReason::inner_too_short);
    return nullptr;
  }
  if ((m->ol_flags & kNeedsSegment) != 0 && intent_of(m).csum_start < outer.inner_offset) [[unlikely]] {
    // UDP GSO of outer datagrams that the DatagramCutter can't take apart.
    drop(w, m, DropReason::segment_failed);
    return nullptr;
  }
  show(w, {&m, 1}, {.port = port.index, .headers = TunnelHeaders::outer, .tunnel = in->index});
  strip(m, outer);
  if ((outer.ecn & kEcnCapable1) != 0) [[unlikely]] {
    reason = combine_ecn(m, outer.ecn);
    if (reason != DropReason::none) {
      drop(w, m, reason);
      return nullptr;
    }
  }
  if (outer.inner_offset <= OuterCache::kMostBytes) {
    const auto* headers = rte_pktmbuf_mtod(m, const uint8_t*) - outer.inner_offset;
    const bool options = outer.options_offset != 0;
    w.outer_cache.remember(headers, outer.inner_offset, port.index, mac_vlan(port.mac, 0), w.cache.epoch(), *in,
                           options ? known_options(w.tables, in->index) : std::span<const KnownOption>());
  }
  return in;
}

// Frames received in a row from one tunnel are counted once.
class TunnelCount {
 public:
  explicit TunnelCount(WorkerContext& w) noexcept : w_(w) {}
  ~TunnelCount() { flush(); }
  void add(AdjacencyIndex in, uint32_t bytes) noexcept {
    if (in != in_) {
      flush();
      in_ = in;
      packets_ = bytes_ = 0;
    }
    ++packets_;
    bytes_ += bytes;
  }

 private:
  void flush() noexcept {
    if (in_ == kNoAdjacency) return;
    TrafficCounters& traffic = w_.counters.tunnels[in_];
    traffic.rx_packets.add(packets_);
    traffic.rx_bytes.add(bytes_);
  }

  WorkerContext& w_;
  AdjacencyIndex in_ = kNoAdjacency;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
};

// Frames in a row with the same options that nobody knows are counted once.
class OptionCount {
 public:
  explicit OptionCount(UnknownOptions& counted) noexcept : counted_(counted) {}
  ~OptionCount() { flush(); }
  void add(const OuterCache::More& frame) noexcept {
    if (&frame != last_) {
      flush();
      last_ = &frame;
      frames_ = 0;
    }
    ++frames_;
  }

 private:
  void flush() noexcept {
    if (last_ == nullptr) return;
    for (uint8_t i = 0; i < last_->unknowns; ++i) counted_.add(last_->unknown[i], frames_);
  }

  UnknownOptions& counted_;
  const OuterCache::More* last_ = nullptr;
  uint64_t frames_ = 0;
};

// What the outer cache knows of a burst's frames, beside where they came from. The index is not read from the
// adjacency, whose cache line nobody needs yet; all is copied, because who isn't known may take a known one's place.
struct Known {
  std::array<uint32_t, kBatch> place;  // OuterCache::place_of; 0: unknown
  bool vlan_rules = false;             // some tunnel has some
};

// RFC 768, RFC 8200 section 8.1; RFC 2784 section 2.5. Of a complete frame in one segment whose lengths are right.
template <OuterFamily kFamily>
bool sums_up(const rte_mbuf* m) noexcept {
  const auto* outer = rte_pktmbuf_mtod(m, const uint8_t*);
  const uint32_t l4_bytes = m->data_len - kFamily.l4();
  if constexpr (!kFamily.udp) return fold(sum_frame(outer + kFamily.l4(), l4_bytes, 0)) == 0xffff;
  // The addresses of the pseudo-header stand in front.
  const auto rest = uint32_t{be16(kIpProtocolUdp).raw()} + be16(static_cast<uint16_t>(l4_bytes)).raw();
  return fold(sum_frame(outer + kFamily.addresses(), m->data_len - kFamily.addresses(), rest)) == 0xffff;
}

// Whose checksum is wrong isn't known any more: the whole way says of what it dies.
template <OuterFamily kFamily>
[[gnu::noinline]] void verify(Batch& batch, Known& known, uint64_t unverified) noexcept {
  for (; unverified != 0; unverified &= unverified - 1) {
    const auto i = static_cast<uint16_t>(std::countr_zero(unverified));
    if (known.place[i] == 0 || sums_up<kFamily>(batch.frame[i])) continue;
    batch.in[i] = nullptr;
    known.place[i] = 0;
  }
}

// The first frame that may be merged datagrams: decap stops in front of it, and what is behind is looked at once more.
uint16_t first_merged(const Batch& batch) noexcept {
  uint16_t i = 0;
  while (i < batch.count && !has_intent(batch.frame[i])) ++i;
  return i;
}

// A pass of its own, for its registers. `kAll`: the first over this burst. True: all are known now.
template <OuterFamily kFamily, bool kAll>
[[gnu::noinline]] bool look(WorkerContext& w, const OuterCache::View cache, Batch& batch, Known& known) noexcept {
  static_assert(kBatch <= 64);
  OptionCount options(w.counters.unknown_options);
  const uint16_t count = batch.count;
  constexpr uint16_t kUnknown = UINT16_MAX;
  uint16_t merged = kUnknown;  // first_merged()
  uint64_t unverified = 0;
  uint16_t found = 0;
  bool vlan_rules = false;
  for (uint16_t i = 0; i < count; ++i) {
    const bool before = !kAll && batch.in[i] != nullptr;
    found += before ? 1 : 0;
    if (before) continue;
    bool sum = false;
    const OuterCache::Entry* entry = cache.find<kFamily>(batch.frame[i], sum);
    if (kFamily.udp && entry != nullptr && entry->option_bytes != 0) [[unlikely]] {
      if (merged == kUnknown) merged = first_merged(batch);
      if (i > merged) entry = nullptr;
      if (entry != nullptr && sum && !sums_up<kFamily>(batch.frame[i])) entry = nullptr;
      if (entry != nullptr) options.add(cache.more_of(entry));
      sum = false;
    }
    batch.in[i] = entry != nullptr ? entry->in : nullptr;
    known.place[i] = entry != nullptr ? entry->place : 0;
    vlan_rules |= entry != nullptr && entry->vlan_rules;
    found += entry != nullptr ? 1 : 0;
    unverified |= uint64_t{sum} << i;
  }
  known.vlan_rules |= vlan_rules;
  if (unverified != 0) verify<kFamily>(batch, known, unverified);
  return found == count;
}

template <bool kAll>
bool look(WorkerContext& w, OuterFamily family, const OuterCache::View& cache, Batch& batch, Known& known) noexcept {
  if (family.ipv6) {
    return family.udp ? look<OuterFamily{true, true}, kAll>(w, cache, batch, known)
                      : look<OuterFamily{true, false}, kAll>(w, cache, batch, known);
  }
  return family.udp ? look<OuterFamily{false, true}, kAll>(w, cache, batch, known)
                    : look<OuterFamily{false, false}, kAll>(w, cache, batch, known);
}

// A burst mostly is of one family; each that occurs is looked for once.
void find_known(WorkerContext& w, const PortEntry& port, Batch& batch, Known& known) noexcept {
  const OuterCache::View cache = w.outer_cache.view(port.index, mac_vlan(port.mac, 0), w.cache.epoch());
  uint32_t seen = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    if (seen != 0 && batch.in[i] != nullptr) continue;
    const rte_mbuf* const m = batch.frame[i];
    if (m->data_len < OuterCache::kLeastBytes) continue;
    const std::optional<OuterFamily> family = OuterFamily::of(rte_pktmbuf_mtod(m, const uint8_t*));
    if (!family || (seen >> family->number() & 1) != 0) continue;
    const bool all =
        seen == 0 ? look<true>(w, *family, cache, batch, known) : look<false>(w, *family, cache, batch, known);
    if (all) return;
    seen |= 1U << family->number();
  }
  if (seen != 0) return;
  std::fill_n(batch.in.begin(), batch.count, nullptr);
}

}  // namespace

uint16_t decap(WorkerContext& w, const PortEntry& port, Batch& batch) noexcept {
  Known known;
  find_known(w, port, batch, known);
  const bool shown = w.captures != nullptr;
  TunnelFinder tunnels(w);
  TunnelCount counted(w);
  uint16_t kept = 0;
  uint16_t count = batch.count;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const m = batch.frame[i];
    const Adjacency* in = batch.in[i];
    AdjacencyIndex index = kNoAdjacency;
    if (in != nullptr) [[likely]] {
      index = OuterCache::index_of(known.place[i]);
      if (shown) [[unlikely]] {
        show(w, {&batch.frame[i], 1}, {.port = port.index, .headers = TunnelHeaders::outer, .tunnel = index});
      }
      move_start(m, OuterCache::inner_offset_of(known.place[i]));
    } else {
      take_priority_tags(m);
      if (has_intent(m) && holds_datagrams(w, port, m)) [[unlikely]] {
        count = i;
        break;
      }
      in = decap_one(w, port, m, tunnels);
      if (in == nullptr) continue;
      index = in->index;
      known.vlan_rules |= in->vlan_rules;
    }
    counted.add(index, m->pkt_len);
    batch.frame[kept] = m;
    batch.in[kept] = in;
    batch.key[kept] = FlowKey::read(rte_pktmbuf_mtod(m, const void*), outer_vlan(m, 0), index);
    ++kept;
  }
  batch.count = kept;
  if (known.vlan_rules) [[unlikely]] {
    enter_vlans(w, batch);
  }
  return count;
}

}  // namespace causeway
