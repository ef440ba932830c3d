// Reads a mapping's keys by their rows (config/keys.h). Those that depend on others are read by their section.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>

#include "control/config/key.h"
#include "control/yaml/value.h"

namespace causeway::config {

// What `form` says is read into `out`, if the key is there and right.
template <std::integral T>
void read_key(const Fields& fields, std::string_view name, const Number& form, T& out) {
  fields.number(name, out, form.low, form.high);
}
template <std::integral T>
void read_key(const Fields& fields, std::string_view name, const Number& form, std::optional<T>& out) {
  fields.number(name, out, form.low, form.high);
}
inline void read_key(const Fields& fields, std::string_view name, const Bytes& form, uint64_t& out) {
  if (const auto value = fields.find(name)) out = value->bytes(form.low, form.high).value_or(out);
}
void read_key(const Fields& fields, std::string_view name, const Flag&, auto& out) { fields.boolean(name, out); }
inline void read_key(const Fields& fields, std::string_view name, const AutoOrOff&, bool& out) {
  if (const auto value = fields.find(name)) {
    if (const auto word = value->word({"auto", "off"})) out = *word == 0;
  }
}
inline void read_key(const Fields& fields, std::string_view name, const OnOffAuto&, Toggle& out) {
  fields.toggle(name, out);
}
template <size_t N, typename Enum>
void read_key(const Fields& fields, std::string_view name, const Words<N>& form, Enum& out) {
  if (const auto value = fields.find(name)) {
    if (const auto word = value->word(form.words)) out = static_cast<Enum>(*word);
  }
}
void read_key(const Fields& fields, std::string_view name, const Mac&, auto& out) { fields.mac(name, out); }
inline void read_key(const Fields& fields, std::string_view name, const Clamp&, MssClamp& out) {
  fields.mss_clamp(name, out);
}

void read_keys(const Fields& fields, const auto& rows, auto& owner);

template <const auto& kRows>
void read_key(const Fields& fields, std::string_view name, const Mapping<kRows>&, auto& out) {
  if (const auto value = fields.find(name)) read_keys(Fields(*value, kKeyNames<kRows>), kRows, out);
}

// Every key of `rows` but those that are read by code.
void read_keys(const Fields& fields, const auto& rows, auto& owner) {
  for_each_key(rows, [&](const auto& key) {
    if constexpr (!std::remove_cvref_t<decltype(key)>::by_code)
      read_key(fields, key.name, key.form, std::invoke(key.member, owner));
  });
}

}  // namespace causeway::config
