// A word of a frame as it lies in memory, at any alignment.
#pragma once

#include <concepts>
#include <cstring>

namespace causeway {

template <std::unsigned_integral Word>
Word word_at(const void* bytes) noexcept {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

}  // namespace causeway
