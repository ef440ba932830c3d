// The frame that `causewayctl trace` asks about: bytes that somebody has, or a few words of what is in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/error.h"

namespace causeway {

using FrameBytes = std::vector<uint8_t>;

// Hex digits, two a byte; between bytes there may be spaces, colons and ends of lines.
Error frame_of_hex(std::string_view text, FrameBytes& frame);

// Frame `number`, from 1, of a pcap or pcapng file of Ethernet frames.
Error frame_of_pcap(const std::string& path, uint64_t number, FrameBytes& frame);

// "src=02:00:00:00:00:01,dst=02:00:00:00:00:02,vlan=5,ip-src=10.0.0.1,ip-dst=10.0.0.2,proto=tcp,dport=443". Keys: src
// and dst, which must be there; vlan; ip-src with ip-dst (either IP version), or with arp: the IPv4 address that is
// asked for; proto: udp (without a word of it), tcp (a SYN) or icmp (an echo request); sport, dport, ttl, tos; bytes:
// how long the frame is. Lengths and checksums are right.
Error frame_of_flow(std::string_view text, FrameBytes& frame);

}  // namespace causeway
