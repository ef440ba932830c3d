// What differs between two of a kind, in the words of the file: "mtu 1500 -> 9000, addresses +172.31.0.2/24". Each
// key's row (keys.h) says what is compared. Two that differ always yield something, or `apply` would leave the change
// out: where no key names it, kUnnamed, which no test lets pass.
#pragma once

#include <string>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

inline constexpr const char* kUnnamed = "what no key names";

// Empty: nothing differs.
using Differences = std::vector<std::string>;

Differences differences_of(const Ethernet& before, const Ethernet& after);
Differences differences_of(const Tunnel& before, const Tunnel& after);
Differences differences_of(const Bridge& before, const Bridge& after);  // of its parameters
Differences differences_of(const Sflow& before, const Sflow& after);
Differences differences_of(const Mirror& before, const Mirror& after);

struct SystemDifference {
  std::string key;   // "workers"
  std::string text;  // "1 -> 2"
};
std::vector<SystemDifference> differences_of(const System& before, const System& after);

}  // namespace causeway::config
