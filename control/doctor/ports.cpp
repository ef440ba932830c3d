#include <fmt/format.h>

#include <algorithm>

#include "control/doctor/families.h"

namespace causeway {
namespace {

// Of fewer nobody can say who has the work.
constexpr uint64_t kLeastPackets = 10'000;

void find_device(const std::string& name, const Ports::Record& record, Findings& findings) {
  if (record.port == nullptr) {
    findings.push_back({Severity::wrong, "port-missing", name, name + ": its device is missing",
                        record.missing.why.text, "create the interface, or correct the port's name or `devargs`"});
  } else if (!record.link_up) {
    findings.push_back({Severity::wrong, "port-down", name, name + ": its link is down", "`causewayctl show ports`",
                        "at its other end: the cable, or the interface: `ip link set ... up`"});
  }
}

void find_offloads(const Gateway& gateway, const std::string& name, const Ports::Record& record, Findings& findings) {
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (verdict.wrong.empty()) continue;
    const Severity severity = record.settings.offloads.tunnel_tso == Toggle::on ||
                                      record.settings.offloads.tso == Toggle::on ||
                                      record.settings.offloads.checksum == Toggle::on
                                  ? Severity::wrong
                                  : Severity::hint;
    findings.push_back(
        {severity, "self-test", name, fmt::format("{}: its device does {} wrong", name, verdict.offload), verdict.wrong,
         severity == Severity::wrong ? fmt::format("`ethernets.{}.offloads`: nothing `on` that it can't", name)
                                     : "none is needed: workers do it; newer firmware may do better"});
  }
  if (record.port == nullptr || record.flow_rules() == nullptr) return;
  for (const auto& [reason, count] : gateway.offload_sync().summary(record.index).reasons) {
    findings.push_back(
        {Severity::hint, "offload-refused", name,
         fmt::format("{}: its device refuses {} rules for tunnels", name, count), reason,
         fmt::format("none is needed: workers do it; `ethernets.{}.offloads.flow: off` asks no more", name)});
  }
}

// One that is busy with nearly all there is, while others have nothing.
void find_lone_worker(const Gateway& gateway, const RecentCounts& counts, Findings& findings) {
  if (gateway.workers().size() < 2) return;
  uint64_t all = 0;
  uint16_t worker_id = 0;
  RecentCounts::Work most;
  for (const auto& worker : gateway.workers()) {
    const RecentCounts::Work work = counts.of(*worker);
    all += work.packets;
    if (work.packets <= most.packets) continue;
    most = work;
    worker_id = worker->id();
  }
  if (all < kLeastPackets || most.packets < all / 10 * 9 || most.busy_cycles < most.idle_cycles) return;
  findings.push_back(
      {Severity::soon, "one-worker", "",
       fmt::format("worker {} of {} carries nearly all there is", worker_id, gateway.workers().size()),
       fmt::format("{} of the last {} packets, and it is busy {} % of its time", most.packets, all,
                   most.busy_cycles / ((most.busy_cycles + most.idle_cycles) / 100 + 1)),
       "`rx-queues` of the port and `system.rebalance: auto`; where the device has no RSS, `spread: software`"});
}

}  // namespace

void examine_ports(const Gateway& gateway, const RecentCounts& counts, Findings& findings) {
  for (const auto& [name, record] : gateway.ports().all()) {
    find_device(name, record, findings);
    find_offloads(gateway, name, record, findings);
  }
  find_lone_worker(gateway, counts, findings);
}

}  // namespace causeway
