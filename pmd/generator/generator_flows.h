// Which flow is next, and when: the two clocks of a generator's queue. One thread uses each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "pmd/generator_settings.h"

namespace causeway {

// Rank r of n is as likely as 1 / (r + 1): the distribution's inverse at evenly spaced points, linear in between.
// Small enough for a core's own cache, and as large for 1,000 flows as for a million.
class ZipfTable {
 public:
  explicit ZipfTable(uint32_t flows);
  uint32_t rank(uint64_t random) const noexcept {
    const size_t point = random >> (64 - kPointBits);
    const double fraction = static_cast<double>(random << kPointBits >> 11) * 0x1p-53;
    return static_cast<uint32_t>(points_[point] + (points_[point + 1] - points_[point]) * fraction);
  }

 private:
  static constexpr unsigned kPointBits = 13;
  std::vector<double> points_;  // one more at the end, just below the number of flows
};

// A queue's flows are those whose number, modulo the number of queues, is the queue's.
class FlowSequence {
 public:
  FlowSequence(const GeneratorSettings& settings, uint16_t queue)
      : distribution_(settings.distribution),
        queue_(queue),
        queues_(settings.rx_queues),
        flows_((settings.flows - queue + queues_ - 1) / queues_),
        random_(0x9e3779b97f4a7c15ULL * (queue + 1U)) {
    if (distribution_ == GeneratorSettings::Distribution::zipf) zipf_.emplace(flows_);
  }

  void next(uint32_t* flows, uint16_t count) noexcept {
    switch (distribution_) {
      case GeneratorSettings::Distribution::sequential:
        for (uint16_t i = 0; i < count; ++i) {
          flows[i] = next_ * queues_ + queue_;
          if (++next_ == flows_) next_ = 0;
        }
        break;
      case GeneratorSettings::Distribution::uniform:
        for (uint16_t i = 0; i < count; ++i) {
          flows[i] = static_cast<uint32_t>((random() >> 32) * flows_ >> 32) * queues_ + queue_;
        }
        break;
      case GeneratorSettings::Distribution::zipf:
        for (uint16_t i = 0; i < count; ++i) flows[i] = zipf_->rank(random()) * queues_ + queue_;
        break;
    }
  }

 private:
  // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016).
  uint64_t random() noexcept {
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return random_ * 0x2545f4914f6cdd1dULL;
  }

  GeneratorSettings::Distribution distribution_;
  uint32_t queue_;
  uint32_t queues_;
  uint32_t flows_;  // of this queue
  uint32_t next_ = 0;
  uint64_t random_;
  std::optional<ZipfTable> zipf_;
};

// Frames due at a rate. What nobody fetches waits, as in a NIC's ring; what would overflow it is lost.
class Pacer {
 public:
  static constexpr double kRingFrames = 4096;

  explicit Pacer(double frames_per_cycle) : frames_per_cycle_(frames_per_cycle) {}

  // How many of `wanted` frames may go now. `now`: cycles. `left`: frames until the limit; beyond it none is due.
  uint16_t due(uint64_t now, uint16_t wanted, uint64_t left = UINT64_MAX) noexcept {
    if (last_ != 0) waiting_ += static_cast<double>(now - last_) * frames_per_cycle_;
    last_ = now;
    waiting_ = std::min(waiting_, static_cast<double>(left));
    if (waiting_ > kRingFrames) {
      missed_ += waiting_ - kRingFrames;
      waiting_ = kRingFrames;
    }
    const uint16_t frames = waiting_ < wanted ? static_cast<uint16_t>(waiting_) : wanted;
    waiting_ -= frames;
    return frames;
  }
  // Frames that were due and could not be made: they wait on.
  void put_back(uint16_t frames) noexcept { waiting_ += frames; }
  uint64_t missed() const noexcept { return static_cast<uint64_t>(missed_); }

 private:
  double frames_per_cycle_;
  double waiting_ = 0;  // frames
  double missed_ = 0;
  uint64_t last_ = 0;
};

}  // namespace causeway
