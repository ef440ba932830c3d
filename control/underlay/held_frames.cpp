#include "control/underlay/held_frames.h"

namespace causeway {

HeldFrames::~HeldFrames() {
  for (const auto& [hop, queue] : queues_) {
    for (const Held& held : queue.frames) rte_pktmbuf_free(held.frame.frame);
  }
}

void HeldFrames::add(const NextHop& hop, bool has_answered, const PuntedFrame& frame) {
  const size_t buffers = frame.frame->nb_segs;
  if (buffers > most_buffers_) return drop_(frame, DropReason::held_limit);
  const auto full = queues_.find(hop);
  if (full != queues_.end() && full->second.frames.size() == kEach) drop_first(full, DropReason::neighbor_unresolved);
  while (buffers_ + buffers > most_buffers_) {
    const Oldest& oldest = unanswered_.empty() ? answered_ : unanswered_;
    drop_first(queues_.find(oldest.begin()->second), DropReason::held_limit);
  }
  const auto [item, is_new] = queues_.try_emplace(hop);
  Queue& queue = item->second;
  queue.frames.push_back({frame, ++last_number_});
  buffers_ += buffers;
  if (!is_new) return;
  queue.has_answered = has_answered;
  oldest_of(queue).insert({last_number_, hop});
}

void HeldFrames::drop_first(Queues::iterator queue, DropReason reason) {
  auto& [hop, held] = *queue;
  const Held first = held.frames.front();
  held.frames.pop_front();
  buffers_ -= first.frame.frame->nb_segs;
  Oldest& oldest = oldest_of(held);
  oldest.erase({first.number, hop});
  if (held.frames.empty()) {
    queues_.erase(queue);
  } else {
    oldest.insert({held.frames.front().number, hop});
  }
  drop_(first.frame, reason);
}

void HeldFrames::erase(Queues::iterator queue) {
  for (const Held& held : queue->second.frames) buffers_ -= held.frame.frame->nb_segs;
  oldest_of(queue->second).erase({queue->second.frames.front().number, queue->first});
  queues_.erase(queue);
}

std::vector<PuntedFrame> HeldFrames::take(const NextHop& hop) {
  std::vector<PuntedFrame> frames;
  const auto queue = queues_.find(hop);
  if (queue == queues_.end()) return frames;
  for (const Held& held : queue->second.frames) frames.push_back(held.frame);
  erase(queue);
  return frames;
}

void HeldFrames::forget(const NextHop& hop, AdjacencyIndex adjacency) {
  const auto queue = queues_.find(hop);
  if (queue == queues_.end()) return;
  const bool has_answered = queue->second.has_answered;
  for (const PuntedFrame& frame : take(hop)) {
    if (adjacency == kNoAdjacency || frame.to == adjacency) {
      drop_(frame, DropReason::neighbor_unresolved);
    } else {
      add(hop, has_answered, frame);
    }
  }
}

size_t HeldFrames::count(const NextHop& hop) const {
  const auto queue = queues_.find(hop);
  return queue == queues_.end() ? 0 : queue->second.frames.size();
}

}  // namespace causeway
