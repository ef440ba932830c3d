// A port's bindings by MAC, by perfect hashing: each MAC has a place of its own, one cache line, and nothing is
// searched. MACs fall into groups by one multiplier, and each group has another, found when the table is built, under
// which its MACs fall on places of nobody else (hash and displace; both are multiply-shift hashes, Dietzfelbinger et
// al. 1997). Immutable once built.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/flow/bindings.h"

namespace causeway {

class BindingTable {
 public:
  static constexpr uint64_t kNobody = UINT64_MAX;  // no MAC
  // Addresses whose bits under `mask` are `network`, as on the wire.
  struct Ipv4Network {
    uint32_t network = 0;
    uint32_t mask = 0;
    bool contains(uint32_t ip) const noexcept { return (ip & mask) == network; }
  };
  struct Ipv6Network {
    std::array<uint64_t, 2> network{};
    std::array<uint64_t, 2> mask{};
    bool contains(const std::array<uint64_t, 2>& ip) const noexcept {
      return (((ip[0] & mask[0]) ^ network[0]) | ((ip[1] & mask[1]) ^ network[1])) == 0;
    }
  };
  // A MAC and what says of nearly all its frames that they may pass: one of its prefixes of each IP version.
  struct alignas(64) Place {
    uint64_t mac = kNobody;  // MacAddress::to_raw()
    Ipv4Network ipv4;
    Ipv6Network ipv6;
    uint32_t binding = 0;
  };
  static_assert(sizeof(Place) == 64);

  // No two bindings have the same MAC. `seed` is random: nobody who may choose MACs can aim at one group.
  BindingTable(Bindings bindings, uint64_t seed);

  // Where a MAC (MacAddress::to_raw()) stands, if it is bound.
  const Place& place_of(uint64_t mac) const noexcept {
    return places_[mac * multipliers_[mac * group_multiplier_ >> group_shift_] >> place_shift_];
  }
  const Binding& binding_of(const Place& place) const noexcept { return bindings_[place.binding]; }

 private:
  using Group = std::vector<uint32_t>;  // of bindings

  bool put(const Group& group, uint64_t multiplier);

  Bindings bindings_;
  uint64_t group_multiplier_;
  unsigned group_shift_;
  unsigned place_shift_;
  std::vector<uint64_t> multipliers_;  // by group
  std::vector<Place> places_;
};

}  // namespace causeway
