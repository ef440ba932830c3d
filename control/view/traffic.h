// What the workers, the devices and the switches of NICs have counted, added up. Numbers fall
// where a device is opened anew, or a remote or a learnt VTEP goes: whoever reads them takes that for a reset.
#pragma once

#include <array>
#include <cstdint>

#include "control/gateway/gateway.h"
#include "dataplane/drop_reason.h"

namespace causeway {

struct Traffic {
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;

  void add(const TrafficCounters& counters);
  void add(const SwitchedTraffic& switched);
  void add(const Traffic& other);
};

struct PortTotals {
  Traffic traffic;         // of the workers, and of elephants that the NIC's switch forwards
  PortDeviceStats device;  // zero: there is no device
  uint64_t rx_drops = 0;   // packets from the port that died, those that the device lost among them
  uint64_t tx_drops = 0;   // the same on the way out of it
};
PortTotals port_totals(const Gateway& gateway, const Ports::Record& record);

// To and from one of a tunnel's remotes or learnt VTEPs.
Traffic remote_totals(const Gateway& gateway, AdjacencyIndex adjacency);

// To and from all of them.
Traffic tunnel_totals(const Gateway& gateway, const Tunnels::Tunnel& tunnel);

// By reason, of all workers and the control thread.
std::array<uint64_t, kDropReasons> drop_totals(const Gateway& gateway);

}  // namespace causeway
