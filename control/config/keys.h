// Every key of the file, a table a mapping, in the order of the manual page. A new key is a member of its struct and
// its row here; see key.h.
#pragma once

#include <string>
#include <tuple>

#include "control/config/config.h"
#include "control/config/key.h"

namespace causeway::config {

// What is compared where a value has no member of its own. For the plan.
std::string workers_text(const System& system);         // "2", "[4, 5]"
std::string rx_workers_text(const Ethernet& ethernet);  // "[0, 1]", "default"
std::string ethernet_vlan_text(const Ethernet& ethernet);
std::string tunnel_vlan_text(const Tunnel& tunnel);
std::string local_text(const Tunnel& tunnel);    // "by route"
std::string options_text(const Tunnel& tunnel);  // "0102/03/00000001", "none"
std::string tos_text(const Tunnel& tunnel);      // "184", "inherit"

inline constexpr unsigned kMaxWorkers = 64;
inline constexpr unsigned kMaxCore = 1023;  // CPU_SETSIZE - 1
inline constexpr uint64_t kMaxMacs = 16777216;

inline constexpr std::string_view kAddressSchema = R"({"$ref": "#/$defs/address"})";
inline constexpr std::string_view kPrefixSchema = R"({"$ref": "#/$defs/prefix"})";
inline constexpr std::string_view kPrefixesSchema = R"({"type": "array", "items": {"$ref": "#/$defs/prefix"}})";
inline constexpr std::string_view kNameSchema = R"({"type": "string"})";
inline constexpr std::string_view kIdSchema = R"({"$ref": "#/$defs/id"})";
inline constexpr std::string_view kGroupSchema = R"({"$ref": "#/$defs/name"})";
inline constexpr std::string_view kGroupHelp =
    "a split-horizon group of that name in place of `isolated`: no frame from one of the group to another, but to and "
    "from those of other groups, isolated ones and the rest; with `isolated: false` it is in none";

inline constexpr std::tuple kSystemKeys{
    key_by_code("name", &System::name, Other{R"({"$ref": "#/$defs/name"})"},
                "of the gateway, and of its control socket; by default the file's name without its ending"),
    key_by_code("workers", &workers_text, Other{R"({"default": 1, "oneOf": [
                  {"type": "integer", "minimum": 1, "maximum": 64},
                  {"type": "array", "minItems": 1, "maxItems": 64, "uniqueItems": true,
                   "items": {"type": "integer", "minimum": 0, "maximum": 1023}}]})"},
                "how many, or a list of cores, one worker pinned to each"),
    key("control-core", &System::control_core, Number{0, kMaxCore}, "the core that the control thread is pinned to"),
    key("idle", &System::idle, Words<2>{{"adaptive", "busy"}},
        "`adaptive`: a worker without frames sleeps for tens of microseconds; `busy`: it polls on"),
    key("rebalance", &System::rebalance, Words<2>{{"off", "auto"}},
        "`auto`: when a worker is busy for 95 % of its time, receive queues go where that takes at least a quarter off "
        "the variance of the workers' loads, which are looked at every 5 s; no frame is lost, none overtakes another"),
    key("hugepages", &System::hugepages, OnOffAuto{}, "`auto`: where there are any"),
    key("memory", &System::memory_bytes, Bytes{64ULL << 20, 1ULL << 40},
        "for buffers and devices, 64M to 1T, with a suffix K, M, G or T; what devices need of hugepages is taken when "
        "the first DPDK device is opened"),
    key_by_code(
        "ovsdb", &System::ovsdb, Other{R"({"type": "string", "pattern": "^(unix:)?/"})"},
        "the socket of an OVSDB server, as `causewayd --ovsdb` has it: what `ovs-vsctl` makes stands beside the "
        "file"),
    key_by_code("metrics", &System::metrics, Other{R"({"type": "string",
                  "pattern": "^[0-9]{1,3}(\\.[0-9]{1,3}){3}:[0-9]{1,5}$"})"},
                "IPv4 address and port, such as `127.0.0.1:9111`, where Prometheus finds the metrics: "
                "`http://127.0.0.1:9111/metrics`; whoever reaches it may read them. By default nowhere"),
    key_by_code(
        "admins", &System::admins, Other{R"({"type": "array", "uniqueItems": true,
                  "items": {"$ref": "#/$defs/name"}})"},
        "users who may change what runs and see frames, as root may, once they can open the control socket: its "
        "other users may only look. Takes effect at once"),
    key("flow-cache", &System::flow_cache_entries, Number{1024, 16777216},
        "entries a worker, rounded up to a power of two"),
    key("held-buffers", &System::held_buffers, Number{64, 1048576},
        "buffers that frames waiting for a neighbor may take, of all together: `held_limit`; 16 frames a neighbor; by "
        "default a 16th of the buffers"),
};

