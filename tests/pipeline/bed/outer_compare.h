// Compares an encapsulated frame with scapy's: all of it, but for the entropy that every sender chooses itself (UDP
// source port, IPv6 flow label), which is looked at and then put into the expected frame.
#pragma once

#include <cstdint>

#include "tests/catch.h"
#include "tests/support/frames.h"

namespace causeway::test {

inline uint16_t read16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}

inline void write16(Bytes& bytes, size_t at, uint16_t value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

struct Entropy {
  uint16_t source_port = 0;  // 0: GRE has none
  uint32_t flow_label = 0;   // 0: IPv4 has none
  uint8_t flow_id = 0;       // of NVGRE
  auto operator<=>(const Entropy&) const = default;
};

// Where the outer L4 header stands.
inline size_t outer_l4_offset(const Bytes& frame) { return read16(frame, 12) == 0x86dd ? 54 : 34; }
inline bool outer_is_udp(const Bytes& frame) { return frame.at(read16(frame, 12) == 0x86dd ? 20 : 23) == 17; }

// The tests' NVGRE tunnels are those with VSID 0x123456.
inline bool outer_is_nvgre(const Bytes& frame) {
  const size_t gre = outer_l4_offset(frame);
  return !outer_is_udp(frame) && read16(frame, gre) == 0x2000 && read16(frame, gre + 4) == 0x1234 &&
         frame.at(gre + 6) == 0x56;
}

inline Entropy entropy_of(const Bytes& frame) {
  Entropy entropy;
  if (outer_is_nvgre(frame)) entropy.flow_id = frame.at(outer_l4_offset(frame) + 7);
  if (outer_is_udp(frame)) entropy.source_port = read16(frame, outer_l4_offset(frame));
  if (read16(frame, 12) == 0x86dd) {
    entropy.flow_label = static_cast<uint32_t>(frame.at(15) & 0x0f) << 16 | read16(frame, 16);
  }
  return entropy;
}

// `frame` with another frame's entropy, its checksum following (RFC 1624 section 3; the label is in no checksum).
inline Bytes with_entropy(Bytes frame, const Entropy& entropy) {
  if (read16(frame, 12) == 0x86dd) {
    frame.at(15) = static_cast<uint8_t>((frame.at(15) & 0xf0) | entropy.flow_label >> 16);
    write16(frame, 16, static_cast<uint16_t>(entropy.flow_label));
  }
  if (outer_is_nvgre(frame)) frame.at(outer_l4_offset(frame) + 7) = entropy.flow_id;
  if (!outer_is_udp(frame)) return frame;
  const size_t udp = outer_l4_offset(frame);
  const uint16_t checksum = read16(frame, udp + 6);
  if (checksum != 0) {
    uint32_t sum = (~checksum & 0xffffU) + (~uint32_t{read16(frame, udp)} & 0xffffU) + entropy.source_port;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    const auto updated = static_cast<uint16_t>(~sum);
    write16(frame, udp + 6, updated != 0 ? updated : uint16_t{0xffff});
  }
  write16(frame, udp, entropy.source_port);
  return frame;
}

// Checks and returns the entropy that `got` carries.
inline Entropy check_outer(const Bytes& got, const Bytes& expected) {
  REQUIRE(got.size() == expected.size());
  const Entropy entropy = entropy_of(got);
  if (entropy.source_port != 0 || outer_is_udp(got)) {
    CHECK(entropy.source_port >= 32768);
    CHECK(entropy.source_port <= 60999);
  }
  const Bytes wanted = with_entropy(expected, entropy);
  if (got != wanted) CHECK(to_hex(got) == to_hex(wanted));
  return entropy;
}

}  // namespace causeway::test
