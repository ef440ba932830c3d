// `show workers`.
#include "control/view/tables.h"
#include "pmd/eal.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct WorkerView {
  const Gateway& gateway;
  Worker& worker;
  const WorkerCounters& counters;
};

// Their number never changes.
RecordStream<WorkerView> worker_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return [&gateway, next = size_t{0}](const auto& add) mutable {
    if (next >= gateway.workers().size()) return false;
    Worker& worker = *gateway.workers()[next++];
    add({gateway, worker, worker.counters()});
    return true;
  };
}

std::string queue_name(const WorkerView& view, const PollEntry& entry) {
  return view.gateway.ports().find(entry.port)->port->name() + ":" + std::to_string(entry.queue);
}

json queues_json(const WorkerView& view) {
  json queues = json::array();
  for (const PollEntry& entry : view.gateway.ports().rx_queues().dealt()[view.worker.id()]) {
    queues.push_back(queue_name(view, entry));
  }
  return queues;
}

// Null where nobody measures it (`system.rebalance`).
json loads_json(const WorkerView& view) {
  const Rebalance* const rebalance = view.gateway.rebalance();
  if (rebalance == nullptr) return nullptr;
  json loads = json::object();
  for (const PollEntry& entry : view.gateway.ports().rx_queues().dealt()[view.worker.id()]) {
    loads[queue_name(view, entry)] = rebalance->load(entry.port, entry.queue);
  }
  return loads;
}

constexpr Column<WorkerView> kColumns[] = {
    {{"id", "ID", text, "", "The worker's number."}, [](const WorkerView& view) -> json { return view.worker.id(); }},
    {{"core", "CORE", text, "", "The core that it is bound to."},
     [](const WorkerView& view) { return view.worker.core() ? json(*view.worker.core()) : json(); }},
    {{"queues", "QUEUES", text, "", "The receive queues that it polls, as port:queue."}, queues_json},
    {{"queue_loads", "", text, "",
      "Each queue's share of a worker's time, 0 to 1, in the last 5 s; with `system.rebalance: auto`."},
     loads_json},
    {{"rx_packets", "RX PACKETS", counter, "packets", "Packets that it has received."},
     [](const WorkerView& view) -> json { return view.counters.rx_packets.get(); }},
    {{"gro_in", "GRO IN", counter, "packets", "Packets that it has merged on their way out."},
     [](const WorkerView& view) -> json { return view.counters.gro_in.get(); }},
    {{"gro_out", "GRO OUT", counter, "packets", "What the packets that it has merged became."},
     [](const WorkerView& view) -> json { return view.counters.gro_out.get(); }},
    {{"busy_cycles", "BUSY CYCLES", counter, "cycles", "Cycles of the core in rounds with something to do."},
     [](const WorkerView& view) -> json { return view.counters.busy_cycles.get(); }},
    {{"idle_cycles", "IDLE CYCLES", counter, "cycles", "Cycles of the core in rounds with nothing to do."},
     [](const WorkerView& view) -> json { return view.counters.idle_cycles.get(); }},
    {{"flow_cache.entries", "FLOW CACHE ENTRIES", gauge, "flows", "Places in use in its flow cache."},
     [](const WorkerView& view) -> json { return view.counters.cache_entries.get(); }},
    {{"flow_cache.hits", "FLOW CACHE HITS", counter, "packets", "Packets whose flow was in its cache."},
     [](const WorkerView& view) -> json { return view.counters.cache_hits.get(); }},
    {{"flow_cache.misses", "FLOW CACHE MISSES", counter, "packets", "Packets whose flow wasn't in its cache."},
     [](const WorkerView& view) -> json { return view.counters.cache_misses.get(); }},
    {{"flow_cache.capacity", "", gauge, "flows", "Places in its flow cache."},
     [](const WorkerView& view) -> json { return view.worker.flow_cache().capacity(); }},
    {{"to_control", "", counter, "packets", "Packets handed to the control thread."},
     [](const WorkerView& view) -> json { return view.counters.to_control.get(); }},
    {{"from_control", "", counter, "packets", "Packets sent on the control thread's behalf."},
     [](const WorkerView& view) -> json { return view.counters.from_control.get(); }},
    {{"waiting_for_control", "", gauge, "packets", "Packets that the control thread hasn't taken yet."},
     [](const WorkerView& view) -> json { return view.worker.mailbox().waiting_for_control(); }},
    {{"waiting_for_worker", "", gauge, "packets", "Packets of the control thread that it hasn't taken yet."},
     [](const WorkerView& view) -> json { return view.worker.mailbox().waiting_for_worker(); }},
    {{"mbufs_used", "", gauge, "buffers", "Buffers in use, by whomever: they are of all workers together."},
     [](const WorkerView& view) -> json { return buffers_in_use(view.gateway.pool()); }},
};

}  // namespace

Table workers_table() { return table_of(kColumns, worker_views); }

}  // namespace causeway
