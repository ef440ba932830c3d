#include "dataplane/flow/outer_cache.h"

#include <algorithm>
#include <cstring>

namespace causeway {
namespace {

// The bits of GRE's first 16 bytes that a tunnel's frames have in common: not the checksum, not the number, and not
// what the inner frame begins with.
struct GreMask {
  uint64_t first = be64(0xffff'ffff'0000'0000).raw();
  uint64_t second = 0;
};

GreMask mask_of(const GreHeader& gre) noexcept {
  GreMask mask;
  if (!gre.has_key()) return mask;
  (gre.has_checksum() ? mask.second : mask.first) |=
      gre.has_checksum() ? be64(0xffff'ffff'0000'0000).raw() : be64(0xffff'ffff).raw();
  return mask;
}

}  // namespace

// The options, which fill their length. False: too many of them are unknown.
bool OuterCache::read_options(std::span<const uint8_t> options, std::span<const KnownOption> known,
                              More& more) noexcept {
  more.unknowns = 0;
  more.options = {};
  more.options_mask = {};
  for (size_t at = 0; at < options.size();) {
    const auto* option = reinterpret_cast<const GeneveOption*>(&options[at]);
    const bool is_known = std::ranges::any_of(known, [&](const KnownOption& k) {
      return k.option_class == option->option_class.get() && k.type == option->type;
    });
    if (!is_known && more.unknowns == kMostUnknown) return false;
    if (!is_known) more.unknown[more.unknowns++] = option->option_class.get();
    const size_t end = at + sizeof(GeneveOption) + option->data_bytes();
    for (size_t word = at; word < end; word += 4) {
      const size_t shift = word % 8 * 8;  // which half of the word that is compared, as loaded (little-endian)
      more.options[word / 8] |= uint64_t{word_at<uint32_t>(&options[word])} << shift;
      if (is_known || word == at) more.options_mask[word / 8] |= uint64_t{UINT32_MAX} << shift;
    }
    at = end;
  }
  return true;
}

template <OuterFamily kFamily>
void OuterCache::remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, uint32_t epoch,
                          const Adjacency& in, std::span<const KnownOption> known) noexcept {
  const auto l4 = word_at<uint64_t>(outer + kFamily.l4());
  const auto tunnel = word_at<uint64_t>(outer + kFamily.tunnel());
  Entry entry{};
  entry.tunnel = tunnel;
  uint32_t option_bytes = 0;
  if constexpr (kFamily.udp) {
    if (!over_udp(in.kind) || inner_offset < kFamily.readable()) return;
    option_bytes = inner_offset - kFamily.readable();
    if (option_bytes > kMostOptionBytes || (option_bytes == 0 && (in.receive_rules & kMatchOptions) != 0)) return;
    entry.l4 = l4 & kPortMask;
    entry.tunnel_mask = row_of(in.kind).header_mask;
    // Whether there are critical options.
    if (option_bytes != 0) entry.tunnel_mask |= be64(uint64_t{kGeneveFlagCritical} << 48).raw();
    entry.zero_checksum = in.kind != TunnelType::geneve || (in.receive_rules & kZeroChecksumOk) != 0;
  } else {
    const auto* gre = reinterpret_cast<const GreHeader*>(outer + kFamily.l4());
    if (!over_gre(in.kind) || inner_offset != kFamily.l4() + gre->header_bytes()) return;
    const GreMask mask = mask_of(*gre);
    entry.l4 = l4;
    entry.l4_mask = mask.first;
    entry.tunnel_mask = mask.second;
  }
  const size_t slot = slot_of<kFamily>(outer, l4, tunnel);
  More& more = more_[slot];
  entries_[slot].validity = 0;
  if (!read_options(std::span(outer + kFamily.readable(), option_bytes), known, more)) return;
  const uint8_t* addresses = outer + kFamily.addresses();
  if constexpr (kFamily.ipv6) {
    std::memcpy(more.addresses.data(), addresses, sizeof(more.addresses));
  } else {
    entry.addresses = word_at<uint64_t>(addresses);
    entry.addresses_sum = fold(sum_frame(addresses, 8, 0));
  }
  entry.option_bytes = static_cast<uint8_t>(option_bytes);
  entry.validity = validity(port, epoch) | validity(kFamily);
  entry.in = &in;
  entry.place = place_of(in.index, inner_offset);
  entry.vlan_rules = in.vlan_rules;
  entries_[slot] = entry;
}

void OuterCache::remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, MacVlan mac, uint32_t epoch,
                          const Adjacency& in, std::span<const KnownOption> known) noexcept {
  const std::optional<OuterFamily> family = OuterFamily::of(outer);
  if (!family || ((word_at<uint64_t>(outer) ^ mac) & kMacMask) != 0) return;
  const bool v4_options = !family->ipv6 && outer[14] != 0x45;
  const bool congested = (family->ipv6 ? outer[15] & 0x10 : outer[15] & 1) != 0;  // or ECT(1)
  if (v4_options || congested) return;
  if (family->ipv6) {
    family->udp ? remember<OuterFamily{true, true}>(outer, inner_offset, port, epoch, in, known)
                : remember<OuterFamily{true, false}>(outer, inner_offset, port, epoch, in, known);
  } else {
    family->udp ? remember<OuterFamily{false, true}>(outer, inner_offset, port, epoch, in, known)
                : remember<OuterFamily{false, false}>(outer, inner_offset, port, epoch, in, known);
  }
}

}  // namespace causeway
