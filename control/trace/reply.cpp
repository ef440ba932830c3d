#include "control/trace/reply.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "control/api/reply.h"
#include "control/config/address_text.h"
#include "control/process/printable.h"
#include "control/trace/cure.h"
#include "control/yaml/value.h"
#include "pmd/error.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr size_t kMostFrameBytes = 65535;
constexpr size_t kMostStages = 500;  // a flood to thousands is told in part

Error read_hex(std::string_view text, std::vector<uint8_t>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() > 2 * kMostFrameBytes) return fmt::format("a frame has 1 to {} bytes", kMostFrameBytes);
  if (text.size() % 2 != 0) return "a frame in hex has two digits a byte";
  for (size_t i = 0; i < text.size(); i += 2) {
    const size_t high = kDigits.find(text[i]);
    const size_t low = kDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return "a frame in hex has digits 0 to f";
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  if (bytes.empty()) return fmt::format("a frame has 1 to {} bytes", kMostFrameBytes);
  return {};
}

// Says what happened, stage by stage.
class Teller {
 public:
  Teller(const Gateway& gateway, const Trace& trace) : gateway_(gateway), trace_(trace) {}

  json stages() {
    bool looked_up = false;
    uint32_t with_outer = 0;
    for (const Trace::Seen& seen : trace_.seen) {
      const bool at_end = seen.place.reason != DropReason::none || seen.place.outgoing;
      if (at_end && !std::exchange(looked_up, true)) tell_lookup();
      if (seen.place.reason != DropReason::none) {
        tell_drop(seen.place);
      } else if (seen.place.headers == TunnelHeaders::as_sent) {
        add(seen.place.outgoing ? "tx" : "rx",
            fmt::format("{}: {} bytes", port_name(seen.place.port), seen.frame_bytes));
      } else if (seen.place.headers == TunnelHeaders::outer) {
        if (seen.place.outgoing) tell_tunnel("encap", seen, seen.frame_bytes - without_outer_);
        with_outer = seen.frame_bytes;
      } else if (seen.place.outgoing) {
        without_outer_ = seen.frame_bytes;
      } else {
        tell_tunnel("decap", seen, with_outer - seen.frame_bytes);
      }
    }
    if (!looked_up) tell_lookup();
    for (const Trace::ToControl& frame : trace_.to_control) add("control", words_for(frame));
    return std::move(stages_);
  }

  std::string port_name(PortIndex index) const {
    for (const auto& [name, record] : gateway_.ports().all()) {
      if (record.index == index) return name;
    }
    return "?";
  }
  // A bridge port, or a tunnel and the VTEP that it leads to.
  std::string place_name(AdjacencyIndex index) const {
    const Adjacencies::Owner& owner = gateway_.adjacencies().owner(index & ~kFdbStatic);
    const std::string& name = owner.interface.empty() ? "?" : owner.interface;
    return owner.remote ? fmt::format("{} ({})", name, to_string(*owner.remote)) : name;
  }

 private:
  void add(std::string_view stage, const std::string& text) {
    if (stages_.size() < kMostStages) stages_.push_back({{"stage", stage}, {"text", text}});
  }

  void tell_tunnel(std::string_view stage, const Trace::Seen& seen, uint32_t outer_bytes) {
    const Adjacencies::Owner& owner = gateway_.adjacencies().owner(seen.place.tunnel);
    const Tunnels::Tunnel* const tunnel = gateway_.tunnels().find(owner.interface);
    std::string what;
    if (tunnel != nullptr) {
      const auto& id = stage == "encap" && tunnel->settings.sent_id ? tunnel->settings.sent_id : tunnel->settings.id;
      if (id) what = fmt::format(", {} {}", over_udp(tunnel->settings.mode) ? "VNI" : "key", *id);
    }
    add(stage, fmt::format("{}{}: {} bytes of outer headers {}", place_name(seen.place.tunnel), what, outer_bytes,
                           stage == "encap" ? "put on" : "taken off"));
  }

  // Of frames that a lookup was needed for. What a bridge never forwards dies before that.
  void tell_lookup() {
    if (!trace_.flow) return;
    const FlowKey& flow = *trace_.flow;
    const uint16_t vlan = vlan_of(flow.lo);
    const Adjacency* const in = gateway_.adjacencies().get(flow.ingress());
    add("flow", fmt::format("{}: {} > {}, {}, in {}", place_name(flow.ingress()), to_string(mac_of(flow.source())),
                            to_string(mac_of(flow.destination())),
                            vlan != 0 ? fmt::format("VLAN {}", vlan) : std::string("untagged"),
                            in != nullptr ? gateway_.bridges().name_of(in->bridge) : std::string("?")));
    for (const DropReason early :
         {DropReason::source_multicast, DropReason::source_zero, DropReason::link_local_multicast}) {
      if (trace_.dropped(early)) return;
    }
    if (trace_.learnt) {
      add("learn", trace_.source ? fmt::format("{} would move here from {}", to_string(mac_of(flow.source())),
                                               place_name(*trace_.source))
                                 : fmt::format("{} would be learnt here", to_string(mac_of(flow.source()))));
    }
    add("fdb", words_for_destination(flow));
  }

