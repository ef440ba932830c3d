// How often something may happen: so often a tick, and so often at once after a pause. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace causeway {

class TokenBucket {
 public:
  // `most`: at once. Ticks are WorkerContext::tick's, about a millisecond.
  bool take(uint32_t tick, uint32_t per_tick, uint32_t most) noexcept {
    const uint32_t passed = tick - tick_;
    tick_ = tick;
    tokens_ = passed >= most ? most : std::min(most, tokens_ + passed * per_tick);
    return tokens_ != 0 && tokens_-- != 0;
  }

 private:
  uint32_t tick_ = 0;
  uint32_t tokens_ = 0;
};

}  // namespace causeway
