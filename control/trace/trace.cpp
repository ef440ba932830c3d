#include "control/trace/trace.h"

#include <algorithm>
#include <memory>

#include "dataplane/bridging/host_messages.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/inspect/capture.h"
#include "dataplane/worker.h"

namespace causeway {
namespace {

// Room for what is seen. A flood to hundreds is more, and of that nobody reads all.
constexpr size_t kRingBytes = size_t{256} << 10;

// The frame as a chain of buffers; null: too few are left.
rte_mbuf* make_frame(rte_mempool* pool, std::span<const uint8_t> bytes) {
  rte_mbuf* const head = rte_pktmbuf_alloc(pool);
  if (head == nullptr) return nullptr;
  while (true) {
    rte_mbuf* const last = rte_pktmbuf_lastseg(head);
    const auto part = std::min<size_t>(bytes.size(), rte_pktmbuf_tailroom(last));
    std::copy_n(bytes.begin(), part, static_cast<uint8_t*>(rte_pktmbuf_mtod_offset(last, uint8_t*, last->data_len)));
    last->data_len = static_cast<uint16_t>(last->data_len + part);
    head->pkt_len += static_cast<uint32_t>(part);
    bytes = bytes.subspan(part);
    if (bytes.empty()) return head;
    rte_mbuf* const next = rte_pktmbuf_alloc(pool);
    if (next == nullptr) break;
    rte_pktmbuf_chain(head, next);
  }
  rte_pktmbuf_free(head);
  return nullptr;
}

// Looks at all frames that pass somewhere, or at all that die.
std::shared_ptr<Capture> capture_of(bool drops, uint32_t snap_bytes = 0) {
  CaptureChoice choice;
  choice.snap_bytes = snap_bytes;
  choice.inner = choice.outer = !drops;
  choice.drops = drops;
  auto capture = std::make_shared<Capture>(choice, FrameFilter(), 1, kRingBytes);
  capture->ports.assign(std::vector<uint64_t>(kMaxPorts / 64, UINT64_MAX));
  capture->tunnels.assign(std::vector<uint64_t>(kMaxAdjacencies / 64, UINT64_MAX));
  return capture;
}

void take_seen(Capture& capture, std::vector<Trace::Seen>& seen) {
  CaptureRing& ring = capture.writers.front()->ring;
  for (const CapturedFrame* frame = ring.front(); frame != nullptr; frame = ring.front()) {
    seen.push_back({frame->place, frame->cycles, frame->frame_bytes});
    ring.pop();
  }
}

// The host that a frame asks for which bridge `bridge` would flood; null: it asks for none that is known. `dead`: where
// it died for want of anybody to flood to.
const KnownHost* host_asked_for(const Tables& tables, BridgeIndex bridge, Capture& dead, rte_mempool* pool) {
  const HostTable* const hosts = tables.hosts.load(std::memory_order_relaxed);
  const CapturedFrame* const seen = dead.writers.front()->ring.front();
  if (hosts == nullptr || seen == nullptr || seen->place.reason != DropReason::no_flood_target) return nullptr;
  rte_mbuf* const frame = make_frame(pool, {seen->bytes(), seen->kept_bytes});
  if (frame == nullptr) return nullptr;
  const auto question = question_in(frame);
  const KnownHost* const host = question ? hosts->find(bridge, outer_vlan(frame, 0), question->target) : nullptr;
  rte_pktmbuf_free(frame);
  return host;
}

WorkerOptions options_with(rte_mempool* pool) {
  WorkerOptions options;
  options.cache_entries = 1;  // the least there can be
  options.pool = pool;
  return options;
}

// One frame's way through a worker that has done nothing else.
class Carrier {
 public:
  Carrier(ShadowTables& shadow, rte_mempool* pool, PortIndex port)
      : shadow_(shadow), list_{{.port = port}}, worker_(shadow.tables(), 0, options_with(pool)) {
    worker_.set_poll_list(&list_);
  }

