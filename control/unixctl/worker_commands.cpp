// dpif-netdev/pmd-...: the workers, which are what OVS calls pmd threads. Their flow cache stands where it has its
// exact match cache (EMC); what isn't there is looked up among MACs and tunnels, which OVS would call a megaflow.
#include <fmt/format.h>
#include <rte_lcore.h>

#include <charconv>
#include <optional>

#include "control/unixctl/commands.h"

namespace causeway::unixctl {
namespace {

// A worker that isn't bound to a core has a number only.
std::string title_of(const Worker& worker) {
  if (!worker.core()) return fmt::format("pmd thread worker_id {}:\n", worker.id());
  const unsigned core = *worker.core();
  const unsigned node = core < RTE_MAX_LCORE ? rte_lcore_to_socket_id(core) : 0;
  return fmt::format("pmd thread numa_id {} core_id {}:\n", node, core);
}

// Of `-pmd core` among arguments, where every option has a number behind it; there is one datapath, whatever it is
// called. `error`: an option without a number.
std::optional<unsigned> core_in(const Arguments& arguments, std::string& error) {
  std::optional<unsigned> core;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    if (!option.starts_with('-')) continue;
    const std::string value = ++i < arguments.size() ? arguments[i] : "";
    unsigned number = 0;
    const auto [read, wrong] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (wrong != std::errc() || read != value.data() + value.size()) error = option + " needs a number";
    if (option == "-pmd") core = number;
  }
  return core;
}

// `tell(worker)` of those that `-pmd` asks for; all by default.
template <typename Tell>
Answer of_workers(const Context& context, const Arguments& arguments, std::string text, Tell tell) {
  std::string error;
  const std::optional<unsigned> core = core_in(arguments, error);
  if (!error.empty()) return Answer::failure(error);
  for (const auto& worker : context.gateway.workers()) {
    if (!core || worker->core() == core) text += title_of(*worker) + tell(*worker);
  }
  return Answer::of(std::move(text));
}

// How busy a worker is with one queue of several nobody counts.
std::string queues_of(const Gateway& gateway, const Worker& worker) {
  std::string text = "  isolated : false\n";
  for (const PollEntry& entry : gateway.ports().rx_queues().dealt().at(worker.id())) {
    const Ports::Record* const port = gateway.ports().find(entry.port);
    if (port == nullptr || port->port == nullptr) continue;
    text += fmt::format("  port: {:<16}  queue-id: {:2} (enabled)   pmd usage: NOT AVAIL\n", port->port->name(),
                        entry.queue);
  }
  return text + "  overhead: NOT AVAIL\n";
}

Answer show_queues(const Context& context, const Arguments& arguments) {
  return of_workers(context, arguments, "Displaying last 60 seconds pmd usage %\n",
                    [&](const Worker& worker) { return queues_of(context.gateway, worker); });
}

double percent(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(all);
}

std::string per_packet(const char* name, uint64_t cycles, uint64_t packets) {
  if (packets == 0) return {};
  return fmt::format("  {} per packet: {:.2f} ({}/{})\n", name,
                     static_cast<double>(cycles) / static_cast<double>(packets), cycles, packets);
}

std::string statistics_of(const Worker& worker) {
  const WorkerCounters& counters = worker.counters();
  const uint64_t packets = counters.rx_packets.get();
  const uint64_t idle = counters.idle_cycles.get();
  const uint64_t busy = counters.busy_cycles.get();
  return fmt::format(
             "  packets received: {}\n"
             "  emc hits: {}\n"
             "  megaflow hits: {}\n"
             "  idle cycles: {} ({:.2f}%)\n"
             "  processing cycles: {} ({:.2f}%)\n",
             packets, counters.cache_hits.get(), counters.cache_misses.get(), idle, percent(idle, idle + busy), busy,
             percent(busy, idle + busy)) +
         per_packet("avg cycles", idle + busy, packets) + per_packet("avg processing cycles", busy, packets);
}

Answer show_statistics(const Context& context, const Arguments& arguments) {
  return of_workers(context, arguments, "", statistics_of);
}

constexpr Command kCommands[] = {
    {"dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, show_queues},
    {"dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 0, 3, show_statistics},
};

}  // namespace

std::span<const Command> worker_commands() { return kCommands; }

}  // namespace causeway::unixctl