inline constexpr std::tuple kQueueKeys{
    key("rx-queues", &Ethernet::rx_queues, Number{1, kMaxWorkers},
        "receive queues; by default one a worker, where the device spreads flows over several"),
};
inline constexpr std::tuple kDpdkKeys{
    key_by_code("devargs", NoMember{}, Other{R"({"type": "string", "pattern": "^[^,]"})"}, "a PCI address or a vdev"),
    std::get<0>(kQueueKeys),
};

inline constexpr std::tuple kRouteKeys{
    key_by_code("to", &Route::to, Other{R"({"anyOf": [{"const": "default"}, {"$ref": "#/$defs/prefix"}]})"},
                "the network that the route leads to, or `default`"),
    key_by_code("via", &Route::via, Other{kAddressSchema}, "the next hop"),
    key("metric", &Route::metric, Number{0, UINT32_MAX},
        "of routes to the same network those with the lowest are used: one, or several at once (ECMP)"),
    key("on-link", &Route::on_link, Flag{},
        "the next hop is on this link, though no network of the addresses contains it"),
};
inline constexpr std::tuple kRouteTableKeys{
    key_by_code("table", NoMember{}, Other{R"({"oneOf": [{"const": "main"},
                  {"type": "integer", "minimum": 1, "maximum": 4294967295}]})"},
                "a table of the host's: `main`, or a VRF's number"),
};
inline constexpr std::tuple kNeighborKeys{
    key_by_code("to", &StaticNeighbor::to, Other{kAddressSchema}, "whose MAC it is"),
    key("macaddress", &StaticNeighbor::mac, Mac{}, "known without asking"),
};
inline constexpr std::tuple kBindingKeys{
    key("mac", &Binding::mac, Mac{}, "a MAC that may be spoken with"),
    key_by_code("addresses", &Binding::addresses, Other{R"({"type": "array", "minItems": 1,
                  "items": {"anyOf": [{"$ref": "#/$defs/address"}, {"$ref": "#/$defs/prefix"}]}})"},
                "the addresses and prefixes that it may use; by default any"),
};

inline constexpr std::tuple kOffloadKeys{
    key("checksum", &OffloadSettings::checksum, OnOffAuto{}, "the device fills in the checksums of what leaves"),
    key("tso", &OffloadSettings::tso, OnOffAuto{}, "the device cuts large TCP frames that are in no tunnel"),
    key("tunnel-tso", &OffloadSettings::tunnel_tso, OnOffAuto{},
        "the device cuts large frames inside tunnels. `on` for an existing interface takes it away from the host's own "
        "stack, unless it has an address of the host's (Linux 6.17); `off` for a container's TAP: tunnels of other "
        "containers come cut, too"),
    key("flow", &OffloadSettings::flow, OnOffAuto{}, "`rte_flow` rules that count and mark a tunnel's frames"),
    key("gro", &OffloadSettings::gro, OnOffAuto{},
        "merges TCP segments of one flow into big frames on the way to Linux interfaces and TAPs, byte for byte as "
        "they can be cut again; `auto` is on there"),
    key("lro", &OffloadSettings::lro, OnOffAuto{},
        "a DPDK device merges TCP segments of one flow as they come in; `auto` is off"),
    key("elephants", &OffloadSettings::elephants, OnOffAuto{},
        "large flows between this port and a tunnel in the NIC's own switch; `auto`: where the NIC has one"),
};

