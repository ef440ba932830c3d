#include <fmt/format.h>

#include <algorithm>

#include "control/doctor/families.h"

namespace causeway {
namespace {

// Below this nobody can say who has the work.
constexpr uint64_t kLeastPackets = 1'000'000;

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
void find_lone_worker(const Gateway& gateway, Findings& findings) {
  if (gateway.workers().size() < 2) return;
  uint64_t all = 0;
  const Worker* most = gateway.workers().front().get();
  for (const auto& worker : gateway.workers()) {
    all += worker->counters().rx_packets.get();
    if (worker->counters().rx_packets.get() > most->counters().rx_packets.get()) most = worker.get();
  }
  const uint64_t packets = most->counters().rx_packets.get();
  const uint64_t busy = most->counters().busy_cycles.get();
  const uint64_t idle = most->counters().idle_cycles.get();
  if (all < kLeastPackets || packets < all / 10 * 9 || busy < idle) return;
  findings.push_back(
      {Severity::soon, "one-worker", "",
       fmt::format("worker {} of {} carries nearly all there is", most->id(), gateway.workers().size()),
       fmt::format("{} of {} packets so far, and it is busy {} % of its time", packets, all,
                   busy / ((busy + idle) / 100 + 1)),
       "`rx-queues` of the port and `system.rebalance: auto`; where the device has no RSS, `spread: software`"});
}

}  // namespace

void examine_ports(const Gateway& gateway, Findings& findings) {
  for (const auto& [name, record] : gateway.ports().all()) {
    find_device(name, record, findings);
    find_offloads(gateway, name, record, findings);
  }
  find_lone_worker(gateway, findings);
}

}  // namespace causeway
