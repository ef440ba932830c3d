#include "dataplane/inspect/mirror.h"

#include <algorithm>
#include <utility>

#include "dataplane/frame/chain.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/gso/segment_limits.h"

namespace causeway {
namespace {

bool contains(const std::vector<bool>& set, size_t index) noexcept { return index < set.size() && set[index]; }

}  // namespace

bool MirrorChoice::selects(const CapturePlace& place) const noexcept {
  if (place.reason != DropReason::none) return false;
  switch (place.headers) {
    case TunnelHeaders::as_sent:
      return contains(place.outgoing ? ports_out : ports_in, place.port);
    case TunnelHeaders::inner:
      return contains(place.outgoing ? tunnels_out : tunnels_in, place.tunnel);
    case TunnelHeaders::outer:
      return false;
  }
  return false;
}

bool MirrorChoice::selects_vlan(uint16_t vlan) const noexcept {
  // What is flooded in the output VLAN is in it already.
  if (output_vlan != 0 && vlan == output_vlan) return false;
  return vlans.empty() || contains(vlans, vlan);
}

Mirrors::Mirrors(const Tables& tables, rte_mempool* pool, size_t workers, std::vector<Mirror> all)
    : tables_(tables), pool_(pool), all_(std::move(all)) {
  for (size_t i = 0; i < workers; ++i) waiting_.push_back(std::make_unique<Waiting>());
  at_tunnels_ = std::ranges::any_of(all_, [](const Mirror& mirror) { return !mirror.choice.tunnels_out.empty(); });
}

void Mirrors::look_at(size_t writer, std::span<rte_mbuf* const> frames, const CapturePlace& place) noexcept {
  if (writer >= waiting_.size() || waiting_[writer]->sending) return;
  for (size_t mirror = 0; mirror < all_.size(); ++mirror) {
    if (!all_[mirror].choice.selects(place)) continue;
    const Adjacency* const end = end_at(place);
    if (end == nullptr) continue;
    for (rte_mbuf* const frame : frames) take(writer, static_cast<uint16_t>(mirror), frame, *end);
  }
}

const Adjacency* Mirrors::end_at(const CapturePlace& place) const noexcept {
  if (place.headers != TunnelHeaders::as_sent) return tables_.adjacency(place.tunnel);
  const PortEntry* const port = tables_.port(place.port);
  return port != nullptr && port->adjacency != kNoAdjacency ? tables_.adjacency(port->adjacency) : nullptr;
}

void Mirrors::take(size_t worker, uint16_t mirror, rte_mbuf* frame, const Adjacency& end) noexcept {
  if (frame->data_len < kEthernetBytes) return;
  // These die before anybody copies anything of them.
  if ((frame->ol_flags & kNeedsSegment) != 0 && !has_sane_segments(frame)) return;
  const uint16_t tagged = outer_vlan(frame, 0);
  const MirrorChoice& choice = all_[mirror].choice;
  // Flooded, what is for this link's next bridge alone would reach others.
  const MacAddress& destination = rte_pktmbuf_mtod(frame, const EthernetHeader*)->destination;
  if (choice.output_vlan != 0 && is_bridges_own(destination.to_raw())) return;
  if (!choice.selects_vlan(tagged != 0 ? tagged : end.vlan.tag)) return;
  Waiting& waiting = *waiting_[worker];
  rte_mbuf* const copy = waiting.count < kRoom ? replicate(pool_, frame) : nullptr;
  if (copy == nullptr) {
    (*all_[mirror].counts)[worker].lost.add(1);
    return;
  }
  waiting.copy[waiting.count++] = {copy, mirror, end.bridge};
}

}  // namespace causeway
