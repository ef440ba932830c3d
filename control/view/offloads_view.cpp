#include "control/view/offloads_view.h"

#include <fmt/format.h>

namespace causeway {
namespace {

using nlohmann::json;

// One line of `show offloads`: what a port is to do, and the key that can forbid it.
struct Offload {
  const char* name;
  Outer outer;
  uint8_t bits;
  const char* key;
  Toggle OffloadSettings::*toggle;
};
constexpr Offload kOffloads[] = {
    {"checksum", Outer::none, TxCapabilities::kChecksum, "checksum", &OffloadSettings::checksum},
    {"tso-ipv4", Outer::none, TxCapabilities::kTcp4, "tso", &OffloadSettings::tso},
    {"tso-ipv6", Outer::none, TxCapabilities::kTcp6, "tso", &OffloadSettings::tso},
    {"udp-segmentation", Outer::none, TxCapabilities::kUdp, "tso", &OffloadSettings::tso},
};
constexpr Offload kTunnelOffloads[] = {
    {"geneve-tso-ipv4", Outer::geneve4, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
    {"geneve-tso-ipv6", Outer::geneve6, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
    {"vxlan-tso-ipv4", Outer::vxlan4, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
    {"vxlan-tso-ipv6", Outer::vxlan6, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
    {"gre-tso-ipv4", Outer::gre4, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
    {"gre-tso-ipv6", Outer::gre6, TxCapabilities::kTcp, "tunnel-tso", &OffloadSettings::tunnel_tso},
};

// What its self-test found wrong with it; empty: nothing.
std::string found_wrong(const Ports::Record& record, Outer outer, uint8_t bits) {
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (verdict.wrong.empty() || verdict.outer != outer || (verdict.bits & bits) == 0) continue;
    return fmt::format("{}: {}", verdict.offload, verdict.wrong);
  }
  return {};
}

// Why nobody but Causeway does it, though no toggle is off.
std::string why_not(const Ports::Record& record, Outer outer, uint8_t bits) {
  const std::string wrong = found_wrong(record, outer, bits);
  return wrong.empty() ? record.port->lacks(outer, bits) : "the self-test found wrong " + wrong;
}

std::string who_does(const Port& port) {
  const std::string_view kind = port.kind();
  return kind == "dpdk" || kind == "nic-model" ? "the device" : "the kernel, or the NIC behind it";
}

json row(const std::string& port, const char* offload, const char* state, const std::string& reason) {
  return {{"port", port}, {"offload", offload}, {"state", state}, {"reason", reason}};
}

json offload_json(const std::string& name, const Ports::Record& record, const Offload& offload) {
  const Port& port = *record.port;
  const OffloadSettings& settings = record.settings.offloads;
  const TxCapabilities caps = record.capabilities();
  const std::string wrong = found_wrong(record, offload.outer, offload.bits);
  if (caps.has(offload.outer, offload.bits)) {
    std::string reason = who_does(port);
    if (offload.outer != Outer::none && !caps.has(offload.outer, TxCapabilities::kOuterChecksum)) {
      reason += "; with an outer checksum in software: ";
      reason += why_not(record, offload.outer, TxCapabilities::kOuterChecksum);
    }
    const bool cuts = (offload.bits & TxCapabilities::kTcp) != 0;
    if (offload.outer != Outer::none && cuts && !caps.has(offload.outer, TxCapabilities::kUdp)) {
      reason += "; UDP in software: " + why_not(record, offload.outer, TxCapabilities::kUdp);
    }
    if (!wrong.empty()) reason += "; forced, though its self-test found wrong " + wrong;
    return row(name, offload.name, "hardware", reason);
  }
  const char* off = nullptr;
  if (settings.*offload.toggle == Toggle::off) off = offload.key;
  if (settings.checksum == Toggle::off) off = "checksum";
  if (off != nullptr) return row(name, offload.name, "off", fmt::format("offloads.{}: off", off));
  return row(name, offload.name, "software", why_not(record, offload.outer, offload.bits));
}

json lro_json(const std::string& name, const Ports::Record& record) {
  if (!record.port->lro()) {
    const bool off = record.settings.offloads.lro == Toggle::off;
    return row(name, "lro", "off", off ? "offloads.lro: off" : "only with offloads.lro: on");
  }
  std::string reason = "the device";
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (!verdict.lro || verdict.wrong.empty()) continue;
    reason += fmt::format("; forced, though its self-test found wrong {}: {}", verdict.offload, verdict.wrong);
  }
  return row(name, "lro", "hardware", reason);
}

json flow_json(const std::string& name, const Ports::Record& record, const OffloadSync::Summary& rules) {
  if (record.settings.offloads.flow == Toggle::off) return row(name, "flow", "off", "offloads.flow: off");
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (!verdict.flow || verdict.wrong.empty() || record.flow_rules() != nullptr) continue;
    return row(name, "flow", "software", "the self-test found wrong " + verdict.wrong);
  }
  if (record.flow_rules() == nullptr) return row(name, "flow", "software", "the device takes no rules");
  std::string text = fmt::format("{} of {} rules installed", rules.installed, rules.wanted);
  if (rules.frames) text += fmt::format(", {} frames", *rules.frames);
  for (const auto& [reason, count] : rules.reasons) text += fmt::format("; refused {}: {}", count, reason);
  if (rules.removing != 0) text += fmt::format("; {} to be removed", rules.removing);
  return row(name, "flow", rules.installed != 0 || rules.wanted == 0 ? "hardware" : "software", text);
}

// Flows that come in by this port.
json elephants_json(const std::string& name, const Ports::Record& record, const Elephants::Summary& flows) {
  constexpr const char* kName = "elephants";
  if (record.settings.offloads.elephants == Toggle::off) return row(name, kName, "off", "offloads.elephants: off");
  if (record.port->switch_rules() == nullptr) {
    return row(name, kName, "software", "the device is no port of a switch that takes rules");
  }
  std::string text = fmt::format("{} flows, {} frames", flows.installed, flows.frames);
  for (const auto& [reason, count] : flows.refused) text += fmt::format("; not {}: {}", count, reason);
  return row(name, kName, flows.installed != 0 || flows.refused.empty() ? "hardware" : "software", text);
}

}  // namespace

nlohmann::json show_offloads(const Gateway& gateway) {
  json list = json::array();
  for (const auto& [name, record] : gateway.ports().all()) {
    if (record.port == nullptr) continue;
    for (const Offload& offload : kOffloads) list.push_back(offload_json(name, record, offload));
    const GroChoice gro = choose_gro(record.settings, *record.port);
    list.push_back(row(name, "gro", gro.on ? "software" : "off", gro.reason));
    list.push_back(lro_json(name, record));
    list.push_back(elephants_json(name, record, gateway.elephants().summary(record.index)));
    if (!record.settings.is_underlay()) continue;  // nothing tunnelled leaves it
    for (const Offload& offload : kTunnelOffloads) list.push_back(offload_json(name, record, offload));
    list.push_back(flow_json(name, record, gateway.offload_sync().summary(record.index)));
  }
  return list;
}

nlohmann::json show_verdicts(const Ports::Record& record) {
  json list = json::array();
  for (const OffloadVerdict& verdict : record.verdicts) {
    const bool good = verdict.wrong.empty();
    list.push_back({{"offload", verdict.offload}, {"state", good ? "good" : "wrong"}, {"reason", verdict.wrong}});
  }
  return list;
}

}  // namespace causeway
