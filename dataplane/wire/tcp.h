// TCP (RFC 9293).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;
inline constexpr uint8_t kTcpUrg = 0x20;
inline constexpr uint8_t kTcpEce = 0x40;  // RFC 3168 section 6.1
inline constexpr uint8_t kTcpCwr = 0x80;

inline constexpr uint8_t kTcpOptionEnd = 0;
inline constexpr uint8_t kTcpOptionNop = 1;
inline constexpr uint8_t kTcpOptionMss = 2;  // RFC 9293 section 3.7.1; 4 bytes with kind and length

// RFC 9293 section 3.1.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//   |                        sequence number                        |
//   |                     acknowledgment number                     |
//   +-------+-------+---------------+-------------------------------+
//   |offset | rsvd  |CEUAPRSF flags |             window            |
//   +-------+-------+---------------+-------------------------------+
//   |            checksum           |         urgent pointer        |
//   +-------------------------------+-------------------------------+
struct TcpHeader {
  be16 source_port;
  be16 destination_port;
  be32 sequence;
  be32 acknowledgment;
  uint8_t data_offset;  // upper 4 bits: header length in 4-byte words
  uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent_pointer;

  constexpr uint8_t header_bytes() const noexcept { return static_cast<uint8_t>((data_offset >> 4) * 4); }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);
static_assert(offsetof(TcpHeader, sequence) == 4 && offsetof(TcpHeader, acknowledgment) == 8);
static_assert(offsetof(TcpHeader, data_offset) == 12 && offsetof(TcpHeader, flags) == 13);
static_assert(offsetof(TcpHeader, window) == 14 && offsetof(TcpHeader, checksum) == 16);

}  // namespace causeway
