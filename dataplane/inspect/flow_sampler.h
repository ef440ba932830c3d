// Frames picked by chance for sFlow (control/sflow): one of so many that the bridges carry, whatever becomes of it,
// with where it came from and goes to, as the frame is without outer headers. A worker has one of its own
// (Worker::set_flow_sampler) or none, and pays a countdown a burst. It never waits: what finds no room is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/counters.h"
#include "dataplane/inspect/capture_ring.h"

namespace causeway {

// What stands in front of a sample's bytes in the ring.
struct SampleWay {
  AdjacencyIndex from = kNoAdjacency;
  AdjacencyIndex to = kNoAdjacency;  // kFlood: to several
  uint32_t vlan = 0;                 // 0: none
};

struct FlowSample {
  PortIndex port = 0;
  uint32_t frame_bytes = 0;
  SampleWay way;
  const uint8_t* header = nullptr;  // the first bytes of the frame
  uint32_t header_bytes = 0;
};

class FlowSampler {
 public:
  // One frame in `one_of` (1 to 2^30), on average; `header_bytes` of each are kept. Samplers with one seed pick alike.
  FlowSampler(uint32_t one_of, uint32_t header_bytes, uint32_t seed, size_t ring_bytes);

  // The worker: its frames have their ways (Batch::out), and haven't been sent. What died on the way there is passed
  // over.
  void look_at(const Batch& batch) noexcept {
    looked_at_[batch.port].add(batch.count);
    while (wait_ < batch.count) {
      take(batch, static_cast<uint16_t>(wait_));
      wait_ += gap();
    }
    wait_ -= batch.count;
  }

  // The control thread: the oldest sample, until pop(). False: there is none.
  bool front(FlowSample& sample) noexcept;
  void pop() noexcept { ring_.pop(); }
  // Frames from a port that could have been picked, and those that were and found no room.
  uint64_t looked_at(PortIndex port) const noexcept { return looked_at_[port].get(); }
  uint64_t lost(PortIndex port) const noexcept { return lost_[port].get(); }

 private:
  void take(const Batch& batch, uint16_t i) noexcept;
  // By chance, or flows in step with it would never be seen, or always. 1 to 2 * one_of_ - 1, all as likely.
  uint32_t gap() noexcept { return 1 + random() % (2 * one_of_ - 1); }
  // xorshift32 (Marsaglia, 2003).
  uint32_t random() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  const uint32_t one_of_;
  const uint32_t header_bytes_;
  uint32_t state_;
  uint32_t wait_;  // frames that pass before the next one that is picked
  CaptureRing ring_;
  std::array<Counter, kMaxPorts> looked_at_;
  std::array<Counter, kMaxPorts> lost_;
};

}  // namespace causeway
