#include "control/config/address_text.h"

#include <arpa/inet.h>

#include <charconv>

namespace causeway {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<MacAddress> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac;
  for (size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) return std::nullopt;
    mac.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return mac;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];  // inet_pton wants a NUL
  if (text.empty() || text.size() >= sizeof terminated) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  terminated[text.copy(terminated, text.size())] = '\0';
  uint8_t wire[16];
  if (inet_pton(AF_INET, terminated, wire) == 1) return IpAddress::v4(wire);
  if (inet_pton(AF_INET6, terminated, wire) != 1) return std::nullopt;
  const IpAddress ip = IpAddress::v6(wire);
  if (ip.is_v4()) return std::nullopt;
  return ip;
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto ip = parse_ip(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  if (!ip || digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  unsigned length = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (status != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length > (ip->is_v4() ? 32U : 128U)) return std::nullopt;
  return IpPrefix{*ip, static_cast<uint8_t>(length)};
}

std::string to_string(const MacAddress& mac) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(17, ':');
  for (size_t i = 0; i < 6; ++i) {
    text[3 * i] = kDigits[mac.bytes[i] >> 4];
    text[3 * i + 1] = kDigits[mac.bytes[i] & 15];
  }
  return text;
}

std::string to_string(const IpAddress& ip) {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = ip.is_v4();
  return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip.v4_wire() : ip.bytes.data(), text, sizeof text);
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

IpPrefix network_of(const IpPrefix& prefix) {
  IpPrefix network = prefix;
  const size_t bits = prefix.length + (prefix.address.is_v4() ? 96U : 0U);
  for (size_t i = 0; i < 16; ++i) {
    if (8 * i >= bits) {
      network.address.bytes[i] = 0;
    } else if (8 * i + 8 > bits) {
      network.address.bytes[i] &= static_cast<uint8_t>(0xff << (8 * i + 8 - bits));
    }
  }
  return network;
}

}  // namespace causeway