  std::string words_for_destination(const FlowKey& flow) const {
    const std::string mac = to_string(mac_of(flow.destination()));
    if (trace_.answer) {
      return fmt::format("{} is at {}, which is answered: nobody else is asked", to_string(trace_.answer->ip),
                         to_string(trace_.answer->mac));
    }
    if (flow.to_group()) return fmt::format("{} is a group: flooded", mac);
    if (!trace_.destination) return fmt::format("{} is unknown: flooded", mac);
    const bool fixed = (*trace_.destination & kFdbStatic) != 0;
    return fmt::format("{} is behind {}{}", mac, place_name(*trace_.destination), fixed ? ", static" : "");
  }

  void tell_drop(const CapturePlace& place) {
    const DropReasonText& text = kDropReasonText[static_cast<size_t>(place.reason)];
    add("drop", fmt::format("{}: {}", text.name, text.meaning));
    if (const std::string_view cure = cure_of(place.reason); !cure.empty()) add("cure", std::string(cure));
  }

  std::string words_for(const Trace::ToControl& frame) const {
    switch (frame.kind) {
      case Punt::to_us:
        return "for this host: the control thread reads it, and answers what it has to";
      case Punt::unresolved:
        return fmt::format("{} has no MAC for its next hop yet: asks for it, the frame waits", place_name(frame.to));
      case Punt::too_big:
        return "its sender is told what fits (ICMP), where it is IP";
      case Punt::unknown_vtep:
        return fmt::format("{} would learn the VTEP {}", place_name(frame.from), to_string(frame.vtep));
    }
    return {};
  }

  const Gateway& gateway_;
  const Trace& trace_;
  json stages_ = json::array();
  uint32_t without_outer_ = 0;  // of the frame that is about to get outer headers
};

json result_of(const Gateway& gateway, const Trace& trace) {
  Teller teller(gateway, trace);
  json out = json::array();
  for (const ShadowTables::Sent& sent : trace.sent) {
    if (!sent.bytes.empty()) out.push_back({{"port", teller.port_name(sent.port)}, {"bytes", hex_digits(sent.bytes)}});
  }
  json drops = json::array();
  for (size_t i = 0; i < kDropReasons; ++i) {
    if (trace.drops[i] == 0) continue;
    const auto& [name, meaning] = kDropReasonText[i];
    drops.push_back({{"reason", name}, {"meaning", meaning}, {"cure", cure_of(static_cast<DropReason>(i))}});
  }
  json flow;
  if (trace.flow) {
    flow = {{"from", teller.place_name(trace.flow->ingress())},
            {"vlan", vlan_of(trace.flow->lo)},
            {"source", to_string(mac_of(trace.flow->source()))},
            {"destination", to_string(mac_of(trace.flow->destination()))},
            {"to", trace.destination ? json(teller.place_name(*trace.destination)) : json()}};
  }
  return {{"port", teller.port_name(trace.port)},
          {"bytes", trace.frame_bytes},
          {"stages", teller.stages()},
          {"flow", std::move(flow)},
          {"out", std::move(out)},
          {"sent", trace.sent.size()},
          {"drops", std::move(drops)},
          {"to_control", !trace.to_control.empty()}};
}

}  // namespace

json trace_reply(Gateway& gateway, const json& request) {
  const std::string name = request.at("port");
  const Ports::Record* const record = gateway.ports().find(name);
  if (record == nullptr) {
    config::Suggestion suggestion(name);
    for (const auto& [known, port] : gateway.ports().all()) suggestion.consider(known);
    return api_error({fmt::format("no such port: {}{}", name, suggestion.text())});
  }
  std::vector<uint8_t> bytes;
  if (const Error error = read_hex(request.at("text").get_ref<const std::string&>(), bytes)) {
    return api_error({error.text()});
  }
  if (record->port == nullptr) return api_error({fmt::format("{}: its device is not there", name)});
  const auto trace = trace_frame(gateway, record->index, bytes);
  return trace ? api_ok(result_of(gateway, *trace)) : api_error({"no buffers are left for a frame"});
}

}  // namespace causeway
