// dpif/show and dpctl/show: the ports. Causeway is one datapath of OVS' type netdev, in user space. Its ports have
// their own numbers there; a tunnel has none.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "control/unixctl/commands.h"
#include "control/unixctl/ports_text.h"
#include "control/view/traffic.h"

namespace causeway::unixctl {
namespace {

constexpr std::string_view kDatapath = "netdev@ovs-netdev";

struct Lookups {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t flows = 0;
};

// Of the workers' flow caches.
Lookups lookups(const Gateway& gateway) {
  Lookups all;
  for (const auto& worker : gateway.workers()) {
    all.hits += worker->counters().cache_hits.get();
    all.misses += worker->counters().cache_misses.get();
    all.flows += worker->counters().cache_entries.get();
  }
  return all;
}

// Of a bridge: the OpenFlow number, then the datapath's.
std::string bridge_port(const Gateway& gateway, const std::string& bridge, const std::string& interface,
                        const PortNumbers& numbers) {
  static constexpr int64_t kLocal = 65534;  // OFPP_LOCAL, OpenFlow 1.0 section 5.2.1
  const auto known = numbers.find(interface);
  std::string number = "none";
  if (interface == bridge) {
    number = std::to_string(kLocal);
  } else if (known != numbers.end()) {
    number = std::to_string(known->second);
  }
  const Ports::Record* const port = gateway.ports().find(interface);
  const std::string type = type_text(gateway, interface);
  if (type.empty()) return {};
  return fmt::format("    {} {}/{}: ({})\n", interface, number, port != nullptr ? std::to_string(port->index) : "none",
                     type);
}

// One port a bit: there may be thousands.
class BridgePorts {
 public:
  explicit BridgePorts(const Context& context) : context_(context) {}

  bool operator()(std::string& text) {
    const auto& bridges = context_.gateway.bridges().all();
    const auto current = port_ ? bridges.find(bridge_) : bridges.upper_bound(bridge_);
    if (!port_) {
      if (current == bridges.end()) return false;
      bridge_ = current->first;
      port_ = "";
      numbers_ = context_.port_numbers(bridge_);
      text += fmt::format("  {}:\n", bridge_);
      return true;
    }
    if (current != bridges.end()) {
      const auto& members = current->second.members;
      if (const auto next = members.upper_bound(*port_); next != members.end()) {
        port_ = next->first;
        text += bridge_port(context_.gateway, bridge_, *port_, numbers_);
        return true;
      }
    }
    port_.reset();
    return true;
  }

 private:
  const Context& context_;
  std::string bridge_;               // the last one
  std::optional<std::string> port_;  // its last one; none: all of it is told
  PortNumbers numbers_;
};

Answer show_bridges(const Context& context, const Arguments&) {
  const Lookups all = lookups(context.gateway);
  Answer answer = Answer::in_bits(BridgePorts(context));
  answer.text = fmt::format("{}: hit:{} missed:{}\n", kDatapath, all.hits, all.misses);
  return answer;
}

// What nobody counts is "?", as in OVS.
std::string statistics(const PortTotals& totals) {
  return fmt::format(
      "    RX packets:{} errors:{} dropped:{} overruns:? frame:?\n"
      "    TX packets:{} errors:{} dropped:{} aborted:? carrier:?\n"
      "    collisions:?\n"
      "    RX bytes:{}  TX bytes:{}\n",
      totals.traffic.rx_packets, totals.device.rx_errors, totals.rx_drops - totals.device.rx_errors,
      totals.traffic.tx_packets, totals.device.tx_errors, totals.tx_drops - totals.device.tx_errors,
      totals.traffic.rx_bytes, totals.traffic.tx_bytes);
}

Answer show_ports(const Context& context, const Arguments& arguments) {
  const Gateway& gateway = context.gateway;
  const bool with_statistics = std::ranges::find(arguments, "-s") != arguments.end();
  for (const std::string& name : arguments) {
    if (name != "-s" && name != kDatapath && name != kDatapath.substr(kDatapath.find('@') + 1)) {
      return Answer::failure(fmt::format("ovs-vswitchd: opening datapath {} failed (No such device)", name));
    }
  }
  const Lookups all = lookups(gateway);
  const uint64_t lost = drop_totals(gateway).at(static_cast<size_t>(DropReason::control_queue_full));
  Answer answer = Answer::in_bits([&gateway, with_statistics, last = std::string()](std::string& text) mutable {
    const auto next = gateway.ports().all().upper_bound(last);
    if (next == gateway.ports().all().end()) return false;
    const auto& [name, port] = *next;
    last = name;
    const std::string type = type_text(gateway, name);
    if (type.empty()) return true;
    text += fmt::format("  port {}: {}{}\n", port.index, name, type == "system" ? "" : " (" + type + ")");
    if (with_statistics) text += statistics(port_totals(gateway, port));
    return true;
  });
  answer.text = fmt::format("{}:\n  lookups: hit:{} missed:{} lost:{}\n  flows: {}\n", kDatapath, all.hits, all.misses,
                            lost, all.flows);
  return answer;
}

constexpr Command kCommands[] = {
    {"dpctl/show", "[-s] [dp...]", 0, kAnyNumber, show_ports},
    {"dpif/show", "", 0, 0, show_bridges},
};

}  // namespace

std::span<const Command> datapath_commands() { return kCommands; }

}  // namespace causeway::unixctl
