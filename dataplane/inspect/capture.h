// Frames copied for somebody who looks at them (`causewayctl capture`): as they come in, as they go out, or as they
// were when they died. A worker asks one pointer whether there is anybody (WorkerContext::captures) and never waits:
// what finds no room in a ring is counted there.
#pragma once

#include <rte_bpf.h>
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/inspect/capture_ring.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// Indexes that the control thread puts in and takes out while workers ask.
class IndexSet {
 public:
  explicit IndexSet(size_t indexes) : words_((indexes + 63) / 64) {}
  bool contains(uint32_t index) const noexcept {
    return index / 64 < words_.size() && (words_[index / 64].load(std::memory_order_relaxed) >> (index % 64) & 1) != 0;
  }
  // All of them anew, `members` are 64 an element, the lowest first; what is missing at the end is none.
  void assign(const std::vector<uint64_t>& members) noexcept {
    for (size_t i = 0; i < words_.size(); ++i) {
      const uint64_t word = i < members.size() ? members[i] : 0;
      if (words_[i].load(std::memory_order_relaxed) != word) words_[i].store(word, std::memory_order_relaxed);
    }
  }

 private:
  LazyArray<std::atomic<uint64_t>> words_;
};

// Eight bytes of a frame, as they lie there, under a mask.
struct WordTest {
  uint32_t offset = 0;
  bool differs = false;  // passed by what isn't `value`
  uint64_t mask = 0;
  uint64_t value = 0;
  bool operator==(const WordTest&) const = default;

  bool passed(const uint8_t* frame) const noexcept {
    return (((word_at<uint64_t>(frame + offset) ^ value) & mask) == 0) != differs;
  }
};

// Which frames of a BPF program's choice; without a program all.
class FrameFilter {
 public:
  static constexpr size_t kMostTests = 6;

  FrameFilter() = default;
  // `necessary`: at most kMostTests; what the program takes passes at least one, if it reaches to the end of all. None:
  // the program is always asked.
  FrameFilter(rte_bpf* program, const std::vector<WordTest>& necessary) noexcept;

  bool passes(rte_mbuf* frame) const noexcept {
    if (program_ == nullptr) return true;
    if (!may_pass(frame)) return false;
    return (native_ != nullptr ? native_(frame) : rte_bpf_exec(program_.get(), frame)) != 0;
  }

 private:
  bool may_pass(const rte_mbuf* frame) const noexcept {
    if (frame->data_len < reach_) return true;
    const auto* const bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
    for (size_t i = 0; i < tests_count_; ++i) {
      if (tests_[i].passed(bytes)) return true;
    }
    return false;
  }

  struct Destroy {
    void operator()(rte_bpf* program) const noexcept { rte_bpf_destroy(program); }
  };
  std::unique_ptr<rte_bpf, Destroy> program_;
  uint64_t (*native_)(void*) = nullptr;  // null: there is no compiler for this processor
  std::array<WordTest, kMostTests> tests_;
  size_t tests_count_ = 0;
  uint32_t reach_ = UINT32_MAX;  // bytes that a frame must have in its first segment for the tests
};

// What frames somebody wants to see. Of which ports and tunnels stands in Capture's sets.
struct CaptureChoice {
  bool incoming = true;
  bool outgoing = true;
  bool inner = false;                    // at the ends of tunnels, without the outer headers
  bool outer = false;                    // the same with them
  bool drops = false;                    // frames that die, and no others
  DropReason reason = DropReason::none;  // drops: of this; none: of any
  uint32_t snap_bytes = 0;               // of each frame
};

// One that looks. Workers write, one thread reads; the control thread changes the sets.
struct Capture {
  Capture(const CaptureChoice& wanted, FrameFilter passed, size_t writers, size_t ring_bytes);

  struct Writer {
    explicit Writer(size_t ring_bytes) : ring(ring_bytes) {}
    CaptureRing ring;
    std::array<Counter, kMaxPorts> offered;  // that the filter was asked about
    std::array<Counter, kMaxPorts> lost;     // of those that it wanted; the ring was full
  };

  bool wants(const CapturePlace& place) const noexcept;

  const CaptureChoice choice;
  const FrameFilter filter;
  IndexSet ports{kMaxPorts};
  IndexSet tunnels{kMaxAdjacencies};
  std::vector<std::unique_ptr<Writer>> writers;  // a worker each, and the control thread
};

class Mirrors;

// All that look at a time; published whole (Tables::captures).
class Captures {
 public:
  explicit Captures(std::vector<std::shared_ptr<Capture>> all, std::shared_ptr<Mirrors> mirrors = {});

  // `writer`: the worker's id. The frames stay the caller's and as they are.
  void look_at(size_t writer, std::span<rte_mbuf* const> frames, const CapturePlace& place) const noexcept;
  // Whether somebody looks at the ends of tunnels.
  bool at_tunnels() const noexcept { return at_tunnels_; }
  // Null: there are none.
  Mirrors* mirrors() const noexcept { return mirrors_.get(); }

 private:
  std::vector<std::shared_ptr<Capture>> all_;
  bool at_tunnels_ = false;
  std::shared_ptr<Mirrors> mirrors_;
};

}  // namespace causeway
