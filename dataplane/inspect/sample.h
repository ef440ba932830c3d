// Which flows are large: one frame's key out of a few hundred goes to the control thread (control/offload/elephants.h),
// as sFlow does it. Only while some NIC could take such a flow off our hands (Tables::sampling).
#pragma once

#include "dataplane/batch.h"
#include "dataplane/exchange.h"

namespace causeway {

// Frames from one sample to the next, on average. By chance, or flows in step with it would never be seen, or always.
inline constexpr uint32_t kSampledOneOf = 256;

class Sampler {
 public:
  // The keys are made; what becomes of the frames doesn't matter.
  void look_at(const Batch& batch, Mailbox& mailbox) noexcept {
    while (wait_ < batch.count) {
      mailbox.sample(batch.key[wait_]);  // a full ring loses a sample
      wait_ += 1 + random() % (2 * kSampledOneOf - 1);
    }
    wait_ -= batch.count;
  }

 private:
  // xorshift32 (Marsaglia, 2003).
  uint32_t random() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  uint32_t wait_ = 0;
  uint32_t state_ = 2463534242;
};

}  // namespace causeway
