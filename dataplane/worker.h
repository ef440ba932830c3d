// One poll-mode worker: a thread, its queues, its caches. Made and destroyed by the control thread, which
// also changes its poll list while it runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "dataplane/batch.h"
#include "dataplane/context.h"
#include "dataplane/inspect/flow_sampler.h"

namespace causeway {

// A receive queue that a worker owns.
struct PollEntry {
  PortIndex port = 0;
  uint16_t queue = 0;
  uint16_t from = 0;          // the worker that had it before, if `after` is set
  uint64_t after = 0;         // not polled before `from` has passed this grace period: two would take the same buffers
  Counter* cycles = nullptr;  // that the frames of this queue take, but for sending them; null: not measured
  bool operator==(const PollEntry& other) const { return port == other.port && queue == other.queue; }
};
using PollList = std::vector<PollEntry>;

struct WorkerOptions {
  std::optional<unsigned> core;  // pinned to it; otherwise it floats
  bool busy = false;             // never backs off
  uint32_t cache_entries = 65536;
  uint64_t seed = 0;
  rte_mempool* pool = nullptr;
};

class Worker {
 public:
  Worker(Tables& tables, uint16_t id, const WorkerOptions& options);
  ~Worker();  // stops
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  void stop();  // returns when the thread has ended

  // Control thread: published like any table; the old list is the caller's to free after a grace period.
  const PollList* set_poll_list(const PollList* list) noexcept {
    return poll_list_.exchange(list, std::memory_order_seq_cst);
  }
  // The same for what picks samples of the frames that pass; null: nothing does.
  FlowSampler* set_flow_sampler(FlowSampler* sampler) noexcept {
    return flow_sampler_.exchange(sampler, std::memory_order_acq_rel);
  }
  // Control thread: ends a sleep after something was injected or the poll list changed.
  void wake() noexcept;

  // One turn of the loop; returns how many frames came in. For tests, on a worker that wasn't started.
  uint32_t run_once() noexcept;

  uint16_t id() const noexcept { return context_.id; }
  // Control thread: its ends of the rings.
  Mailbox::ControlEnd mailbox() noexcept { return Mailbox::ControlEnd(context_.mailbox); }
  // Any thread may read these while the worker writes: the counters, and the cache's keys (FlowCache::key_at).
  const WorkerCounters& counters() const noexcept { return context_.counters; }
  // Control thread: what has died, to take.
  DropExamples& drop_examples() noexcept { return *context_.examples; }
  const FlowCache& flow_cache() const noexcept { return context_.cache; }
  // For tests, on a worker that wasn't started.
  const OuterCache& outer_cache() const noexcept { return context_.outer_cache; }
  std::optional<unsigned> core() const noexcept { return options_.core; }

 private:
  void run() noexcept;
  uint32_t poll(const PollList& list) noexcept;
  uint32_t send_injected() noexcept;
  void process(const PortEntry& port, Batch& batch) noexcept;
  void carry(const PortEntry& port, Batch& batch) noexcept;
  uint16_t carry_up_to_merged(const PortEntry& port, Batch& batch) noexcept;
  void carry_apart(const PortEntry& port, std::span<rte_mbuf* const> frames) noexcept;
  void carry_datagrams(const PortEntry& port, rte_mbuf* merged, Batch& batch) noexcept;
  void forward_injected(const InjectedFrame& item) noexcept;
  void receive_again(const InjectedFrame& item) noexcept;
  void process_interfaces(const PortEntry& device, Batch& burst) noexcept;
  void process_interface(const PortEntry& device, PortIndex index, Batch& batch) noexcept;
  uint64_t count_received(PortIndex port, const Batch& batch) noexcept;
  void refuse_segments(Batch& batch) noexcept;
  void back_off(uint64_t idle_cycles) noexcept;
  void sleep(const PollList* list) noexcept;

  WorkerOptions options_;
  Quiescence& quiescence_;  // besides FdbSlot::seen_s and Adjacency::sequence, all it writes of them
  WorkerContext context_;
  std::atomic<const PollList*> poll_list_{nullptr};
  std::atomic<FlowSampler*> flow_sampler_{nullptr};
  FlowSampler* sampler_now_ = nullptr;  // loaded at the top of each loop
  std::atomic<bool> stopping_{false};
  std::atomic<bool> asleep_{false};
  uint64_t second_cycles_;
  uint64_t spin_cycles_;
  int wake_fd_;
  std::thread thread_;
};

}  // namespace causeway
