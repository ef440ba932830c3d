#include "control/ctl/dot.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace causeway {
namespace {

using nlohmann::json;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string node_of(std::string_view kind, std::string_view name) {
  return fmt::format("\"{} {}\"", kind, escaped(name));
}

struct Graph {
  std::string nodes;
  std::set<std::string> edges;  // once each

  // `more`: a line below the name.
  void node(std::string_view kind, const std::string& name, std::string_view shape, const std::string& more, bool up) {
    const std::string label = escaped(name) + (more.empty() ? "" : "\\n" + escaped(more));
    nodes +=
        fmt::format("  {} [label=\"{}\", shape={}{}];\n", node_of(kind, name), label, shape, up ? "" : ", color=red");
  }
  void edge(const std::string& from, const std::string& to, std::string_view style = "solid") {
    edges.insert(fmt::format("  {} -- {} [style={}];\n", from, to, style));
  }
};

// A text, or a list of them where there are several.
std::vector<std::string> texts_of(const json& value) {
  if (value.is_array()) return value.get<std::vector<std::string>>();
  return {value.get<std::string>()};
}

}  // namespace

std::string topology_dot(const json& ports, const json& bridges, const json& tunnels) {
  Graph graph;
  std::map<std::string, std::string> interfaces;  // name -> node
  for (const json& port : ports) {
    const std::string name = port.at("name");
    const std::string state = port.at("state");
    interfaces[name] = node_of("port", name);
    graph.node("port", name, "box", fmt::format("{}, {}", port.at("kind").get<std::string>(), state), state == "up");
    if (port.at("link").is_string())
      graph.edge(node_of("port", name), node_of("port", port.at("link").get<std::string>()), "dotted");
  }
  std::set<std::string> vteps;
  for (const json& tunnel : tunnels) {
    const std::string name = tunnel.at("name");
    const std::string state = tunnel.at("state");
    interfaces[name] = node_of("tunnel", name);
    const std::string id = tunnel.at("id").is_null() ? "" : " " + tunnel.at("id").dump();
    graph.node("tunnel", name, "cds", fmt::format("{}{}, {}", tunnel.at("mode").get<std::string>(), id, state),
               state == "up");
    std::vector<std::string> remotes = texts_of(tunnel.at("remote"));
    for (const json& vtep : tunnel.at("vteps")) remotes.push_back(vtep.at("remote"));
    for (const std::string& remote : remotes) {
      if (vteps.insert(remote).second) graph.node("vtep", remote, "ellipse", "", true);
      graph.edge(node_of("tunnel", name), node_of("vtep", remote));
      for (const json& hop : tunnel.at("next_hops")) {
        graph.edge(node_of("vtep", remote), node_of("port", hop.at("port").get<std::string>()), "dashed");
      }
    }
  }
  for (const json& bridge : bridges) {
    const std::string name = bridge.at("name");
    graph.node("bridge", name, "box3d", "", true);
    for (const std::string& member : bridge.at("interfaces").get<std::vector<std::string>>()) {
      const auto found = interfaces.find(member);
      if (found != interfaces.end()) graph.edge(node_of("bridge", name), found->second);
    }
  }
  std::string text = "graph causeway {\n  rankdir=LR;\n" + graph.nodes;
  for (const std::string& edge : graph.edges) text += edge;
  return text + "}\n";
}

}  // namespace causeway
