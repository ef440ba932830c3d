// Statistics of one worker: written by it alone, read by the control thread at any time and added up
// there. No shared writes, no read-modify-write instructions.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/drop_reason.h"
#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/lazy_array.h"

namespace causeway {

class Counter {
 public:
  void add(uint64_t n) noexcept { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct TrafficCounters {
  Counter rx_packets;
  Counter rx_bytes;
  Counter tx_packets;
  Counter tx_bytes;
};

struct PortCounters {
  TrafficCounters traffic;
  Counter rx_drops;  // frames from this port that died
  Counter tx_drops;  // frames that died in its transmit queue
};

// How often GENEVE options of a class came that nobody knows; of the first classes by name, of the rest together.
class UnknownOptions {
 public:
  static constexpr size_t kClasses = 64;
  struct Class {
    std::atomic<uint32_t> number{0};  // the class plus 1; 0: free
    Counter count;
  };

  void add(uint16_t option_class, uint64_t times = 1) noexcept {
    for (Class& entry : classes_) {
      const uint32_t number = entry.number.load(std::memory_order_relaxed);
      if (number == 0) entry.number.store(option_class + 1U, std::memory_order_relaxed);
      if (number != 0 && number != option_class + 1U) continue;
      entry.count.add(times);
      return;
    }
    others_.add(times);
  }
  const std::array<Class, kClasses>& classes() const noexcept { return classes_; }
  uint64_t others() const noexcept { return others_.get(); }

 private:
  std::array<Class, kClasses> classes_{};
  Counter others_;
};

struct alignas(64) WorkerCounters {
  std::array<Counter, kDropReasons> drops;
  Counter rx_packets;
  Counter to_control;    // handed to the control thread
  Counter from_control;  // sent on its behalf
  Counter gro_in;        // frames merged on their way out,
  Counter gro_out;       // into so many; rx + from_control = tx + drops + (gro_in - gro_out) + to_control
  Counter busy_cycles;
  Counter idle_cycles;
  Counter cache_hits;
  Counter cache_misses;
  Counter cache_entries;  // a level, not a sum
  UnknownOptions unknown_options;
  LazyArray<PortCounters> ports{kMaxPorts};
  LazyArray<TrafficCounters> tunnels{kMaxAdjacencies};  // by adjacency index
  LazyArray<Counter> answered{1U << 16};                // by bridge: ARP and ND requests that weren't flooded
};

}  // namespace causeway
