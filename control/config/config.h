// What the YAML means: plain structs, complete (every default filled in), comparable. yaml/load makes
// them, config/plan compares them, gateway/apply acts on them. Nothing here knows YAML or DPDK.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dataplane/flow/bindings.h"
#include "dataplane/flow/vlan_rules.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/tunnel_type.h"
#include "pmd/generator_settings.h"
#include "pmd/nic_model_settings.h"
#include "pmd/port.h"

namespace causeway::config {

enum class Idle : uint8_t { adaptive, busy };
enum class Rebalance : uint8_t { off, automatic };
enum class Spread : uint8_t { device, software };

struct System {
  std::string name;                      // default: the file's name without its ending
  bool named = false;                    // by the file itself
  std::vector<unsigned> worker_cores;    // cores to pin to; empty: `workers` floating ones
  unsigned workers = 1;                  // worker_cores.size() where cores are given
  std::optional<unsigned> control_core;  // pinned only if given
  Idle idle = Idle::adaptive;
  Rebalance rebalance = Rebalance::off;
  Toggle hugepages = Toggle::automatic;
  uint64_t memory_bytes = 512ULL << 20;
  std::optional<std::string> metrics;    // "address:port"
  std::string ovsdb;                     // socket of the database server that is followed, too; empty: none
  std::vector<std::string> admins;       // users who may change what runs, besides root and the daemon's own
  unsigned flow_cache_entries = 262144;  // a worker, rounded up to a power of two (`flow-cache`)
  unsigned held_buffers = 0;  // that frames waiting for neighbors may take (`held-buffers`); 0: a 16th of all
  auto operator<=>(const System&) const = default;
};

struct Route {
  IpPrefix to;  // length 0: default
  IpAddress via;
  uint32_t metric = 0;   // among routes to the same network the lowest ones are used, all of them (ECMP)
  bool on_link = false;  // `via` is reached without a router, though no network of the interface contains it
  auto operator<=>(const Route&) const = default;
};

// Routing tables of the host's, by their numbers in linux/rtnetlink.h.
inline constexpr uint32_t kMainTable = 254;
inline constexpr uint32_t kLocalTable = 255;

struct StaticNeighbor {
  IpAddress to;
  MacAddress mac;
  auto operator<=>(const StaticNeighbor&) const = default;
};

struct PacketDevice {  // an existing Linux interface of that name
  auto operator<=>(const PacketDevice&) const = default;
};
struct TapDevice {  // a TAP created by us
  auto operator<=>(const TapDevice&) const = default;
};
struct DpdkDevice {  // any PCI device or vdev string
  std::string devargs;
  auto operator<=>(const DpdkDevice&) const = default;
};

// Lowers the maximum segment size of TCP connections across an interface: to what its MTU takes, or to `bytes`.
struct MssClamp {
  enum class Mode : uint8_t { off, automatic, fixed };
  Mode mode = Mode::off;
  uint16_t bytes = 0;  // with Mode::fixed
  auto operator<=>(const MssClamp&) const = default;
};

struct VlanDevice {  // of another ethernet; its section is `vlans`
  std::string link;
  uint16_t id = 0;
  auto operator<=>(const VlanDevice&) const = default;
};

// A TAP, the host's own end of an underlay's host path (`host`), which says all there is to say of it.
struct HostDevice {
  std::string underlay;
  auto operator<=>(const HostDevice&) const = default;
};

// Which VLANs a bridge port or tunnel carries.
struct PortVlan {
  VlanMode mode = VlanMode::none;
  uint16_t tag = 0;              // of frames without one: access, native
  std::vector<uint16_t> trunks;  // in order; none: all. 0: frames without a tag, on a trunk
  auto operator<=>(const PortVlan&) const = default;
};

// How much is taken from a bridge port or a tunnel, all its remotes together.
struct Limits {
  uint32_t max_macs = 0;    // learnt behind it; 0: as many as the bridge takes
  uint32_t flood_rate = 0;  // frames from it that are flooded a second; 0: any number
  auto operator<=>(const Limits&) const = default;
};

struct Ethernet {
  std::variant<PacketDevice, TapDevice, DpdkDevice, GeneratorSettings, NicModelSettings, VlanDevice, HostDevice> device;
  uint16_t rx_queues = 0;            // 0: one a worker, where the device spreads flows over several
  std::vector<unsigned> rx_workers;  // the worker of each rx queue; none: dealt out evenly
  Spread spread = Spread::device;    // software: one rx queue, whose frames are dealt out to all workers
  std::optional<uint16_t> mtu;       // bytes of IP packet
  std::optional<MacAddress> mac;
  std::vector<IpPrefix> addresses;  // any: the port is an underlay
  bool host_addresses = false;      // an underlay, too: its addresses and routes are the host's, which shares it
  std::string host;  // of an underlay: the HostDevice by which the host has what isn't a tunnel's; or none
  std::vector<Route> routes;
  std::vector<uint32_t> route_tables;  // of the host's, whose routes count, too
  std::vector<StaticNeighbor> neighbors;
  OffloadSettings offloads;
  MssClamp mss_clamp;                // of a bridge port
  std::vector<IpPrefix> allow_from;  // an underlay's: whom tunnels are taken from; empty: anybody
  Limits limits;
  Bindings bindings;  // who may speak from it; none: anybody
  PortVlan vlan;
  bool isolated = false;        // see split_group.h
  std::string split_group;      // `group`; empty: `isolated` says it all
  bool underlay_vlans = false;  // a VLAN of it has addresses,
  bool bridged_vlans = false;   // or has none and may be in a bridge
  auto operator<=>(const Ethernet&) const = default;
  bool is_underlay() const noexcept { return host_addresses || !addresses.empty(); }
  // Who shares an interface goes by the host's main table, unless it names others.
  std::vector<uint32_t> followed_tables() const {
    return host_addresses && route_tables.empty() ? std::vector{kMainTable} : route_tables;
  }
  // Which interface of the host's this one, called `name`, is to its kernel; empty: none.
  std::string host_interface(const std::string& name) const {
    if (!host.empty()) return host;
    return std::holds_alternative<PacketDevice>(device) ? name : std::string();
  }
  bool carries_underlay() const noexcept { return is_underlay() || underlay_vlans; }
  const VlanDevice* vlan_device() const noexcept { return std::get_if<VlanDevice>(&device); }
  const HostDevice* host_device() const noexcept { return std::get_if<HostDevice>(&device); }
  // Of the DPDK device that it is, or that its model stands on; empty: none.
  std::string_view devargs() const noexcept {
    if (const auto* dpdk = std::get_if<DpdkDevice>(&device)) return dpdk->devargs;
    const auto* model = std::get_if<NicModelSettings>(&device);
    return model != nullptr ? std::string_view(model->devargs) : std::string_view();
  }
};

struct StaticMac {
  MacAddress mac;
  std::string port;  // an interface of the bridge
  uint16_t vlan = 0;
  auto operator<=>(const StaticMac&) const = default;
};

struct Bridge {
  std::vector<std::string> interfaces;  // ethernets, VLANs and tunnels, in the file's order
  uint32_t ageing_time_s = 300;         // 0: learned entries never age
  uint32_t max_macs = 65536;
  std::optional<bool> arp_nd_suppress;  // who asks for a known host gets the answer here; none: off, but on with `evpn`
  std::vector<StaticMac> static_macs;
  auto operator<=>(const Bridge&) const = default;
  bool suppresses() const noexcept { return arp_nd_suppress.value_or(false); }
};

// RFC 8926 section 3.5. Sent with every frame.
struct GeneveOption {
  uint16_t option_class = 0;
  uint8_t type = 0;           // its highest bit: critical
  std::vector<uint8_t> data;  // 0 to 124 bytes, a multiple of 4
  auto operator<=>(const GeneveOption&) const = default;
};

// What only an EVPN instance has (RFC 8365). Its tunnel's only `remote` is the unspecified address: VTEPs come and go.
struct Evpn {
  static constexpr std::string_view kGroup = "evpn";  // its split-horizon group, unless the file says another
  uint32_t hold_s = 120;  // a VTEP that is withdrawn whole is believed for so long; 0: not at all
  auto operator<=>(const Evpn&) const = default;
};

struct Tunnel {
  TunnelType mode = TunnelType::geneve;
  std::optional<uint32_t> id;        // VNI or VSID (24 bits); GRE key (32 bits), none: keyless; ERSPAN's session
  std::optional<uint32_t> sent_id;   // where it is another one than what is received (`keys`)
  IpAddress local;                   // unspecified: the source address of the route to the remote
  std::vector<IpAddress> remotes;    // one; several: head-end replication; a multicast group stands alone
  std::string link;                  // of a group: the ethernet that it is on; empty: the one that holds `local`
  std::vector<IpPrefix> allow_from;  // of a group: who may be learnt from; empty: anybody
  uint16_t port = 0;                 // UDP destination port; 0 for GRE
  uint8_t ttl = 64;
  uint8_t tos = 0;                    // fixed DSCP, its ECN bits are not sent
  bool tos_inherit = false;           // DSCP from the inner IP header
  std::optional<bool> checksum;       // UDP checksum on transmit; none: off over IPv4, on over IPv6
  std::vector<GeneveOption> options;  // GENEVE
  bool sequence = false;              // GRE: frames are numbered (RFC 2890)
  bool match_options = false;         // only frames that carry `options` are taken
  bool allow_zero_checksum = false;   // accept GENEVE over IPv6 without one (`udp6-zero-checksum-rx`)
  MssClamp mss_clamp;
  bool path_mtu = true;  // what routers say of its path is believed
  Limits limits;
  PortVlan vlan;
  bool isolated = true;       // as of an ethernet
  std::string split_group;    // `group`
  uint8_t erspan_type = 2;    // of ERSPAN: 1 or 2
  uint32_t erspan_index = 0;  // of ERSPAN, 20 bits: whose copies they are, for the analyser
  std::optional<Evpn> evpn;   // an instance of a bridge's `evpn`, which is in no file's `tunnels`
  auto operator<=>(const Tunnel&) const = default;
  bool is_erspan(uint8_t type) const noexcept { return mode == TunnelType::erspan && erspan_type == type; }
  bool numbers() const noexcept { return sequence || is_erspan(2); }
  std::optional<IpAddress> group() const {
    return remotes.size() == 1 && remotes.front().is_multicast() ? std::optional(remotes.front()) : std::nullopt;
  }
};

// Frames picked by chance, and counters, for collectors: sFlow version 5.
struct SflowTarget {
  IpAddress address;
  uint16_t port = 6343;
  auto operator<=>(const SflowTarget&) const = default;
};
struct Sflow {
  std::vector<SflowTarget> targets;
  uint32_t sampling = 400;      // one frame in so many, on average
  uint32_t polling_s = 30;      // 0: no counters
  uint32_t header_bytes = 128;  // of each frame
  IpAddress agent;              // unspecified: the address that the first target is reached from
  auto operator<=>(const Sflow&) const = default;
};

// Copies of frames, as the Mirror table of Open vSwitch has it (ovs-vswitchd.conf.db(5)).
struct Mirror {
  std::vector<std::string> select_src_port;  // ports and tunnels, whose frames are copied as they come in
  std::vector<std::string> select_dst_port;  // as they go out
  bool select_all = false;                   // whatever comes into a bridge
  std::vector<uint16_t> select_vlan;         // of the frames that are selected those in these VLANs; none: all
  std::string output_port;                   // a port or a tunnel in no bridge
  uint16_t output_vlan = 0;                  // in its place: flooded in this VLAN
  auto operator<=>(const Mirror&) const = default;
};

struct Config {
  System system;
  std::map<std::string, Ethernet> ethernets;  // and VLANs, and the host's ends of host paths
  std::map<std::string, Bridge> bridges;
  std::map<std::string, Tunnel> tunnels;
  std::optional<Sflow> sflow;
  std::map<std::string, Mirror> mirrors;
  auto operator<=>(const Config&) const = default;
};

}  // namespace causeway::config
