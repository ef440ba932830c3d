#include "dataplane/inspect/capture.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/inspect/mirror.h"

namespace causeway {
namespace {

void copy_out(const rte_mbuf* m, uint8_t* to, uint32_t bytes) noexcept {
  for (; bytes != 0 && m != nullptr; m = m->next) {
    const uint32_t piece = std::min<uint32_t>(bytes, m->data_len);
    std::memcpy(to, rte_pktmbuf_mtod(m, const void*), piece);
    to += piece;
    bytes -= piece;
  }
}

void keep(Capture& capture, Capture::Writer& writer, rte_mbuf* frame, const CapturePlace& place,
          uint64_t now) noexcept {
  const uint32_t kept = std::min(frame->pkt_len, capture.choice.snap_bytes);
  CapturedFrame* const record = writer.ring.reserve(kept);
  if (record == nullptr) {
    writer.lost[place.port].add(1);
    return;
  }
  record->frame_bytes = frame->pkt_len;
  record->place = place;
  record->cycles = now;
  copy_out(frame, reinterpret_cast<uint8_t*>(record + 1), kept);
  writer.ring.commit();
}

}  // namespace

FrameFilter::FrameFilter(rte_bpf* program, const std::vector<WordTest>& necessary) noexcept : program_(program) {
  rte_bpf_jit native{};
  if (rte_bpf_get_jit(program, &native) == 0) native_ = native.func;
  if (necessary.empty() || necessary.size() > kMostTests) return;
  tests_count_ = necessary.size();
  reach_ = 0;
  for (size_t i = 0; i < tests_count_; ++i) {
    tests_[i] = necessary[i];
    reach_ = std::max<uint32_t>(reach_, necessary[i].offset + sizeof(uint64_t));
  }
}

Capture::Capture(const CaptureChoice& wanted, FrameFilter passed, size_t writers_count, size_t ring_bytes)
    : choice(wanted), filter(std::move(passed)) {
  for (size_t i = 0; i < writers_count; ++i) writers.push_back(std::make_unique<Writer>(ring_bytes));
}

bool Capture::wants(const CapturePlace& place) const noexcept {
  const bool died = place.reason != DropReason::none;
  if (died != choice.drops || !(place.outgoing ? choice.outgoing : choice.incoming)) return false;
  if (died) {
    if (choice.reason != DropReason::none && choice.reason != place.reason) return false;
    return ports.contains(place.port) || tunnels.contains(place.tunnel);
  }
  switch (place.headers) {
    case TunnelHeaders::as_sent:
      return ports.contains(place.port);
    case TunnelHeaders::inner:
      return choice.inner && tunnels.contains(place.tunnel);
    case TunnelHeaders::outer:
      return choice.outer && tunnels.contains(place.tunnel);
  }
  return false;
}

Captures::Captures(std::vector<std::shared_ptr<Capture>> all, std::shared_ptr<Mirrors> mirrors)
    : all_(std::move(all)), mirrors_(std::move(mirrors)) {
  at_tunnels_ = std::ranges::any_of(all_, [](const auto& one) { return one->choice.inner || one->choice.outer; }) ||
                (mirrors_ && mirrors_->at_tunnels());
}

void Captures::look_at(size_t writer, std::span<rte_mbuf* const> frames, const CapturePlace& place) const noexcept {
  if (mirrors_) mirrors_->look_at(writer, frames, place);
  if (all_.empty()) return;
  const uint64_t now = rte_rdtsc();
  for (const auto& capture : all_) {
    if (place.port >= kMaxPorts || !capture->wants(place)) continue;
    Capture::Writer& to = *capture->writers[writer];
    to.offered[place.port].add(frames.size());
    for (rte_mbuf* const frame : frames) {
      if (capture->filter.passes(frame)) keep(*capture, to, frame, place, now);
    }
  }
}

}  // namespace causeway
