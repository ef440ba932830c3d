#include "control/capture/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "control/yaml/value.h"

namespace causeway {
namespace {

using nlohmann::json;

// Names have no space in them.
std::vector<std::string> names_in(const json& fields, const char* key) {
  std::vector<std::string> names;
  std::string_view rest = fields.contains(key) ? fields.at(key).get_ref<const std::string&>() : std::string_view();
  while (!rest.empty()) {
    const size_t space = std::min(rest.find(' '), rest.size());
    if (space != 0) names.emplace_back(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return names;
}

Error read_number(const json& fields, const char* key, uint64_t least, uint64_t most, uint64_t& number) {
  const auto found = fields.find(key);
  if (found == fields.end()) return {};
  if (!found->is_number_unsigned() || *found < least || *found > most) {
    return fmt::format("{}: not a number from {} to {}", key, least, most);
  }
  number = found->get<uint64_t>();
  return {};
}

Error read_reason(const std::string& name, CaptureChoice& choice) {
  if (name.empty()) return {};
  choice.drops = true;
  if (name == "any") return {};
  config::Suggestion suggestion(name);
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    suggestion.consider(kDropReasonText[reason].name);
    if (kDropReasonText[reason].name == name) choice.reason = static_cast<DropReason>(reason);
  }
  if (choice.reason != DropReason::none) return {};
  return fmt::format("no such drop reason: {}{}; `causewayctl stats --all` lists them", name, suggestion.text());
}

Error no_such(std::string_view kind, const std::string& name, const auto& all) {
  config::Suggestion suggestion(name);
  for (const auto& item : all) suggestion.consider(item.first);
  return fmt::format("no such {}: {}{}", kind, name, suggestion.text());
}

Error missing_in(std::string_view kind, const std::vector<std::string>& names, const auto& all) {
  const auto absent = std::ranges::find_if(names, [&](const std::string& name) { return !all.contains(name); });
  return absent == names.end() ? Error() : no_such(kind, *absent, all);
}

// Indexes, 64 a word.
class Marks {
 public:
  void add(uint32_t index) {
    if (words_.size() <= index / 64) words_.resize(index / 64 + 1);
    words_[index / 64] |= uint64_t{1} << (index % 64);
  }
  void add_all(uint32_t count) { words_.assign((count + 63) / 64, UINT64_MAX); }
  const std::vector<uint64_t>& words() const { return words_; }

 private:
  std::vector<uint64_t> words_;
};

// What a request means in a gateway.
class Meaning {
 public:
  Meaning(const CaptureChoice& choice, const Gateway& gateway) : choice_(choice), gateway_(gateway) {}

  // An underlay has tunnels' frames, with their outer headers on it and without at the tunnels' ends.
  void add_port(const Ports::Record& port) {
    const bool underlay = gateway_.underlay().find(port.index) != nullptr;
    if (!underlay || !choice_.inner) return ports_.add(port.index);
    for (const auto& [tunnel, record] : gateway_.tunnels().all()) {
      for (const AdjacencyIndex end : gateway_.tunnels().adjacencies(tunnel)) {
        const Adjacency* const adjacency = gateway_.adjacencies().get(end);
        if (adjacency != nullptr && adjacency->port == port.index) tunnels_.add(end);
      }
    }
  }
  void add_tunnel(const std::string& name) {
    for (const AdjacencyIndex end : gateway_.tunnels().adjacencies(name)) tunnels_.add(end);
  }
  void add_bridge(const Bridges::Bridge& bridge) {
    for (const auto& [interface, member] : bridge.members) {
      const Ports::Record* const port = gateway_.ports().find(interface);
      if (port != nullptr) {
        ports_.add(port->index);
      } else {
        add_tunnel(interface);
      }
    }
  }
  void add_all() {
    if (!choice_.inner && !choice_.outer) return ports_.add_all(kMaxPorts);  // those to come, too
    for (const auto& [name, port] : gateway_.ports().all()) {
      const bool underlay = gateway_.underlay().find(port.index) != nullptr;
      if (underlay == choice_.outer) ports_.add(port.index);
    }
    if (!choice_.inner) return;
    for (const auto& [tunnel, record] : gateway_.tunnels().all()) add_tunnel(tunnel);
  }
  void put_into(Capture& capture) const {
    capture.ports.assign(ports_.words());
    capture.tunnels.assign(tunnels_.words());
  }

 private:
  const CaptureChoice& choice_;
  const Gateway& gateway_;
  Marks ports_;
  Marks tunnels_;
};

}  // namespace

Error read_capture_request(const json& fields, CaptureRequest& request) {
  request.ports = names_in(fields, "ports");
  request.tunnels = names_in(fields, "tunnels");
  request.bridges = names_in(fields, "bridges");
  CaptureChoice& choice = request.choice;
  const std::string direction = fields.value("direction", "");
  if (!direction.empty() && direction != "in" && direction != "out") return "direction: in or out";
  choice.incoming = direction != "out";
  choice.outgoing = direction != "in";
  const std::string headers = fields.value("headers", "");
  if (!headers.empty() && headers != "inner" && headers != "outer") return "headers: inner or outer";
  if (Error error = read_reason(fields.value("drops", ""), choice)) return error;
  const bool at_tunnels = !request.tunnels.empty() || !request.bridges.empty();
  // Frames die with the headers that they have then.
  choice.outer = !choice.drops && headers == "outer";
  choice.inner = !choice.drops && (headers == "inner" || (headers.empty() && at_tunnels));
  if (Error error = read_number(fields, "count", 1, UINT64_MAX, request.most_frames)) return error;
  uint64_t snap_bytes = kMostSnapBytes;
  if (Error error = read_number(fields, "snaplen", 1, kMostSnapBytes, snap_bytes)) return error;
  choice.snap_bytes = static_cast<uint32_t>(snap_bytes);
  return {};
}

Error missing_of(const CaptureRequest& request, const Gateway& gateway) {
  if (Error error = missing_in("port", request.ports, gateway.ports().all())) return error;
  if (Error error = missing_in("tunnel", request.tunnels, gateway.tunnels().all())) return error;
  return missing_in("bridge", request.bridges, gateway.bridges().all());
}

void mark(const CaptureRequest& request, const Gateway& gateway, Capture& capture) {
  Meaning meaning(request.choice, gateway);
  for (const std::string& name : request.ports) {
    if (const Ports::Record* const port = gateway.ports().find(name)) meaning.add_port(*port);
  }
  for (const std::string& name : request.tunnels) meaning.add_tunnel(name);
  for (const std::string& name : request.bridges) {
    if (const Bridges::Bridge* const bridge = gateway.bridges().find(name)) meaning.add_bridge(*bridge);
  }
  if (request.of_all()) meaning.add_all();
  meaning.put_into(capture);
}

}  // namespace causeway
