// `causewayctl show`: asks for tables, and prints them for people or programs.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

struct ShowOptions {
  std::string subject;            // empty: ports, bridges and tunnels
  std::string name;               // of the subject's; empty: all
  size_t top = 0;                 // of flows: so many, the largest; 0: all
  bool dot = false;               // the topology for Graphviz
  std::optional<double> watch_s;  // again and again, with rates; none: once
  bool json_output = false;
};

// The daemon's reply; nullopt: it failed, which is said already.
using Ask = std::function<std::optional<nlohmann::json>(const nlohmann::json& request)>;

using Complain = std::function<void(const std::string& why)>;

// In the order of the help text.
std::vector<std::string_view> show_subjects();

// False where something failed, which is said by then.
bool show(const ShowOptions& options, const Ask& ask, const Complain& complain);

}  // namespace causeway
