// The ring between a worker and who looks at its frames.
#include <algorithm>
#include <cstdint>
#include <thread>

#include "dataplane/inspect/capture_ring.h"
#include "tests/catch.h"

namespace causeway {
namespace {

uint8_t* bytes_of(CapturedFrame* frame) { return reinterpret_cast<uint8_t*>(frame + 1); }

// Of all lengths from 0 to some more than a cache line.
uint32_t length_of(uint64_t number) { return static_cast<uint32_t>(number * 2654435761U % 200); }

bool write(CaptureRing& ring, uint64_t number) {
  CapturedFrame* const frame = ring.reserve(length_of(number));
  if (frame == nullptr) return false;
  frame->cycles = number;
  std::fill_n(bytes_of(frame), length_of(number), static_cast<uint8_t>(number));
  ring.commit();
  return true;
}

bool is_whole(const CapturedFrame& frame, uint64_t number) {
  return frame.cycles == number && frame.kept_bytes == length_of(number) &&
         std::all_of(frame.bytes(), frame.bytes() + frame.kept_bytes,
                     [number](uint8_t byte) { return byte == static_cast<uint8_t>(number); });
}

}  // namespace

TEST_CASE("a capture ring refuses what it has no room for, and keeps the rest") {
  CaptureRing ring(1000);  // rounded up to 1,024
  CHECK(ring.front() == nullptr);
  CHECK(ring.reserve(1024) == nullptr);
  uint64_t written = 0;
  uint64_t read = 0;
  for (int round = 0; round < 200; ++round) {
    while (write(ring, written)) ++written;
    CHECK(written > read);
    for (const CapturedFrame* frame = ring.front(); frame != nullptr; frame = ring.front()) {
      REQUIRE(is_whole(*frame, read));
      ring.pop();
      ++read;
    }
    CHECK(read == written);
  }
}

TEST_CASE("frames written into a capture ring come out whole and in order", "[threads]") {
  CaptureRing ring(4096);
  constexpr uint64_t kFrames = 20000;
  std::thread writer([&ring] {
    for (uint64_t number = 0; number < kFrames;) {
      if (write(ring, number)) {
        ++number;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint64_t wrong = 0;
  for (uint64_t number = 0; number < kFrames;) {
    const CapturedFrame* const frame = ring.front();
    if (frame == nullptr) {
      std::this_thread::yield();
      continue;
    }
    wrong += is_whole(*frame, number) ? 0 : 1;
    ring.pop();
    ++number;
  }
  writer.join();
  CHECK(wrong == 0);
}

}  // namespace causeway
