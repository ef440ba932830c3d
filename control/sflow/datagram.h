// sFlow version 5 as it stands on the wire: a datagram of samples (sflow.org, sflow_version_5.txt), tunnels' ends as in
// sflow_tunnels.txt, names of ports as in sflow_openflow.txt. XDR: all in units of four bytes, big-endian.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"

namespace causeway::sflow {

// What fits an Ethernet, over IPv6, too.
inline constexpr size_t kMostDatagramBytes = 1400;

// Where a sample or a counter is from: a port by its SNMP ifIndex, and how many were sent of it before.
struct Source {
  uint32_t index = 0;
  uint32_t sequence = 0;
};

// Outer headers, without what is another for each frame. Numbers that aren't known are 0.
struct TunnelEnd {
  IpAddress source;
  IpAddress destination;
  uint32_t ip_bytes = 0;  // of the outer IP packet
  uint8_t protocol = 0;
  uint8_t tos = 0;
  uint16_t destination_port = 0;
  std::optional<uint32_t> vni;  // or another number of the tunnel
};

inline constexpr uint32_t kUnknownInterface = 0;
inline constexpr uint32_t kSeveralInterfaces = 0x8000'0000;

struct FlowRecord {
  Source source;
  uint32_t sampling = 0;  // one in so many
  uint32_t pool = 0;      // frames that could have been picked
  uint32_t drops = 0;     // samples lost
  uint32_t input = kUnknownInterface;
  uint32_t output = kUnknownInterface;
  uint32_t frame_bytes = 0;  // without FCS
  std::span<const uint8_t> header;
  uint32_t vlan = 0;                 // on either side; 0: none
  std::optional<TunnelEnd> ingress;  // it came out of it
  std::optional<TunnelEnd> egress;   // it goes into it
};

struct CounterRecord {
  Source source;
  std::string name;  // at most 255 bytes
  bool up = false;
  uint64_t rx_bytes = 0;
  uint64_t rx_packets = 0;
  uint64_t rx_drops = 0;
  uint64_t rx_errors = 0;
  uint64_t tx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_drops = 0;
  uint64_t tx_errors = 0;
};

// Samples, encoded.
class Datagram {
 public:
  using Bytes = std::vector<uint8_t>;

  // Whether there is room for this much more, or nothing there yet.
  bool takes(const Bytes& sample) const { return samples_.empty() || samples_.size() + sample.size() <= kRoom; }
  void add(const Bytes& sample) {
    samples_.insert(samples_.end(), sample.begin(), sample.end());
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  // The whole of it; then it is empty again. `agent`: unspecified where it isn't known.
  Bytes finish(const IpAddress& agent, uint32_t sequence, std::chrono::milliseconds uptime);

 private:
  static constexpr size_t kHeaderBytes = 40;  // with an IPv6 agent
  static constexpr size_t kRoom = kMostDatagramBytes - kHeaderBytes;
  Bytes samples_;
  uint32_t count_ = 0;
};

Datagram::Bytes encode(const FlowRecord& record);
Datagram::Bytes encode(const CounterRecord& record);

}  // namespace causeway::sflow