  // What went to the control thread. A frame of an unknown VTEP comes back, as once that is learnt.
  std::vector<Trace::ToControl> carry(rte_mbuf* frame) {
    shadow_.deliver(frame);
    worker_.run_once();
    std::vector<Trace::ToControl> all;
    Mailbox::ControlEnd mailbox = worker_.mailbox();
    PuntedFrame punted;
    while (mailbox.take_urgent(punted) || mailbox.take_punted(punted)) {
      all.push_back({punted.kind, punted.from, punted.to, punted.vtep});
      const InjectedFrame again{.frame = punted.frame, .kind = Inject::receive_again, .port = punted.port};
      if (punted.kind == Punt::unknown_vtep && mailbox.inject(again)) {
        worker_.run_once();
      } else {
        rte_pktmbuf_free(punted.frame);
      }
    }
    return all;
  }
  std::optional<FlowKey> take_flow() {
    FlowKey key{};
    return worker_.mailbox().take_sample(key) ? std::optional(key) : std::nullopt;
  }
  std::optional<LearnMessage> take_learnt() {
    LearnMessage message;
    return worker_.mailbox().take_learned(message) ? std::optional(message) : std::nullopt;
  }
  const WorkerCounters& counters() const { return worker_.counters(); }

 private:
  ShadowTables& shadow_;
  const PollList list_;
  Worker worker_;
};

}  // namespace

std::optional<Trace> trace_frame(Gateway& gateway, PortIndex port, std::span<const uint8_t> bytes) {
  ShadowTables shadow(gateway);
  Tables& tables = shadow.tables();
  rte_mempool* const pool = gateway.pool();
  rte_mbuf* const first = tables.port(port) != nullptr ? make_frame(pool, bytes) : nullptr;
  if (first == nullptr) return std::nullopt;
  Trace trace;
  trace.port = port;
  trace.frame_bytes = static_cast<uint32_t>(bytes.size());

  // Once to know whose flow it is: a worker's first frame is a sample. Then with these two MACs in the FDB.
  constexpr uint32_t kQuestionBytes = 2048;  // more than any has
  const auto unflooded = capture_of(true, kQuestionBytes);
  const Captures of_first({unflooded});
  tables.sampling = true;
  tables.captures = &of_first;
  {
    Carrier carrier(shadow, pool, port);
    carrier.carry(first);
    trace.flow = carrier.take_flow();
  }
  shadow.forget_sent();
  tables.sampling = false;
  shadow.show_bridges();
  const KnownHost* asked = nullptr;
  BridgeIndex bridge = kNoBridge;
  if (trace.flow) {
    bridge = tables.adjacency(trace.flow->ingress())->bridge;
    trace.source = shadow.show_mac(bridge, trace.flow->source());
    trace.destination = shadow.show_mac(bridge, trace.flow->destination());
    asked = host_asked_for(tables, bridge, *unflooded, pool);
    if (asked != nullptr) shadow.show_mac(bridge, mac_vlan(asked->mac, asked->vlan));
  }

  const auto passing = capture_of(false);
  const auto dying = capture_of(true);
  const Captures captures({passing, dying});
  tables.captures = &captures;
  rte_mbuf* const frame = make_frame(pool, bytes);
  if (frame == nullptr) return std::nullopt;
  Carrier carrier(shadow, pool, port);
  trace.to_control = carrier.carry(frame);
  trace.learnt = carrier.take_learnt();
  trace.sent = shadow.sent();
  if (asked != nullptr && carrier.counters().answered[bridge].get() != 0) {
    trace.answer = Trace::Answer{asked->ip, asked->mac};
  }
  for (size_t i = 0; i < kDropReasons; ++i) trace.drops[i] = carrier.counters().drops[i].get();
  take_seen(*passing, trace.seen);
  take_seen(*dying, trace.seen);
  std::ranges::stable_sort(trace.seen, {}, &Trace::Seen::cycles);
  return trace;
}

}  // namespace causeway
