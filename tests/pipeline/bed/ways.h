// Which ways the copies of a frame went.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {

// "p2", or "vx0.3" through a tunnel to a remote.
using Ways = std::multiset<std::string>;

// Takes what came out, looked at byte by byte: `inner` at bridge ports; up0's are scapy's frames `outer`, one of
// `tunnels`, `tail`, but for the source port.
inline Ways ways_out(Bed& bed, const std::vector<std::string>& ports, const Bytes& inner,
                     const std::vector<std::string>& tunnels, const std::string& outer, const std::string& tail) {
  Ways ways;
  for (const std::string& port : ports) {
    for (const Bytes& bytes : bed.take_bytes(port)) {
      CHECK(to_hex(bytes) == to_hex(inner));
      ways.insert(port);
    }
  }
  for (const Bytes& bytes : bed.take_bytes("up0")) {
    const auto way = std::ranges::find_if(tunnels, [&](const std::string& tunnel) {
      const Bytes& expected = pipeline_frames()[outer + tunnel + "." + tail];
      return expected.size() == bytes.size() && with_entropy(expected, entropy_of(bytes)) == bytes;
    });
    if (way == tunnels.end()) {
      FAIL_CHECK("no tunnel's frame: " << to_hex(bytes));
    } else {
      ways.insert(*way);
    }
  }
  return ways;
}

}  // namespace causeway::test
