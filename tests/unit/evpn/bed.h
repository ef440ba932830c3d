// What commands print in a network namespace that nobody else sees.
#pragma once

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "tests/unit/pmd/bed.h"

namespace causeway::test {

// What `line` prints there; empty where it fails, as grep does that finds nothing.
inline std::string output(const Namespace& ns, const std::string& line) {
  std::string text;
  ns.inside([&] {
    std::FILE* const pipe = popen(line.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error(line);
    std::array<char, 4096> part{};
    for (size_t bytes = 0; (bytes = fread(part.data(), 1, part.size(), pipe)) != 0;) text.append(part.data(), bytes);
    pclose(pipe);
  });
  return text;
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace causeway::test
