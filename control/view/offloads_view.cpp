// `show offloads`: who does what on each port, and why.
#include <fmt/format.h>

#include <optional>

#include "control/view/tables.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct OffloadView {
  std::string port;
  const char* offload;
  const char* state;  // hardware, software or off
  std::string reason;
  std::optional<size_t> wanted{};     // rules; nothing: there are none of a number that is known before
  std::optional<size_t> installed{};  // rules; nothing: it isn't done by rules
};

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

OffloadView offload_view(const std::string& name, const Ports::Record& record, const Offload& offload) {
  const Port& port = *record.port;
  const OffloadSettings& settings = record.settings.offloads;
  const TxCapabilities caps = record.capabilities();
  const std::string wrong = found_wrong(record, offload.outer, offload.bits);
  if (caps.has(offload.outer, offload.bits)) {
    std::string reason = who_does(port);
    if (offload.outer != Outer::none && !caps.has(offload.outer, TxCapabilities::kOuterChecksum)) {
      const bool keeps = caps.multi_segment && caps.has(offload.outer, TxCapabilities::kKeepsOuterChecksum);
      reason += keeps ? "; the outer checksum in software, as the same in all segments but a shorter last one: "
                      : "; with an outer checksum in software: ";
      reason += why_not(record, offload.outer, TxCapabilities::kOuterChecksum);
    }
    const bool cuts = (offload.bits & TxCapabilities::kTcp) != 0;
    if (offload.outer != Outer::none && cuts && !caps.has(offload.outer, TxCapabilities::kUdp)) {
      reason += "; UDP in software: " + why_not(record, offload.outer, TxCapabilities::kUdp);
    }
    if (!wrong.empty()) reason += "; forced, though its self-test found wrong " + wrong;
    return {name, offload.name, "hardware", reason};
  }
  const char* off = nullptr;
  if (settings.*offload.toggle == Toggle::off) off = offload.key;
  if (settings.checksum == Toggle::off) off = "checksum";
  if (off != nullptr) return {name, offload.name, "off", fmt::format("offloads.{}: off", off)};
  return {name, offload.name, "software", why_not(record, offload.outer, offload.bits)};
}

OffloadView lro_view(const std::string& name, const Ports::Record& record) {
  if (!record.port->lro()) {
    const bool off = record.settings.offloads.lro == Toggle::off;
    return {name, "lro", "off", off ? "offloads.lro: off" : "only with offloads.lro: on"};
  }
  std::string reason = "the device";
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (!verdict.lro || verdict.wrong.empty()) continue;
    reason += fmt::format("; forced, though its self-test found wrong {}: {}", verdict.offload, verdict.wrong);
  }
  return {name, "lro", "hardware", reason};
}

OffloadView rules_view(const std::string& name, const Ports::Record& record, const OffloadSync::Summary& rules) {
  if (record.settings.offloads.flow == Toggle::off) return {name, "flow", "off", "offloads.flow: off"};
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (!verdict.flow || verdict.wrong.empty() || record.flow_rules() != nullptr) continue;
    return {name, "flow", "software", "the self-test found wrong " + verdict.wrong};
  }
  if (record.flow_rules() == nullptr) return {name, "flow", "software", "the device takes no rules"};
  std::string text = fmt::format("{} of {} rules installed", rules.installed, rules.wanted);
  if (rules.frames) text += fmt::format(", {} frames", *rules.frames);
  for (const auto& [reason, count] : rules.reasons) text += fmt::format("; refused {}: {}", count, reason);
  if (rules.removing != 0) text += fmt::format("; {} to be removed", rules.removing);
  const bool hardware = rules.installed != 0 || rules.wanted == 0;
  return {name, "flow", hardware ? "hardware" : "software", text, rules.wanted, rules.installed};
}

// Flows that come in by this port.
OffloadView elephants_view(const std::string& name, const Ports::Record& record, const Elephants::Summary& flows) {
  constexpr const char* kName = "elephants";
  if (record.settings.offloads.elephants == Toggle::off) return {name, kName, "off", "offloads.elephants: off"};
  if (record.port->switch_rules() == nullptr) {
    return {name, kName, "software", "the device is no port of a switch that takes rules"};
  }
  std::string text = fmt::format("{} flows, {} frames", flows.installed, flows.frames);
  for (const auto& [reason, count] : flows.refused) text += fmt::format("; not {}: {}", count, reason);
  const bool hardware = flows.installed != 0 || flows.refused.empty();
  return {name, kName, hardware ? "hardware" : "software", text, std::nullopt, flows.installed};
}

void add_views(const Gateway& gateway, const std::string& name, const Ports::Record& record,
               const std::function<void(const OffloadView&)>& add) {
  if (record.port == nullptr) return;
  for (const Offload& offload : kOffloads) add(offload_view(name, record, offload));
  const GroChoice gro = choose_gro(record.settings, *record.port);
  add({name, "gro", gro.on ? "software" : "off", gro.reason});
  add(lro_view(name, record));
  add(elephants_view(name, record, gateway.elephants().summary(record.index)));
  if (!record.settings.is_underlay()) return;  // nothing tunnelled leaves it
  for (const Offload& offload : kTunnelOffloads) add(offload_view(name, record, offload));
  add(rules_view(name, record, gateway.offload_sync().summary(record.index)));
}

// All of a port at a call.
RecordStream<OffloadView> offload_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<OffloadView>(gateway.ports().all(),
                                 [&gateway](const std::string& name, const Ports::Record& record, const auto& add) {
                                   add_views(gateway, name, record, add);
                                 });
}

constexpr Column<OffloadView> kColumns[] = {
    {{"port", "PORT", text, "", "The port."}, [](const OffloadView& view) -> json { return view.port; }},
    {{"offload", "OFFLOAD", text, "", "What somebody is to do for us."},
     [](const OffloadView& view) -> json { return view.offload; }},
    {{"state", "STATE", text, "", "Who does it: `hardware`, `software`, or `off`: nobody."},
     [](const OffloadView& view) -> json { return view.state; }},
    {{"reason", "REASON", text, "", "Who does it in detail, or why nobody else."},
     [](const OffloadView& view) -> json { return view.reason; }},
    {{"rules.wanted", "", gauge, "rules", "How many rules its device should have for it."},
     [](const OffloadView& view) { return view.wanted ? json(*view.wanted) : json(); }},
    {{"rules.installed", "", gauge, "rules", "How many rules its device has for it."},
     [](const OffloadView& view) { return view.installed ? json(*view.installed) : json(); }},
};

}  // namespace

Table offloads_table() { return table_of(kColumns, offload_views); }

}  // namespace causeway
