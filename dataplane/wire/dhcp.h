// DHCP for IPv4 (RFC 2131, RFC 2132).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint16_t kDhcpServerPort = 67;  // RFC 2131 section 4.1
inline constexpr uint16_t kDhcpClientPort = 68;
inline constexpr uint8_t kDhcpReply = 2;               // DhcpMessage::operation, from a server
inline constexpr uint32_t kDhcpCookie = 0x63825363;    // RFC 2131 section 3
inline constexpr uint8_t kDhcpOptionPad = 0;           // one byte, no length
inline constexpr uint8_t kDhcpOptionMessageType = 53;  // RFC 2132 section 9.6
inline constexpr uint8_t kDhcpOptionEnd = 255;
inline constexpr uint8_t kDhcpAck = 5;

// RFC 2131 section 2. Options follow: code, length of the data, data.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+---------------+---------------+
//   |   operation   |   hw type 1   |  hw length 6  |     hops      |
//   +---------------+---------------+---------------+---------------+
//   |                        transaction (4)                        |
//   +-------------------------------+-------------------------------+
//   |            seconds            |             flags             |
//   +-------------------------------+-------------------------------+
//   |                      client's address (4)                     |
//   |                       your address (4)                        |
//   |                      server's address (4)                     |
//   |                       relay's address (4)                     |
//   |          client's hardware address (16, a MAC is 6)           |
//   |                     server's name (64)                        |
//   |                        boot file (128)                        |
//   |                          cookie (4)                           |
//   +---------------------------------------------------------------+
struct DhcpMessage {
  uint8_t operation;
  uint8_t hardware_type;
  uint8_t hardware_bytes;
  uint8_t hops;
  be32 transaction;
  be16 seconds;
  be16 flags;
  be32 client;
  be32 yours;
  be32 server;
  be32 relay;
  MacAddress client_mac;
  std::array<uint8_t, 10> unused;
  std::array<uint8_t, 64> server_name;
  std::array<uint8_t, 128> file;
  be32 cookie;

  IpAddress your_address() const noexcept { return IpAddress::v4(&yours); }
};
static_assert(sizeof(DhcpMessage) == 240 && alignof(DhcpMessage) == 1);
static_assert(offsetof(DhcpMessage, yours) == 16 && offsetof(DhcpMessage, client_mac) == 28);
static_assert(offsetof(DhcpMessage, cookie) == 236);

}  // namespace causeway
