#include "dataplane/worker.h"

#include <poll.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/bridging/forward.h"
#include "dataplane/bridging/host_path.h"
#include "dataplane/bridging/lookup.h"
#include "dataplane/bridging/output.h"
#include "dataplane/bridging/resolve.h"
#include "dataplane/bridging/send_mirrored.h"
#include "dataplane/bridging/suppress.h"
#include "dataplane/egress/tx.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/gso/segment_limits.h"
#include "dataplane/ingress/decap.h"
#include "dataplane/ingress/parse.h"
#include "dataplane/ingress/vlan.h"

namespace causeway {
namespace {

// Back-off of an idle worker: look again for this long, then sleep until a port's descriptor or the control
// thread wakes it. In time, not in turns: a look at a kernel port is a system call, two dozen at a NIC's ring
// cost less. Ports without a descriptor bound the sleep.
constexpr uint64_t kSpinNs = 10'000;
constexpr int64_t kLongSleepNs = 1'000'000;
constexpr int64_t kShortSleepNs = 50'000;
constexpr size_t kMaxSleepFds = 64;

// Frames of tunnels, without their outer headers.
[[gnu::cold]] void show_inner(const WorkerContext& w, const Batch& batch) noexcept {
  for (uint16_t i = 0; i < batch.count; ++i) {
    show(w, {&batch.frame[i], 1}, {.port = batch.port, .headers = TunnelHeaders::inner, .tunnel = batch.in[i]->index});
  }
}

}  // namespace

Worker::Worker(Tables& tables, uint16_t id, const WorkerOptions& options)
    : options_(options),
      quiescence_(tables.quiescence),
      context_(tables, id, options.cache_entries, options.seed),
      second_cycles_(rte_get_tsc_hz()),
      spin_cycles_(second_cycles_ * kSpinNs / 1'000'000'000),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  context_.pool = options.pool;
}

Worker::~Worker() {
  stop();
  PuntedFrame left;
  while (mailbox().take_punted(left)) rte_pktmbuf_free(left.frame);
  while (mailbox().take_urgent(left)) rte_pktmbuf_free(left.frame);
  InjectedFrame unsent;
  while (context_.mailbox.take(unsent)) rte_pktmbuf_free(unsent.frame);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void Worker::start() {
  stopping_.store(false, std::memory_order_relaxed);
  thread_ = std::thread([this] { run(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

void Worker::wake() noexcept {
  if (!asleep_.load(std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void Worker::run() noexcept {
  if (options_.core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(*options_.core, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores);
  }
  pthread_setname_np(pthread_self(), ("worker-" + std::to_string(context_.id)).c_str());
  rte_thread_register();  // a mempool cache of its own
  quiescence_.online(context_.id);
  uint64_t before = rte_rdtsc();
  uint64_t idle_since = before;
  while (!stopping_.load(std::memory_order_acquire)) {
    const uint32_t frames = run_once();
    if (frames == 0) back_off(before - idle_since);
    const uint64_t now = rte_rdtsc();
    (frames != 0 ? context_.counters.busy_cycles : context_.counters.idle_cycles).add(now - before);
    before = now;
    if (frames != 0) idle_since = now;
  }
  quiescence_.offline(context_.id);
  rte_thread_unregister();
}

uint32_t Worker::run_once() noexcept {
  WorkerContext& w = context_;
  quiescence_.quiescent(w.id);
  const PollList* const list = poll_list_.load(std::memory_order_acquire);
  // Before anything else of the tables is read: what changes behind this begins the next epoch.
  const uint64_t changes = w.tables.changes.load(std::memory_order_acquire);
  w.sampling = w.tables.sampling.load(std::memory_order_relaxed);
  w.snooping = w.tables.snooping.load(std::memory_order_relaxed);
  w.captures = w.tables.captures.load(std::memory_order_acquire);
  sampler_now_ = flow_sampler_.load(std::memory_order_acquire);
  w.fdb = w.tables.fdb.load(std::memory_order_acquire);
  w.tunnels = w.tables.tunnels.load(std::memory_order_acquire);
  w.udp_listeners = w.tables.udp_listeners.load(std::memory_order_acquire);
  w.hosts = w.tables.hosts.load(std::memory_order_acquire);
  const uint64_t now = rte_rdtsc();
  const auto now_s = static_cast<uint16_t>(now / second_cycles_);
  if ((changes != w.changes || now_s != w.now_s) && !w.cache.begin_epoch()) w.outer_cache.forget();
  w.changes = changes;
  w.now_s = now_s;
  w.tick = tick_of(now);

  uint32_t frames = send_injected();
  if (list != nullptr) frames += poll(*list);
  tx_flush_all(w);
  if (w.captures != nullptr) [[unlikely]] {
    send_mirrored(w, 0);
  }
  return frames;
}

uint32_t Worker::poll(const PollList& list) noexcept {
  WorkerContext& w = context_;
  uint32_t frames = 0;
  Batch batch;
  for (const PollEntry& entry : list) {
    const PortEntry* const port = w.tables.port(entry.port);
    if (port == nullptr) continue;
    if (entry.after != 0 && !quiescence_.passed(entry.from, entry.after)) [[unlikely]] {
      continue;
    }
    const uint64_t began = entry.cycles != nullptr ? rte_rdtsc() : 0;
    batch.count = port->io->rx_burst(entry.queue, batch.frame.data(), kBatch);
    if (batch.count == 0) continue;
    frames += batch.count;
    if (port->port_of_vlan.empty()) [[likely]] {
      process(*port, batch);
    } else {
      process_interfaces(*port, batch);
    }
    if (w.captures != nullptr) [[unlikely]] {
      send_mirrored(w, kMirroredPerTurn);
    }
    if (entry.cycles != nullptr) entry.cycles->add(rte_rdtsc() - began);
  }
  return frames;
}

// A burst of a device with VLAN interfaces, interface by interface.
void Worker::process_interfaces(const PortEntry& device, Batch& burst) noexcept {
  WorkerContext& w = context_;
  const PortIndex only = take_one_interface(device, burst);
  if (only != kNoPort) return process_interface(device, only, burst);
  std::array<PortIndex, kBatch> interface;
  const Adjacency* const port = device.underlay ? nullptr : w.tables.adjacency(device.adjacency);
  const bool bridged = port != nullptr && port->bridge != kNoBridge;
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (!bridged) take_priority_tags(burst.frame[i]);  // a bridge has frames as they are
    interface[i] = interface_of(device, burst.frame[i]);
  }
  Batch batch;
  while (burst.count != 0) {
    const PortIndex index = interface[0];
    uint16_t others = 0;
    batch.count = 0;
    for (uint16_t i = 0; i < burst.count; ++i) {
      if (interface[i] == index) {
        batch.frame[batch.count++] = burst.frame[i];
      } else {
        burst.frame[others] = burst.frame[i];
        interface[others++] = interface[i];
      }
    }
    burst.count = others;
    process_interface(device, index, batch);
  }
}

void Worker::process_interface(const PortEntry& device, PortIndex index, Batch& batch) noexcept {
  WorkerContext& w = context_;
  const PortEntry* const entry = index == device.index ? &device : w.tables.port(index);
  if (entry != nullptr) return process(*entry, batch);
  count_received(index, batch);
  for (uint16_t i = 0; i < batch.count; ++i) drop(w, batch.frame[i], DropReason::port_down);
}

// Returns the flags of all of them together.
uint64_t Worker::count_received(PortIndex port, const Batch& batch) noexcept {
  WorkerContext& w = context_;
  w.ingress = port;
  w.from = kNoAdjacency;  // not where the batch before came from
  TrafficCounters& traffic = w.counters.ports[port].traffic;
  uint64_t bytes = 0;
  uint64_t flags = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    bytes += rte_pktmbuf_pkt_len(batch.frame[i]);
    flags |= batch.frame[i]->ol_flags;
  }
  traffic.rx_packets.add(batch.count);
  traffic.rx_bytes.add(bytes);
  w.counters.rx_packets.add(batch.count);
  return flags;
}

// Super-packets that nobody is to cut die before anything is copied of them.
void Worker::refuse_segments(Batch& batch) noexcept {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    rte_mbuf* const m = batch.frame[i];
    if ((m->ol_flags & kNeedsSegment) != 0 && !has_sane_segments(m)) {
      drop(context_, m, DropReason::segment_size);
    } else {
      batch.frame[kept++] = m;
    }
  }
  batch.count = kept;
}

// The packet's way, every stage once.
void Worker::process(const PortEntry& port, Batch& batch) noexcept {
  const bool segments = (count_received(port.index, batch) & kNeedsSegment) != 0;
  if (context_.captures != nullptr) [[unlikely]] {
    show(context_, {batch.frame.data(), batch.count}, {.port = port.index});
  }
  if (segments) refuse_segments(batch);
  if (batch.count != 0) carry(port, batch);
  // To send many is a part of this port's turn, not of everybody's.
  if (segments) tx_flush_all(context_);
}

void Worker::carry(const PortEntry& port, Batch& batch) noexcept {
  const uint16_t received = batch.count;
  const uint16_t taken = carry_up_to_merged(port, batch);
  if (taken != received) [[unlikely]] {
    carry_apart(port, std::span(batch.frame).subspan(taken, received - taken));
  }
}

// Returns how many frames that were (decap.h).
uint16_t Worker::carry_up_to_merged(const PortEntry& port, Batch& batch) noexcept {
  WorkerContext& w = context_;
  uint16_t taken = batch.count;
  batch.port = port.index;
  batch.implied_tags = 0;
  if (port.underlay) {
    taken = decap(w, port, batch);
    if (w.captures != nullptr) [[unlikely]] {
      show_inner(w, batch);
    }
    if (w.for_host_count != 0) [[unlikely]] {
      send_to_host(w, port);
    }
  } else {
    const Adjacency* const in = w.tables.adjacency(port.adjacency);
    if (in == nullptr || in->bridge == kNoBridge) {
      if (port.host_path != kNoPort) send_from_host(w, port, batch);
      for (uint16_t i = 0; i < batch.count; ++i) drop(w, batch.frame[i], DropReason::port_unassigned);
      return taken;
    }
    parse_bridge_port(w, *in, batch);
  }
  if (batch.count == 0) return taken;
  if (w.sampling) [[unlikely]] {
    w.sampler.look_at(batch, w.mailbox);
  }
  if (lookup(w, batch) != 0) resolve(w, batch);
  if (w.snooping && w.hosts != nullptr) [[unlikely]] {
    snoop(w, batch);
  }
  if (sampler_now_ != nullptr) [[unlikely]] {
    sampler_now_->look_at(batch);
  }
  forward(w, batch);
  return taken;
}

// The rest of a burst from a merged frame on: its datagrams, then what came behind it, so that no flow's order changes.
void Worker::carry_apart(const PortEntry& port, std::span<rte_mbuf* const> frames) noexcept {
  Batch batch;
  while (!frames.empty()) {
    carry_datagrams(port, frames.front(), batch);
    frames = frames.subspan(1);
    batch.count = static_cast<uint16_t>(frames.size());
    std::ranges::copy(frames, batch.frame.begin());
    if (batch.count != 0) frames = frames.subspan(carry_up_to_merged(port, batch));
  }
}

// A merged frame has come as one; it counts as the frames that it was made of.
void Worker::carry_datagrams(const PortEntry& port, rte_mbuf* merged, Batch& batch) noexcept {
  WorkerContext& w = context_;
  w.datagrams.begin(merged);
  const uint32_t more = w.datagrams.left() - 1;
  TrafficCounters& traffic = w.counters.ports[port.index].traffic;
  traffic.rx_packets.add(more);
  traffic.rx_bytes.add(uint64_t{more} * w.datagrams.header_bytes());
  w.counters.rx_packets.add(more);
  while (w.datagrams.left() != 0) {
    batch.count = w.datagrams.next(batch.frame.data(), kBatch, w.pool);
    if (batch.count != 0) {
      carry_up_to_merged(port, batch);
      continue;
    }
    w.counters.drops[static_cast<size_t>(DropReason::mbuf_alloc)].add(w.datagrams.left());
    w.counters.ports[w.ingress].rx_drops.add(w.datagrams.left());
    w.datagrams.end();
  }
}

// Frames that the control thread hands over: its own (ARP, ICMP, IGMP), those that waited for a neighbor, and outer
// frames whose VTEP it has learnt.
uint32_t Worker::send_injected() noexcept {
  WorkerContext& w = context_;
  uint32_t frames = 0;
  InjectedFrame item;
  w.from = kNoAdjacency;
  while (frames < kBatch && w.mailbox.take(item)) {
    ++frames;
    w.counters.from_control.add(1);
    w.ingress = item.port;
    switch (item.kind) {
      case Inject::send:
        tx_enqueue(w, item.port, item.frame);
        break;
      case Inject::encap:
        forward_injected(item);
        break;
      case Inject::receive_again:
        receive_again(item);
        break;
    }
  }
  return frames;
}

void Worker::forward_injected(const InjectedFrame& item) noexcept {
  const Adjacency* const to = context_.tables.adjacency(item.to);
  if (to == nullptr) return drop(context_, item.frame, DropReason::port_down);
  output(context_, item.frame, *to);
}

void Worker::receive_again(const InjectedFrame& item) noexcept {
  const PortEntry* const port = context_.tables.port(item.port);
  if (port == nullptr) return drop(context_, item.frame, DropReason::port_down);
  Batch batch;
  batch.count = 1;
  batch.frame[0] = item.frame;
  context_.again = true;
  carry(*port, batch);
  context_.again = false;
  context_.from = kNoAdjacency;
}

void Worker::back_off(uint64_t idle_cycles) noexcept {
  if (options_.busy || idle_cycles < spin_cycles_) {
    rte_pause();
    return;
  }
  const PollList* const list = poll_list_.load(std::memory_order_acquire);
  sleep(list);
}

void Worker::sleep(const PollList* list) noexcept {
  WorkerContext& w = context_;
  std::array<pollfd, kMaxSleepFds> fds;
  nfds_t count = 0;
  fds[count++] = {wake_fd_, POLLIN, 0};
  bool all = true;
  static const PollList kNothing;
  for (const PollEntry& entry : list != nullptr ? *list : kNothing) {
    const PortEntry* const port = w.tables.port(entry.port);
    const int fd = port != nullptr && count < kMaxSleepFds ? port->io->rx_fd(entry.queue) : -1;
    if (fd < 0) {
      all = false;
    } else {
      fds[count++] = {fd, POLLIN, 0};
    }
  }
  asleep_.store(true, std::memory_order_seq_cst);
  const bool same_list = poll_list_.load(std::memory_order_seq_cst) == list;
  if (same_list && !w.mailbox.has_injected() && !stopping_.load(std::memory_order_acquire)) {
    // Still online: a grace period waits for the end of this sleep, and no port closes under it.
    const timespec timeout{0, all ? kLongSleepNs : kShortSleepNs};
    ppoll(fds.data(), count, &timeout, nullptr);
    if ((fds[0].revents & POLLIN) != 0) {
      uint64_t ignored = 0;
      [[maybe_unused]] const ssize_t got = read(wake_fd_, &ignored, sizeof(ignored));
    }
  }
  asleep_.store(false, std::memory_order_relaxed);
}

}  // namespace causeway