inline constexpr std::tuple kPortVlanKeys{
    key_by_code("mode", NoMember{}, Other{R"({"enum": ["access", "trunk", "native"]})"},
                "`access`: one, without tags; `trunk`: several, with tags; `native`: several, one of them without"),
    key_by_code("tag", NoMember{}, Number{1, 4094}, "VLAN of frames without a tag"),
    key_by_code("trunks", NoMember{}, Other{R"({"type": "array", "minItems": 1, "items": {"anyOf": [
                  {"type": "integer", "minimum": 0, "maximum": 4094},
                  {"type": "string", "pattern": "^[0-9]+-[0-9]+$"}]}})"},
                "VLAN IDs and ranges; by default all. 0: frames without a tag"),
};

inline constexpr std::tuple kHostPathKeys{
    key_by_code("interface", NoMember{}, Other{kNameSchema}, "what the host's interface is called"),
};

// What underlays have, and how much is taken from a bridge port.
inline constexpr std::tuple kNetworkKeys{
    key_by_code("addresses", &Ethernet::addresses,
                Other{R"({"anyOf": [{"const": "host"}, {"type": "array", "items": {"$ref": "#/$defs/prefix"}}]})"},
                "with prefix lengths; an IPv6 underlay has a link-local one of its MAC besides, unless one is given. "
                "`host`: those that the host has on the interface, and keeps, with its routes and permanent neighbors"),
    key_by_code("host", &Ethernet::host, Other{R"({"anyOf": [{"type": "boolean"}, {"type": "object",
                  "required": ["interface"], "additionalProperties": false, "properties": "@hostPath"}]})"},
                "`true` or `{interface: NAME}`: the host goes on using the network, by an interface of its own: a TAP "
                "with the MAC, addresses and MTU of the underlay, by default `host-` and its name. See Host path"),
    key_by_code(
        "routes", &Ethernet::routes, Other{R"({"anyOf": [{"const": "host"}, {"$ref": "#/$defs/routeTable"},
                  {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/route"}, {"$ref": "#/$defs/routeTable"}]}}]})"},
        "`{to: PREFIX, via: ADDRESS, metric: N, on-link: true}`, `to: default`; `{table: main}` or `{table: N}`: "
        "those of the host's routing table, as they change. `host`: `[{table: main}]`"),
    key_by_code("neighbors", &Ethernet::neighbors, Other{R"({"type": "array", "items": {"$ref": "#/$defs/neighbor"}})"},
                "`{to: ADDRESS, macaddress: MAC}`: known without asking; the rest are resolved"),
    key_by_code("allow-from", &Ethernet::allow_from, Other{kPrefixesSchema},
                "prefixes that an underlay takes tunnels from; others: `source_not_allowed`; by default anybody"),
    key("max-macs", in(&Ethernet::limits, &Limits::max_macs), Number{1, kMaxMacs},
        "no more MACs are learnt behind it; frames still pass, answers to them are flooded; by default as many as the "
        "bridge takes"),
    key("flood-rate", in(&Ethernet::limits, &Limits::flood_rate), Number{1, UINT32_MAX},
        "frames from it that are flooded a second (broadcast, multicast, unknown), each worker an even share; the "
        "rest: `flood_limit`; by default any number"),
};
// What bridge ports have.
inline constexpr std::tuple kBridgePortKeys{
    key("mss-clamp", &Ethernet::mss_clamp, Clamp{},
        "lowers the maximum segment size of TCP connections across it. `auto`: to what its MTU takes; a number: to so "
        "many bytes. See MTU"),
    key_by_code("bindings", &Ethernet::bindings,
                Other{R"({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/binding"}})"},
                "who may speak from it: MAC addresses, each with the IP addresses it may use; by default anybody. See "
                "Bindings"),
    key_by_code("vlan", &ethernet_vlan_text, Other{R"({"$ref": "#/$defs/portVlan"})"}, "see VLANS"),
    key("isolated", &Ethernet::isolated, Flag{}, "no frame from one that is isolated to another"),
    key_by_code("group", &Ethernet::split_group, Other{kGroupSchema}, kGroupHelp),
};

inline constexpr auto kEthernetKeys = std::tuple_cat(
    std::tuple{
        key_by_code("packet", NoMember{}, Other{R"({"type": ["object", "null"], "additionalProperties": false,
                      "properties": "@queues"})"},
                    "an existing Linux interface of that name, the default; `{rx-queues: N}`"),
        key_by_code("tap", NoMember{}, Other{R"({"type": ["object", "null"], "additionalProperties": false,
                      "properties": "@queues"})"},
                    "a TAP that Causeway makes; `{rx-queues: N}`"),
        key_by_code("dpdk", NoMember{}, Other{R"({"type": "object", "required": ["devargs"],
                      "additionalProperties": false, "properties": "@dpdk"})"},
                    "`{devargs: STRING, rx-queues: N}`: a PCI address or a vdev"),
        key_by_code("generator", NoMember{}, Other{R"({"$ref": "#/$defs/generator"})"}, "see TEST TRAFFIC"),
        key_by_code("nic-model", NoMember{}, Other{R"({"$ref": "#/$defs/nicModel"})"}, "see NIC MODEL"),
        key_by_code("rx-workers", &rx_workers_text, Other{R"({"type": "array", "minItems": 1, "maxItems": 64,
                      "items": {"type": "integer", "minimum": 0, "maximum": 63}})"},
                    "the worker of each receive queue; it counts workers (0 is the first), not cores; by default they "
                    "are dealt out evenly"),
        key("spread", &Ethernet::spread, Words<2>{{"device", "software"}},
            "`software`: for a device that doesn't spread what comes in (GRE, ESP, no RSS): its one receive queue is "
            "polled by one worker, which hands each frame to the worker of its flow, the one inside of GRE; a flow's "
            "frames stay in order. A worker that doesn't keep up loses them, counted in `rx_drops`"),
        key("mtu", &Ethernet::mtu, Number{68, 65535}, "bytes of IP packet"),
        key("macaddress", &Ethernet::mac, Mac{}, "its MAC"),
    },
    kNetworkKeys,
    std::tuple{key("offloads", &Ethernet::offloads, Mapping<kOffloadKeys>{},
                   "what the device may do, each `auto`, `on` or `off`; `on` where the device can't is an error that "
                   "names what it lacks. See Offloads")},
    kBridgePortKeys);

inline constexpr auto kVlanKeys = std::tuple_cat(
    std::tuple{
        key_by_code("id", NoMember{}, Number{1, 4094}, "the VLAN"),
        key_by_code("link", NoMember{}, Other{kNameSchema},
                    "the ethernet whose tagged frames are for it; the rest stays with the ethernet"),
        key_by_code("mtu", &Ethernet::mtu, Number{68, 65535}, "bytes of IP packet; the link's unless given"),
    },
    kNetworkKeys, kBridgePortKeys);

inline constexpr std::tuple kParameterKeys{
    key("ageing-time", &Bridge::ageing_time_s, Number{0, 1000000},  // IEEE 802.1Q table 8-6
        "seconds until a MAC that nobody hears is forgotten; 0: never"),
    key("max-macs", &Bridge::max_macs, Number{1, kMaxMacs}, "that it learns"),
    key("arp-nd-suppress", &Bridge::arp_nd_suppress, Flag{},
        "who asks by ARP or neighbor discovery for a host that is known (from `bindings`, from the fabric, or as it "
        "has "
        "said so itself on a bridge port, and answered) gets the answer at once, and nobody else is asked; off unless "
        "given, but on with `evpn`"),
};
inline constexpr std::tuple kStaticMacKeys{
    key("mac", &StaticMac::mac, Mac{}, "a MAC that neither is learnt nor ages"),
    key_by_code("port", &StaticMac::port, Other{kNameSchema}, "one of the bridge's interfaces"),
    key("vlan", &StaticMac::vlan, Number{1, 4094}, "by default the port's `tag`, or else none"),
};
inline constexpr std::tuple kBridgeKeys{
    key_by_code("interfaces", NoMember{},
                Other{R"({"type": "array", "items": {"type": "string"}, "uniqueItems": true})"},
                "ethernets, VLANs and tunnels; each is in one bridge"),
    key_by_code("parameters", NoMember{}, Other{R"({"type": ["object", "null"], "additionalProperties": false,
                  "properties": "@parameters"})"},
                "`{ageing-time: SECONDS, max-macs: N, arp-nd-suppress: true}`"),
    key_by_code("static-macs", NoMember{}, Other{R"({"type": "array", "items": {"$ref": "#/$defs/staticMac"}})"},
                "`{mac: MAC, port: INTERFACE, vlan: ID}`"),
    key_by_code("evpn", NoMember{}, Other{R"({"anyOf": [{"$ref": "#/$defs/evpn"},
                  {"type": "array", "items": {"$ref": "#/$defs/evpn"}}]})"},
                "joins the bridge to a fabric by BGP EVPN; a list: one mapping a VLAN. See EVPN"),
};
// Of an EVPN instance. All but `hold` become its tunnel's.
inline constexpr std::tuple kEvpnKeys{
    key_by_code("vni", NoMember{}, Number{1, 16777215}, "the VNI, which no other instance has"),
    key_by_code("local", NoMember{}, Other{kAddressSchema},
                "the address of this VTEP: one of an underlay, IPv4 or IPv6"),
    key_by_code("mode", NoMember{}, TunnelTypes<2>{{TunnelType::vxlan, TunnelType::geneve}},
                "what it is on the wire (default: vxlan); `geneve` among Causeways"),
    key_by_code("vlan", NoMember{}, Number{1, 4094},
                "the VLAN of the bridge that it carries; by default frames as they are, of which those without a tag "
                "have their MACs advertised"),
    key_by_code(
        "group", NoMember{}, Other{kGroupSchema},
        "the split-horizon group of its VTEPs (default: evpn): they hear each other by the fabric, not through us"),
    key("hold", &Evpn::hold_s, Number{0, 86400},
        "seconds that a VTEP is kept which is withdrawn whole, with all its MACs, as when a bgpd ends"),
};

