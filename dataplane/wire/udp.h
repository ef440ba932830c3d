// UDP (RFC 768).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"

namespace causeway {

// RFC 768, "Format".
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |          source port          |       destination port        |
//   +-------------------------------+-------------------------------+
//   |             length            |           checksum            |
//   +-------------------------------+-------------------------------+
struct UdpHeader {
  be16 source_port;
  be16 destination_port;
  be16 length_bytes;  // this header included
  be16 checksum;      // 0: none
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);
static_assert(offsetof(UdpHeader, destination_port) == 2 && offsetof(UdpHeader, length_bytes) == 4);
static_assert(offsetof(UdpHeader, checksum) == 6);

}  // namespace causeway
