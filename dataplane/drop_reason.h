// Every way a frame dies, one counter each. The one table; a stage that drops names a reason from here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace causeway {

// X(name, what it means)
#define CAUSEWAY_DROP_REASONS(X)                                                                            \
  /* any port */                                                                                            \
  X(frame_too_short, "fewer than 14 bytes, or a header beyond the frame's end")                             \
  X(port_unassigned, "arrived on a port that is neither in a bridge nor an underlay")                       \
  X(mbuf_alloc, "no buffer left for a copy, a segment or a header")                                         \
  X(segment_size, "super-packet of segments too small (TCP: under 88 bytes) or too many (UDP: over 128)")   \
  X(rx_error, "a device could not hand it over (of Linux: SCTP super-packets, tunnels over 64 KB)")         \
  /* bridge */                                                                                              \
  X(source_multicast, "source MAC is a group address (IEEE 802.1Q 8.13.9)")                                 \
  X(source_zero, "source MAC is all zeros, nobody's address")                                               \
  X(link_local_multicast, "destination 01:80:c2:00:00:0x, never forwarded by a bridge (IEEE 802.1Q 8.6.3)") \
  X(same_port, "destination is behind the port it came from")                                               \
  X(split_horizon, "from one isolated port to another")                                                     \
  X(no_flood_target, "nobody else in the bridge to flood to")                                               \
  X(flood_limit, "flooded more often than the port's or tunnel's flood-rate allows")                        \
  X(port_down, "the way out is down or gone")                                                               \
  X(too_big, "larger than the way out's MTU")                                                               \
  X(vlan_not_member, "VLAN (or tag) that the port or tunnel it came in by does not carry")                  \
  X(mac_not_bound, "source MAC that the port's `bindings` don't name")                                      \
  X(address_not_bound, "IP source, ARP or ND sender that the port's `bindings` don't give to this MAC")     \
  X(vlan_not_carried, "VLAN that the port or tunnel its destination is behind does not carry")              \
  /* outer headers of an underlay frame */                                                                  \
  X(not_for_us, "underlay frame to a MAC or IP address that is not ours")                                   \
  X(unknown_ethertype, "underlay frame that is neither IPv4, IPv6 nor ARP")                                 \
  X(unknown_protocol, "IP packet to us of a protocol or UDP port nobody listens on")                        \
  X(ip_version, "IP version field contradicts the ethertype, or header length under 20 bytes")              \
  X(ip_checksum, "outer IPv4 header checksum wrong (RFC 1122 3.2.1.2)")                                     \
  X(ip_length, "IP total length beyond the frame, or under its headers")                                    \
  X(impossible_source, "outer IP source that no host sends from: loopback, multicast, 0/8, 240/4, ours")    \
  X(ip_fragment, "fragment of a packet to us, tunnel or echo request: they aren't put together")            \
  X(ip_options, "packet to us, tunnel or echo request, with IPv4 options or IPv6 extension headers")        \
  X(udp_length, "UDP length beyond the IP payload, or under its header")                                    \
  X(udp_checksum, "outer UDP checksum wrong")                                                               \
  X(udp_zero_checksum, "GENEVE over IPv6 without UDP checksum (RFC 8926 3.3, RFC 6936)")                    \
  X(ecn, "outer ECN CE, inner not ECN-capable (RFC 6040 4.2)")                                              \
  /* tunnels */                                                                                             \
  X(geneve_version, "GENEVE version not 0 (RFC 8926 3.4)")                                                  \
  X(geneve_protocol, "GENEVE inner protocol not 0x6558")                                                    \
  X(geneve_options, "GENEVE option lengths overrun the header or the frame")                                \
  X(geneve_control, "GENEVE control packet, O bit (RFC 8926 3.4)")                                          \
  X(geneve_critical, "GENEVE unknown critical option, C bit (RFC 8926 3.5)")                                \
  X(vxlan_flags, "VXLAN without the I flag (RFC 7348 section 5)")                                           \
  X(gre_flags, "GRE version not 0, or reserved or routing bits (RFC 2784 2.3)")                             \
  X(gre_protocol, "GRE protocol not 0x6558")                                                                \
  X(gre_checksum, "GRE checksum wrong (RFC 2784 2.5)")                                                      \
  X(unknown_vni, "no tunnel with this VNI or key")                                                          \
  X(unknown_remote, "VNI known, but its source is no configured remote")                                    \
  X(inner_too_short, "inner frame under 14 bytes")                                                          \
  X(tunnel_unassigned, "tunnel is in no bridge")                                                            \
  X(source_not_allowed, "source that `allow-from` doesn't name")                                            \
  X(geneve_mismatch, "GENEVE without the options that the tunnel wants (match-options)")                    \
  /* way to the control thread and back */                                                                  \
  X(control_queue_full, "control thread's queue full (ARP, ND, ICMP or unresolved neighbor)")               \
  X(control_limit, "for this host, more a second than one source may send")                                 \
  X(neighbor_unresolved, "next hop did not answer")                                                         \
  X(held_limit, "frames that wait for neighbors hold as many buffers as they may (`held-buffers`)")         \
  X(no_route, "no route to the tunnel's remote")                                                            \
  X(control_ignored, "ARP, ND or ICMP that asks nothing of us")                                             \
  X(host_traffic, "the host's own, on an interface that it shares (`addresses: host`): it has received it") \
  X(host_limit, "for the host, more at once of its kind than a host path (`host`) carries")                 \
  /* transmit */                                                                                            \
  X(segment_failed, "super-packet whose headers could not be cut")                                          \
  X(tx_refused, "the kernel refused to send it: longer than its MTU, or the interface is down")             \
  X(tx_full, "transmit queue full")                                                                         \
  X(shutdown, "still queued when the daemon stopped")

enum class DropReason : uint8_t {
#define X(name, text) name,
  CAUSEWAY_DROP_REASONS(X)
#undef X
      count_,
  none = 0xff,  // not dropped
};

inline constexpr size_t kDropReasons = static_cast<size_t>(DropReason::count_);

struct DropReasonText {
  std::string_view name;
  std::string_view meaning;
};

inline constexpr std::array<DropReasonText, kDropReasons> kDropReasonText{{
#define X(name, text) {#name, text},
    CAUSEWAY_DROP_REASONS(X)
#undef X
}};

}  // namespace causeway
