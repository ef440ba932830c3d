// What is wrong with what runs, or will be: one finding each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

enum class Severity : uint8_t {
  wrong,  // frames die, or go astray
  soon,   // they will
  hint,   // as it was wanted, perhaps; it costs something
};

struct Finding {
  Severity severity = Severity::wrong;
  std::string_view name;  // "unknown-vni"; causewayctl(8) has the list
  std::string object;     // whose: the name of a port, a tunnel or a bridge; empty: of the gateway itself
  std::string what;       // one line: who, and where
  std::string seen;       // one line: what says so
  std::string cure;       // one line: the command or the YAML key that mends it
};
using Findings = std::vector<Finding>;

}  // namespace causeway
