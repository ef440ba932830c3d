// What a row of keys.h is made of. From a key's row come its reader (yaml/read_keys.h), what the plan says of a change
// (differences.h), and its place in the JSON Schema and in causeway.yaml(5) (describe_keys.cpp). What goes across keys
// stays code.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <tuple>

#include "dataplane/wire/tunnel_type.h"

namespace causeway::config {

// The forms of values: what may stand behind a key.

// A whole number. Where the member's own value is less than `low`, the key has no default to tell of.
struct Number {
  uint64_t low = 0;
  uint64_t high = UINT64_MAX;
};
// A number of bytes, with a suffix: 512M.
struct Bytes {
  uint64_t low = 0;
  uint64_t high = UINT64_MAX;
};
// true or false.
struct Flag {};
// auto or off, of a bool.
struct AutoOrOff {};
// auto, on or off.
struct OnOffAuto {};
// One of the words; the enumerator's number is the word's place.
template <size_t N>
struct Words {
  std::array<std::string_view, N> words;
};
// One of the types, by its name.
template <size_t N>
struct TunnelTypes {
  std::array<TunnelType, N> types;
};
// A unicast MAC address.
struct Mac {};
// auto, off or a number of bytes.
struct Clamp {};
// The value of a header field for each flow of a generator: one for all, or {first, count} unless `one`.
struct Range {
  enum class Of : uint8_t { mac, ipv4, port, id };
  Of of = Of::mac;
  bool one = false;
};
// A mapping of the member's own keys, whose rows these are. `schema`: as of Other; empty: the rows say it all.
template <const auto& kRows>
struct Mapping {
  std::string_view schema{};
};
// Anything else: read by code, and described to the JSON Schema by this fragment of it, in which "@queues" stands for
// the properties of that table (describe_keys.cpp).
struct Other {
  std::string_view schema;
};

// The key has no member of its own: its section compares what it says.
struct NoMember {};

// `Member`: what std::invoke takes with the section's struct: a pointer to a data member, In, or a function that makes
// the text that is compared.
// `kByCode`: its section's reader reads it, since it depends on other keys.
template <typename Member, typename Form, bool kByCode>
struct Key {
  static constexpr bool by_code = kByCode;
  std::string_view name;
  Member member;
  Form form;
  std::string_view help;  // for the manual page and editors; `words` of the file in backquotes
  std::string_view name_in_plan;
};

template <typename Member, typename Form>
constexpr auto key(std::string_view name, Member member, Form form, std::string_view help) {
  return Key<Member, Form, false>{name, member, form, help, name};
}
template <typename Member, typename Form>
constexpr auto key_by_code(std::string_view name, Member member, Form form, std::string_view help,
                           std::string_view name_in_plan) {
  return Key<Member, Form, true>{name, member, form, help, name_in_plan};
}
template <typename Member, typename Form>
constexpr auto key_by_code(std::string_view name, Member member, Form form, std::string_view help) {
  return key_by_code(name, member, form, help, name);
}

// A member of a member.
template <typename Owner, typename Outer, typename Inner>
struct In {
  Outer Owner::*outer;
  Inner Outer::*inner;
  constexpr auto& operator()(auto& owner) const { return (owner.*outer).*inner; }
};
template <typename Owner, typename Outer, typename Inner>
constexpr auto in(Outer Owner::*outer, Inner Outer::*inner) {
  return In<Owner, Outer, Inner>{outer, inner};
}

constexpr void for_each_key(const auto& rows, auto&& use) {
  std::apply([&](const auto&... row) { (use(row), ...); }, rows);
}

// The names of a table's keys, for the readers of mappings.
template <const auto& kRows>
inline constexpr auto kKeyNames =
    std::apply([](const auto&... row) { return std::array<std::string_view, sizeof...(row)>{row.name...}; }, kRows);

// Every type there is.
constexpr auto every_tunnel_type() {
  std::array<TunnelType, kTunnelTypes.size() - 1> types{};
  std::ranges::transform(kTunnelTypes.begin() + 1, kTunnelTypes.end(), types.begin(), &TunnelTypeRow::type);
  return types;
}
static_assert(kTunnelTypes.front().type == TunnelType::none);

}  // namespace causeway::config