inline constexpr std::tuple kIdDirectionKeys{
    key_by_code("input", NoMember{}, Other{kIdSchema}, "the number that is received"),
    key_by_code("output", NoMember{}, Other{kIdSchema}, "the number that is sent"),
};
// RFC 8926 section 3.5.
inline constexpr std::tuple kOptionKeys{
    key("class", &GeneveOption::option_class, Number{0, UINT16_MAX}, "whose option it is"),
    key("type", &GeneveOption::type, Number{0, UINT8_MAX},
        "its highest bit, 128, marks an option that a receiver must know or drop the frame"),
    key_by_code("data", &GeneveOption::data, Other{R"({"type": "string", "pattern": "^([0-9a-fA-F]{8})*$"})"},
                "hexadecimal digits, a multiple of 4 bytes"),
};
inline constexpr std::tuple kTunnelKeys{
    key_by_code("mode", &Tunnel::mode, TunnelTypes<kTunnelTypes.size() - 1>{every_tunnel_type()},
                "what it is on the wire"),
    key_by_code("id", &Tunnel::id, Other{kIdSchema},
                "VNI or VSID (24 bits), GRE key (32 bits, or none), ERSPAN session (10 bits)"),
    key_by_code("key", NoMember{}, Other{kIdSchema}, "another word for `id`"),
    key_by_code("keys", &Tunnel::sent_id, Other{R"({"type": "object", "additionalProperties": false,
                  "required": ["input", "output"], "properties": "@idDirections"})"},
                "`{input: N, output: N}` in place of `id`: receives one number and sends another", "keys.output"),
    key_by_code("local", &local_text, Other{kAddressSchema},
                "an address of an underlay, IPv4 or IPv6; by default the one that the route to `remote` has"),
    key_by_code("remote", &Tunnel::remotes, Other{R"({"anyOf": [{"$ref": "#/$defs/address"},
                  {"type": "array", "items": {"$ref": "#/$defs/address"}, "minItems": 1, "uniqueItems": true}]})"},
                "the other end; a list: a copy of what is flooded to each; a multicast group learns them"),
    key_by_code("link", &Tunnel::link, Other{kNameSchema},
                "of a group: the ethernet that it is on; by default the one that holds `local`"),
    key_by_code("allow-from", &Tunnel::allow_from, Other{kPrefixesSchema},
                "of a group: whom to learn from; others: `source_not_allowed`; by default anybody"),
    key_by_code("port", &Tunnel::port, Number{1, 65535}, "UDP destination port; by default 6081 or 4789"),
    key("ttl", &Tunnel::ttl, Number{1, 255}, "of the outer header"),
    key_by_code("tos", &tos_text, Other{R"({"default": 0,
                  "anyOf": [{"type": "integer", "minimum": 0, "maximum": 255}, {"const": "inherit"}]})"},
                "DSCP of the outer header, as a tos byte, or `inherit`: from the inner IP header"),
    key("checksum", &Tunnel::checksum, Flag{}, "sends outer UDP or GRE checksums; by default of UDP over IPv6 only"),
    key("sequence", &Tunnel::sequence, Flag{}, "of `gretap`: numbers what it sends (RFC 2890), from 0 for each remote"),
    key("erspan-type", &Tunnel::erspan_type, Number{1, 2},
        "of `erspan`: 2: each copy is numbered, and says its session and VLAN; 1: GRE and the frame"),
    key("erspan-index", &Tunnel::erspan_index, Number{0, kErspanHighestIndex},
        "of `erspan`: a number that type II copies carry, such as a port's"),
    key_by_code("options", &options_text, Other{R"({"type": "array", "items": {"$ref": "#/$defs/option"}})"},
                "of GENEVE: `{class: N, type: N, data: HEX}`, sent with every frame, at most 56 bytes with their "
                "headers (RFC 8926 section 3.5)"),
    key("match-options", &Tunnel::match_options, Flag{},
        "only frames that carry `options` come in, data included; others: `geneve_mismatch`"),
    key("udp6-zero-checksum-rx", &Tunnel::allow_zero_checksum, Flag{}, "takes GENEVE over IPv6 without UDP checksum"),
    key("mss-clamp", &Tunnel::mss_clamp, Clamp{},
        "lowers the maximum segment size of TCP connections through it. `auto`: to what its MTU takes; a number: to so "
        "many bytes. See MTU"),
    key("path-mtu", &Tunnel::path_mtu, AutoOrOff{},
        "whether routers are believed that say that its packets are too big for the way. See MTU"),
    key("max-macs", in(&Tunnel::limits, &Limits::max_macs), Number{1, kMaxMacs},
        "as of an ethernet, all remotes together"),
    key("flood-rate", in(&Tunnel::limits, &Limits::flood_rate), Number{1, UINT32_MAX},
        "as of an ethernet, all remotes together"),
    key_by_code("vlan", &tunnel_vlan_text, Other{R"({"$ref": "#/$defs/portVlan"})"}, "see VLANS"),
    key("isolated", &Tunnel::isolated, Flag{}, "no frame from one that is isolated to another: split horizon"),
    key_by_code("group", &Tunnel::split_group, Other{kGroupSchema}, kGroupHelp),
};

// As the columns of Open vSwitch's table sFlow are called.
inline constexpr std::tuple kSflowKeys{
    key_by_code("targets", &Sflow::targets,
                Other{R"({"type": "array", "minItems": 1, "maxItems": 8, "uniqueItems": true,
                  "items": {"type": "string", "minLength": 1}})"},
                "the collectors, each as `ADDRESS`, `ADDRESS:PORT` or `[IPV6]:PORT`; the port is 6343 by default"),
    key("sampling", &Sflow::sampling, Number{1, 1U << 30}, "one frame in so many is a sample, on average"),
    key("polling", &Sflow::polling_s, Number{0, 86400},
        "seconds from one report of a port's counters to the next; 0: none"),
    key("header", &Sflow::header_bytes, Number{14, 1024}, "bytes of each sample that are sent"),
    key_by_code("agent", &Sflow::agent, Other{kAddressSchema},
                "the address that collectors know the gateway by; by default the one that the first of them is reached "
                "from"),
};

inline constexpr std::string_view kInterfacesSchema =
    R"({"type": "array", "items": {"type": "string"}, "uniqueItems": true})";
inline constexpr std::tuple kMirrorKeys{
    key_by_code("select-src-port", &Mirror::select_src_port, Other{kInterfacesSchema},
                "ports and tunnels of bridges: what comes in by them is copied"),
    key_by_code("select-dst-port", &Mirror::select_dst_port, Other{kInterfacesSchema},
                "the same of what goes out by them; a frame that comes in by a source and goes out by a destination is "
                "copied at both"),
    key("select-all", &Mirror::select_all, Flag{}, "whatever comes into a bridge is copied, once"),
    key_by_code(
        "select-vlan", &Mirror::select_vlan, Other{R"({"type": "array", "uniqueItems": true,
                  "items": {"type": "integer", "minimum": 0, "maximum": 4095}})"},
        "only frames of these VLANs; without a tag they are of their port's `tag`, or else of 0; by default all"),
    key_by_code("output-port", &Mirror::output_port, Other{kNameSchema},
                "a port or a tunnel that is in no bridge: it has the copies for itself, and what comes in by it is "
                "dropped"),
    key("output-vlan", &Mirror::output_vlan, Number{1, 4094},
        "in place of `output-port`: a copy gets this VLAN's tag, in place of one that it has, and is flooded in its "
        "bridge to those who carry the VLAN; frames that are in it already, or to 01:80:c2:00:00:0x, are not copied"),
};

