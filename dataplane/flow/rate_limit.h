// How often something may happen a second, to each of a number of things. One thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/flow/lazy_array.h"

namespace causeway {

class RateLimit {
 public:
  explicit RateLimit(size_t count) : seconds_(count) {}
  bool take(uint32_t which, uint32_t per_second, uint16_t now_s) noexcept {
    Second& second = seconds_[which];
    if (second.now_s != now_s) second = {now_s, 0};
    return second.taken < per_second && ++second.taken != 0;
  }

 private:
  struct Second {
    uint16_t now_s = 0;
    uint32_t taken = 0;
  };
  LazyArray<Second> seconds_;
};

}  // namespace causeway
