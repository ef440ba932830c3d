// Who sent a frame, and in which tunnel: what its first bytes say.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

namespace causeway {

// {mac, vlan, source, destination, udp_port, vni or key, inner_mac, inner_vlan}: what the bytes reach for. `vlan` is
// the outermost; `udp_port` the destination; of ARP
// `source` is the sender's IP address, `destination` the target's. `tunnel_ports`: UDP ports behind which a VXLAN or
// GENEVE header is looked for.
nlohmann::json frame_fields(std::span<const uint8_t> bytes, const std::set<uint16_t>& tunnel_ports);

}  // namespace causeway
