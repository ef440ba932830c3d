// What a generator port sends. Plain data, complete, comparable: yaml/load makes it.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "dataplane/wire/address.h"
#include "dataplane/wire/tunnel_type.h"

namespace causeway {

// A header field of flow f: first + f % count. MAC and IPv4 addresses as numbers, first byte most significant.
struct GeneratorRange {
  uint64_t first = 0;
  uint32_t count = 1;
  auto operator<=>(const GeneratorRange&) const = default;
};

// IPv4 and a tunnel header around each frame, addressed to the port's own MAC: traffic for an underlay.
struct GeneratorTunnel {
  // Of UDP over the outer header. `verified`: the port says, as a NIC would, that it found the outer checksums right.
  enum class Checksum : uint8_t { none, filled, verified };

  TunnelType mode = TunnelType::none;
  GeneratorRange id;  // VNI, GRE key
  MacAddress source_mac{{0x02, 0x03, 0, 0, 0, 0}};
  GeneratorRange source_address;
  uint32_t destination_address = 0;
  uint16_t port = 0;  // UDP destination port
  Checksum checksum = Checksum::none;
  auto operator<=>(const GeneratorTunnel&) const = default;
};

struct GeneratorSettings {
  enum class Distribution : uint8_t { sequential, uniform, zipf };
  static constexpr uint16_t kLeastFrameBytes = 60;
  static constexpr uint16_t kMostFrameBytes = 1518;
  static constexpr uint32_t kMostZipfFlows = 1U << 24;  // opening the port looks at each

  std::vector<uint16_t> frame_bytes{kLeastFrameBytes};  // without FCS and tunnel; each in turn
  uint64_t rate = 0;                                    // frames a second over all queues; 0: as fast as it is polled
  uint64_t limit = 0;                                   // frames in all; 0: endless
  uint32_t flows = 1;                                   // 0: sends nothing, a sink alone
  Distribution distribution = Distribution::sequential;
  uint16_t rx_queues = 1;  // flow f comes out of queue f % rx_queues
  GeneratorRange source_mac;
  GeneratorRange destination_mac;
  GeneratorRange source_address;
  GeneratorRange destination_address;
  GeneratorRange source_port;
  GeneratorRange destination_port;
  GeneratorTunnel tunnel;
  auto operator<=>(const GeneratorSettings&) const = default;
};

}  // namespace causeway
