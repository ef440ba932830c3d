// A stream of inner frames and what it is in a tunnel.
#pragma once

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {

// `got` are `count` frames of the stream `name` from `first` on, outer headers included.
inline void check_stream(const std::vector<Bytes>& got, const std::string& name, size_t first, size_t count) {
  const std::vector<Bytes> expected = pipeline_frames().sequence(name);
  REQUIRE(got.size() == count);
  for (size_t i = 0; i < count; ++i) {
    CAPTURE(name, i);
    check_outer(got[i], expected.at(first + i));
  }
}

}  // namespace causeway::test
