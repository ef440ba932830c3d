// Values of the configuration as the plan writes them.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/key.h"

namespace causeway::config {

std::string joined(const std::vector<std::string>& texts);  // "a, b"

inline std::string text_of(const std::string& text) { return text.empty() ? "none" : text; }
inline std::string text_of(bool value) { return value ? "true" : "false"; }
template <std::unsigned_integral T>
std::string text_of(T value) {
  return std::to_string(value);
}
std::string text_of(Toggle toggle);
std::string text_of(const MssClamp& clamp);
std::string text_of(const MacAddress& mac);
std::string text_of(const IpAddress& ip);
std::string text_of(const IpPrefix& prefix);
std::string text_of(const Route& route);              // "default via 10.0.0.1 metric 5"
std::string text_of(const StaticNeighbor& neighbor);  // "10.0.0.1 at 02:00:00:00:00:01"
std::string text_of(const SflowTarget& target);       // "192.0.2.1:6343", "[2001:db8::1]:6343"
std::string text_of(const Binding& binding);          // "02:00:00:00:00:01 with 10.0.0.1/32"
std::string text_of(TunnelType type);
std::string addresses_text(const Ethernet& ethernet);  // "host", "[172.31.0.1/24]"
std::string table_text(uint32_t table);                // of routes: "main", "10"
std::string text_of(const Tunnel& tunnel);             // of a new one: "geneve id 124 172.31.0.1 -> 172.31.0.2"
std::string text_of(const Ethernet& ethernet);         // its device: "dpdk net_null0", "id 5 link up0"
std::string text_of(const Mirror& mirror);             // where its copies go: "to out0", "to VLAN 99"
template <typename T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "default";
}
template <typename T>
std::string text_of(const std::vector<T>& list) {
  std::vector<std::string> texts;
  for (const T& item : list) texts.push_back(text_of(item));
  return texts.size() == 1 ? texts.front() : fmt::format("[{}]", joined(texts));
}

// The same of a value whose form says more than its type.
std::string text_of(const Bytes& form, uint64_t bytes);               // "512M"
std::string text_of(const Range& form, const GeneratorRange& range);  // "10.9.0.1", "5 from 10.9.0.1"
std::string text_of(const Range& form, uint32_t value);               // "10.9.0.1"
inline std::string text_of(const AutoOrOff&, bool value) { return value ? "auto" : "off"; }
template <size_t N, typename Enum>
std::string text_of(const Words<N>& form, Enum value) {
  return std::string(form.words.at(static_cast<size_t>(value)));
}
template <typename Form, typename T>
std::string text_of(const Form&, const T& value) {
  return text_of(value);
}

}  // namespace causeway::config