inline constexpr std::tuple kRangeKeys{
    key_by_code("first", NoMember{}, Other{"true"}, "the first flow's"),
    key_by_code("count", NoMember{}, Number{1, UINT32_MAX},
                "of values, counted up from the first and used in turn; by default one for each flow"),
};
inline constexpr std::tuple kGeneratorTunnelKeys{
    key_by_code("mode", &GeneratorTunnel::mode,
                TunnelTypes<3>{{TunnelType::geneve, TunnelType::vxlan, TunnelType::gretap}}, "what the frames come in"),
    key_by_code("id", &GeneratorTunnel::id, Range{Range::Of::id}, "VNI or key"),
    key("source-mac", &GeneratorTunnel::source_mac, Mac{}, "of the outer header"),
    key_by_code("source-address", &GeneratorTunnel::source_address, Range{Range::Of::ipv4}, "the remote gateway's"),
    key_by_code("destination-address", &GeneratorTunnel::destination_address, Range{Range::Of::ipv4, true},
                "one of the gateway's own"),
    key_by_code("port", &GeneratorTunnel::port, Number{1, 65535}, "UDP destination port; by default the type's own"),
    key("checksum", &GeneratorTunnel::checksum, Words<3>{{"none", "filled", "verified"}},
        "of UDP, in the outer header; `verified`: filled, and the port says of its frames what a NIC says that has "
        "verified them"),
};
inline constexpr std::tuple kGeneratorKeys{
    key("flows", &GeneratorSettings::flows, Number{0, UINT32_MAX}, "how many; 0: none, the port only swallows"),
    key_by_code("frame-bytes", &GeneratorSettings::frame_bytes, Other{R"({"default": 60, "anyOf": [
                  {"$ref": "#/$defs/frameBytes"},
                  {"type": "array", "items": {"$ref": "#/$defs/frameBytes"}, "minItems": 1, "maxItems": 64}]})"},
                "size without FCS and tunnel; a list: one after the other; IMIX is `[60, 60, 60, 60, 60, 60, 60, 594, "
                "594, 594, 594, 1514]`"),
    key("rate", &GeneratorSettings::rate, Number{0, 1'000'000'000},
        "frames a second over all queues; 0: as fast as they are fetched"),
    key("limit", &GeneratorSettings::limit, Number{}, "frames in all; 0: endless"),
    key("distribution", &GeneratorSettings::distribution, Words<3>{{"sequential", "uniform", "zipf"}},
        "`sequential`: the flows in turn; `uniform`: by chance; `zipf`: the n-th is as frequent as 1/n, up to 16777216 "
        "flows"),
    key("rx-queues", &GeneratorSettings::rx_queues, Number{1, kMaxWorkers}, "each with flows of its own"),
    key_by_code("source-mac", &GeneratorSettings::source_mac, Range{Range::Of::mac},
                "one value for all flows, or `{first: VALUE, count: N}`: flow f has the first plus f modulo N; by "
                "default, and without `count`, each flow has its own"),
    key_by_code("destination-mac", &GeneratorSettings::destination_mac, Range{Range::Of::mac}, "as `source-mac`"),
    key_by_code("source-address", &GeneratorSettings::source_address, Range{Range::Of::ipv4}, "as `source-mac`"),
    key_by_code("destination-address", &GeneratorSettings::destination_address, Range{Range::Of::ipv4},
                "as `source-mac`"),
    key_by_code("source-port", &GeneratorSettings::source_port, Range{Range::Of::port}, "as `source-mac`"),
    key_by_code("destination-port", &GeneratorSettings::destination_port, Range{Range::Of::port}, "as `source-mac`"),
    key_by_code("tunnel", &GeneratorSettings::tunnel,
                Mapping<kGeneratorTunnelKeys>{R"({"$ref": "#/$defs/generatorTunnel"})"},
                "`{mode, id, source-address, destination-address}`, and perhaps `port`, `source-mac` and "
                "`checksum`: each frame comes in a tunnel, as from a remote gateway; `id` and `source-address` may be "
                "`{first, count}`"),
};

inline constexpr std::string_view kFeaturesSchema = R"({"type": "array", "items": {"enum": "@features"}})";
inline constexpr std::tuple kNicModelKeys{
    key_by_code("over", NoMember{}, Other{R"({"type": "string", "minLength": 1, "default": "interface"})"},
                "what carries its frames: `interface` (of that name), `tap` or a vdev's devargs"),
    key_by_code("rx-queues", NoMember{}, Number{1, kMaxWorkers}, "receive queues"),
    key_by_code("switch", &NicModelSettings::switch_name, Other{R"({"type": "string", "minLength": 1})"},
                "models with the same name are ports of one switch, which takes rules for large flows"),
    key("flow-rules", &NicModelSettings::flow_rules, Number{0, 1U << 20}, "the room it has for them"),
    key_by_code("without", &NicModelSettings::without, Other{kFeaturesSchema}, "what it can't do"),
    key_by_code("misreport", &NicModelSettings::misreport, Other{kFeaturesSchema},
                "what it says it can do, and can't, or does wrong"),
};

}  // namespace causeway::config
