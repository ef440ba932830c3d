#include <fmt/format.h>
#include <rte_mempool.h>

#include "control/doctor/families.h"
#include "control/doctor/section.h"
#include "pmd/eal.h"

namespace causeway {
namespace {

bool is_nearly(uint64_t used, uint64_t most) { return most != 0 && used >= most - most / 10; }

struct Limit {
  std::string object;
  std::string of_what;
  uint64_t used;
  uint64_t most;
  std::string cure;
};

void find_full(const Limit& limit, Findings& findings) {
  if (!is_nearly(limit.used, limit.most)) return;
  findings.push_back({limit.used >= limit.most ? Severity::wrong : Severity::soon, "limit", limit.object,
                      fmt::format("{}{}{} are nearly as many as there may be", limit.object,
                                  limit.object.empty() ? "" : ": ", limit.of_what),
                      fmt::format("{} of {}", limit.used, limit.most), limit.cure});
}

// As many as there may be is what a limit of a port is for: a container's port has one MAC, and one is there.
void find_refused_macs(const std::string& member, const Fdb::Limit& limit, uint64_t refused, const Gateway& gateway,
                       Findings& findings) {
  if (refused == 0 || limit.macs < limit.max_macs) return;
  findings.push_back({Severity::wrong, "limit", member,
                      fmt::format("{}: there are more MACs than may be learnt there", member),
                      fmt::format("{} of {}; in the last seconds one more wasn't learnt {} times", limit.macs,
                                  limit.max_macs, refused),
                      fmt::format("`{}.max-macs`, or fewer hosts", section_of(gateway, member))});
}

void examine_macs(const Gateway& gateway, const RecentCounts& counts, Findings& findings) {
  for (const auto& [name, bridge] : gateway.bridges().all()) {
    const Fdb::BridgeState& state = gateway.fdb().bridge(bridge.index);
    find_full({name, "MACs", state.macs, state.max_macs, fmt::format("`bridges.{}.parameters.max-macs`", name)},
              findings);
    for (const auto& [member, ends] : bridge.members) {
      const Fdb::Limit* const limit = ends.empty() ? nullptr : gateway.fdb().limit_of(ends.front());
      if (limit != nullptr) find_refused_macs(member, *limit, counts.refused_macs(member, *limit), gateway, findings);
    }
  }
}

// A full cache is no harm as long as frames find their flows in it.
void examine_flow_caches(const Gateway& gateway, const RecentCounts& counts, Findings& findings) {
  for (const auto& worker : gateway.workers()) {
    const RecentCounts::Work work = counts.of(*worker);
    if (work.cache_misses <= work.cache_hits / 10) continue;
    find_full({"", fmt::format("flows in the cache of worker {}", worker->id()), worker->counters().cache_entries.get(),
               worker->flow_cache().capacity(), "`system.flow-cache`"},
              findings);
  }
}

}  // namespace

void examine_limits(const Gateway& gateway, const RecentCounts& counts, Findings& findings) {
  examine_macs(gateway, counts, findings);
  examine_flow_caches(gateway, counts, findings);
  for (const auto& [name, tunnel] : gateway.tunnels().all()) {
    find_full({name, "VTEPs", tunnel.vteps.size(), Tunnels::kMaxVteps, "`allow-from` of the tunnel, or several groups"},
              findings);
  }
  find_full({"", "buffers in use", buffers_in_use(gateway.pool()), gateway.pool()->size,
             "`system.memory`; `causewayctl show control` says who holds them"},
            findings);
  find_full({"", "buffers of frames that wait for neighbors", gateway.neighbors().held().buffers(),
             gateway.neighbors().held().most_buffers(), "`system.held-buffers`; `causewayctl show neighbors`"},
            findings);
}

}  // namespace causeway
