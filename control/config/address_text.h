// Addresses as people write them. Parsing is strict: the whole text must be the address, nothing around it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dataplane/wire/address.h"

namespace causeway {

// Six pairs of hex digits with colons between: "02:00:00:00:00:01".
std::optional<MacAddress> parse_mac(std::string_view text);

// Dotted quad, or RFC 4291 section 2.2. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is refused: it would
// silently become an IPv4 address.
std::optional<IpAddress> parse_ip(std::string_view text);

// "172.31.0.1/24": the length is required, bits behind it are kept.
std::optional<IpPrefix> parse_prefix(std::string_view text);

std::string to_string(const MacAddress& mac);
std::string to_string(const IpAddress& ip);  // IPv6 as RFC 5952 wants it
std::string to_string(const IpPrefix& prefix);

// The prefix with every bit behind its length cleared: 172.31.0.1/24 -> 172.31.0.0/24.
IpPrefix network_of(const IpPrefix& prefix);

}  // namespace causeway
