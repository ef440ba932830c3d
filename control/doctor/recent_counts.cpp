#include "control/doctor/recent_counts.h"

#include <utility>

namespace causeway {
namespace {

RecentCounts::Work so_far(const Worker& worker) {
  const WorkerCounters& counters = worker.counters();
  return {counters.rx_packets.get(), counters.busy_cycles.get(), counters.idle_cycles.get(), counters.cache_hits.get(),
          counters.cache_misses.get()};
}

}  // namespace

void RecentCounts::next(const Gateway& gateway) {
  Counts now;
  now.workers.reserve(gateway.workers().size());
  for (const auto& worker : gateway.workers()) now.workers.push_back(so_far(*worker));
  for (const auto& [name, bridge] : gateway.bridges().all()) {
    for (const auto& [member, ends] : bridge.members) {
      const Fdb::Limit* const limit = ends.empty() ? nullptr : gateway.fdb().limit_of(ends.front());
      if (limit != nullptr && limit->refused != 0) now.refused_macs[member] = limit->refused;
    }
  }
  before_ = std::exchange(last_, std::move(now));
}

RecentCounts::Work RecentCounts::of(const Worker& worker) const {
  Work work = so_far(worker);
  if (worker.id() >= before_.workers.size()) return work;
  const Work& before = before_.workers[worker.id()];
  work.packets -= before.packets;
  work.busy_cycles -= before.busy_cycles;
  work.idle_cycles -= before.idle_cycles;
  work.cache_hits -= before.cache_hits;
  work.cache_misses -= before.cache_misses;
  return work;
}

uint64_t RecentCounts::refused_macs(const std::string& member, const Fdb::Limit& limit) const {
  const auto before = before_.refused_macs.find(member);
  // A limit that was taken away and set anew counts anew.
  if (before == before_.refused_macs.end() || before->second > limit.refused) return limit.refused;
  return limit.refused - before->second;
}

}  // namespace causeway
