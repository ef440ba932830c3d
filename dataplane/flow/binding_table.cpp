#include "dataplane/flow/binding_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <utility>

#include "dataplane/wire/big_endian.h"

namespace causeway {
namespace {

using Place = BindingTable::Place;

// The first prefix of a version; null: there is none.
const IpPrefix* first_prefix(const Binding& binding, bool v4) {
  const auto found =
      std::ranges::find_if(binding.addresses, [v4](const IpPrefix& prefix) { return prefix.address.is_v4() == v4; });
  return found == binding.addresses.end() ? nullptr : &*found;
}

// The first `length` bits of 128.
std::array<uint64_t, 2> mask_of(unsigned length) {
  const auto first_bits = [](unsigned bits) { return be64(bits == 0 ? 0 : UINT64_MAX << (64 - bits)).raw(); };
  return {first_bits(std::min(length, 64U)), first_bits(length > 64 ? length - 64 : 0)};
}

Place place_for(const Binding& binding, uint32_t index) {
  Place place;
  place.mac = binding.mac.to_raw();
  place.binding = index;
  if (binding.addresses.empty()) return place;  // any address is in the empty prefixes
  place.ipv4.network = 1;                       // none is under an empty mask
  place.ipv6.network[0] = 1;
  if (const IpPrefix* const own = first_prefix(binding, true)) {
    std::memcpy(&place.ipv4.mask, mask_of(own->length).data(), sizeof(place.ipv4.mask));
    std::memcpy(&place.ipv4.network, own->address.v4_wire(), sizeof(place.ipv4.network));
    place.ipv4.network &= place.ipv4.mask;
  }
  if (const IpPrefix* const own = first_prefix(binding, false)) {
    place.ipv6.mask = mask_of(own->length);
    std::memcpy(place.ipv6.network.data(), own->address.bytes.data(), sizeof(place.ipv6.network));
    for (size_t i = 0; i < 2; ++i) place.ipv6.network[i] &= place.ipv6.mask[i];
  }
  return place;
}

// Leaves the upper bits of a product, which number at least so many: two, as a shift by all 64 is none.
unsigned shift_for(size_t count) { return static_cast<unsigned>(std::countl_zero(std::max<size_t>(count, 2) - 1)); }

}  // namespace

// Two to four MACs a group, and half of the places stay free at least: a few multipliers are tried for each group, of
// the large ones first.
BindingTable::BindingTable(Bindings bindings, uint64_t seed)
    : bindings_(std::move(bindings)),
      group_shift_(shift_for(bindings_.size() / 4)),
      place_shift_(shift_for(bindings_.size() * 2)),
      multipliers_(size_t{1} << (64 - group_shift_)),
      places_(size_t{1} << (64 - place_shift_)) {
  std::mt19937_64 random(seed);
  group_multiplier_ = random() | 1;
  std::vector<std::pair<size_t, Group>> groups(multipliers_.size());
  for (size_t i = 0; i < groups.size(); ++i) groups[i].first = i;
  for (uint32_t index = 0; index < bindings_.size(); ++index) {
    groups[bindings_[index].mac.to_raw() * group_multiplier_ >> group_shift_].second.push_back(index);
  }
  std::ranges::sort(groups, std::ranges::greater(), [](const auto& group) { return group.second.size(); });
  for (const auto& [number, group] : groups) {
    do {
      multipliers_[number] = random() | 1;
    } while (!put(group, multipliers_[number]));
  }
}

// False where a place is taken; then none of them has one.
bool BindingTable::put(const Group& group, uint64_t multiplier) {
  const auto place_of = [&](uint32_t index) -> Place& {
    return places_[bindings_[index].mac.to_raw() * multiplier >> place_shift_];
  };
  for (size_t i = 0; i < group.size(); ++i) {
    if (place_of(group[i]).mac == kNobody) {
      place_of(group[i]) = place_for(bindings_[group[i]], group[i]);
      continue;
    }
    for (; i > 0; --i) place_of(group[i - 1]) = Place{};
    return false;
  }
  return true;
}

}  // namespace causeway
