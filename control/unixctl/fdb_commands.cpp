// fdb/...: which MAC lives where.
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "control/config/address_text.h"
#include "control/unixctl/commands.h"
#include "control/unixctl/ports_text.h"

namespace causeway::unixctl {
namespace {

using nlohmann::json;

constexpr uint32_t kSlots = 64;  // at a time

Answer no_such_bridge() { return Answer::failure("no such bridge"); }

// What a verb of the control socket answered.
Answer answer_of(const json& reply, std::string text) {
  if (reply.at("ok").get<bool>()) return Answer::of(std::move(text));
  return Answer::failure(reply.at("errors").at(0).get<std::string>());
}

Answer show(const Context& context, const Arguments& arguments) {
  const Gateway& gateway = context.gateway;
  const std::string& name = arguments.at(0);
  const Bridges::Bridge* const bridge = gateway.bridges().find(name);
  if (bridge == nullptr) return no_such_bridge();
  Answer answer = Answer::in_bits([&gateway, name, index = bridge->index, numbers = context.port_numbers(name),
                                   cursor = gateway.fdb().begin()](std::string& text) mutable {
    return gateway.fdb().visit_next(cursor, kSlots, gateway.now_s(), [&](const Fdb::Entry& entry) {
      if (entry.bridge != index) return;
      const std::string port = port_text(name, gateway.adjacencies().owner(entry.exit).interface, numbers);
      const std::string age = entry.is_static ? "static" : fmt::format("{:3}", entry.age_s);
      text += fmt::format("{:>5}  {:4}  {}  {}\n", port, vlan_of(entry.key), to_string(mac_of(entry.key)), age);
    });
  });
  answer.text = " port  VLAN  MAC                Age\n";
  return answer;
}

Answer flush(const Context& context, const Arguments& arguments) {
  json request = {{"verb", "fdb"}, {"action", "flush"}};
  if (!arguments.empty()) {
    if (context.gateway.bridges().find(arguments.at(0)) == nullptr) return no_such_bridge();
    request["bridge"] = arguments.at(0);
  }
  return answer_of(context.ask(std::move(request)), "table successfully flushed");
}

// A MAC that there is no room for isn't learnt: none is evicted.
std::string statistics(const Fdb::BridgeState& state, const std::string& name, size_t static_macs) {
  return fmt::format(
      "Statistics for bridge \"{}\":\n"
      "  Current/maximum MAC entries in the table: {}/{}\n"
      "  Current static MAC entries in the table : {}\n"
      "  Total number of learned MAC entries     : {}\n"
      "  Total number of expired MAC entries     : {}\n"
      "  Total number of evicted MAC entries     : 0\n"
      "  Total number of port moved MAC entries  : {}\n",
      name, state.macs, state.max_macs, static_macs, state.learned, state.expired, state.moves);
}

// All MACs are looked at for those that are static.
Answer show_statistics(const Context& context, const Arguments& arguments) {
  const Gateway& gateway = context.gateway;
  const std::string& name = arguments.at(0);
  const Bridges::Bridge* const bridge = gateway.bridges().find(name);
  if (bridge == nullptr) return no_such_bridge();
  return Answer::in_bits([&gateway, name, index = bridge->index, static_macs = size_t{0},
                          cursor = gateway.fdb().begin()](std::string& text) mutable {
    const bool more = gateway.fdb().visit_next(cursor, kSlots, gateway.now_s(), [&](const Fdb::Entry& entry) {
      if (entry.bridge == index && entry.is_static) ++static_macs;
    });
    if (more) return true;
    const Bridges::Bridge* const there = gateway.bridges().find(name);
    if (there != nullptr) text = statistics(gateway.fdb().bridge(there->index), name, static_macs);
    return false;
  });
}

// A MAC and its VLAN among arguments.
struct Place {
  std::string error;  // empty: none
  MacAddress mac{};
  uint16_t vlan = 0;
};

Place place_of(const std::string& vlan_text, const std::string& mac_text) {
  Place place;
  const char* const end = vlan_text.data() + vlan_text.size();
  const auto [read, wrong] = std::from_chars(vlan_text.data(), end, place.vlan);
  if (wrong != std::errc() || read != end) place.error = "bad VLAN";
  const auto mac = parse_mac(mac_text);
  if (!mac) place.error = "bad MAC address";
  place.mac = mac.value_or(MacAddress());
  return place;
}

Answer add(const Context& context, const Arguments& arguments) {
  const Gateway& gateway = context.gateway;
  const Bridges::Bridge* const bridge = gateway.bridges().find(arguments.at(0));
  if (bridge == nullptr) return no_such_bridge();
  const Place place = place_of(arguments.at(2), arguments.at(3));
  if (!place.error.empty()) return Answer::failure(place.error);
  std::string said;
  if (const auto known = gateway.fdb().find(bridge->index, mac_vlan(place.mac, place.vlan))) {
    const std::string& port = gateway.adjacencies().owner(known->exit).interface;
    if (!known->is_static || port != arguments.at(1)) {
      said = fmt::format("Overriding already existing {} entry on {}", known->is_static ? "static" : "dynamic",
                         port_text(arguments.at(0), port, context.port_numbers(arguments.at(0))));
    }
  }
  return answer_of(context.ask({{"verb", "fdb"},
                                {"action", "add"},
                                {"bridge", arguments.at(0)},
                                {"port", arguments.at(1)},
                                {"vlan", place.vlan},
                                {"mac", arguments.at(3)}}),
                   said);
}

// Only what is static, as in OVS.
Answer remove(const Context& context, const Arguments& arguments) {
  const Gateway& gateway = context.gateway;
  const Bridges::Bridge* const bridge = gateway.bridges().find(arguments.at(0));
  if (bridge == nullptr) return no_such_bridge();
  const Place place = place_of(arguments.at(1), arguments.at(2));
  if (!place.error.empty()) return Answer::failure(place.error);
  const auto known = gateway.fdb().find(bridge->index, mac_vlan(place.mac, place.vlan));
  if (!known || !known->is_static) return Answer::failure("could not find static mac entry");
  return answer_of(context.ask({{"verb", "fdb"},
                                {"action", "del"},
                                {"bridge", arguments.at(0)},
                                {"vlan", place.vlan},
                                {"mac", arguments.at(2)}}),
                   "");
}

constexpr Command kCommands[] = {
    {"fdb/add", "bridge port vlan mac", 4, 4, add},
    {"fdb/del", "bridge vlan mac", 3, 3, remove},
    {"fdb/flush", "[bridge]", 0, 1, flush},
    {"fdb/show", "bridge", 1, 1, show},
    {"fdb/stats-show", "bridge", 1, 1, show_statistics},
};

}  // namespace

std::span<const Command> fdb_commands() { return kCommands; }

}  // namespace causeway::unixctl
