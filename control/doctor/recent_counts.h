// What has been counted in the last 10 to 20 s: findings by these end with what they speak of. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/gateway/gateway.h"

namespace causeway {

class RecentCounts {
 public:
  static constexpr std::chrono::seconds kInterval{10};

  struct Work {
    uint64_t packets = 0;  // received
    uint64_t busy_cycles = 0;
    uint64_t idle_cycles = 0;
    uint64_t cache_hits = 0;
    uint64_t cache_misses = 0;
  };

  // Called every kInterval.
  void next(const Gateway& gateway);
  // What a worker has done since the last call but one; where there was none, since the start.
  Work of(const Worker& worker) const;
  // How many MACs were not learnt in that time behind a member of a bridge, as its limit was reached.
  uint64_t refused_macs(const std::string& member, const Fdb::Limit& limit) const;

 private:
  struct Counts {
    std::vector<Work> workers;                     // by their ids
    std::map<std::string, uint64_t> refused_macs;  // by member, where there are any
  };
  Counts last_;
  Counts before_;
};

}  // namespace causeway
