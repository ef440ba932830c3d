// The sections of the file, from YAML values to Config, and the checks across them. For yaml/load.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "control/config/config.h"
#include "control/yaml/value.h"

namespace causeway::config {

class Sections {
 public:
  // The configuration is of use only if no error was added.
  Sections(Config& config, Diagnostics& diagnostics) : config_(config), diagnostics_(diagnostics) {}

  void read(const Value& root);

 private:
  using Lines = std::unordered_map<std::string_view, int>;  // name -> where it stands first

  // An ethernet, a VLAN or a tunnel.
  struct Interface {
    const char* section;
    const YamlNode* key;
    bool underlay = false;
    std::string_view bridge{};  // the first bridge that names it
    int bridge_line = 0;
  };
  struct Owner {
    std::string_view name;
    int line;
  };
  // What tells tunnels apart on the wire.
  using TunnelKey = std::tuple<TunnelType, std::optional<uint32_t>, uint16_t, IpAddress, IpAddress>;
  // VSID, local and remote; no remote: strangers' frames too.
  using GreEnds = std::map<std::tuple<uint32_t, IpAddress, IpAddress>, Owner>;

  void read_system(const Value& value);
  void read_workers(const Value& value);

  void read_ethernets(const Value& section);
  void read_ethernet(std::string_view name, const Value& value, Ethernet& ethernet);
  void read_device(std::string_view name, const Fields& fields, Ethernet& ethernet);
  void check_devargs(std::string_view name, const Value& value, std::string_view devargs);
  void read_rx_workers(const Value& list, Ethernet& ethernet);
  void read_network(std::string_view name, const Fields& fields, Ethernet& ethernet);
  void read_addresses(std::string_view name, const Value& list, Ethernet& ethernet);
  void read_routes(const Value& list, Ethernet& ethernet);
  void read_neighbors(const Value& list, Ethernet& ethernet);
  void read_allow_from(const Fields& fields, Ethernet& ethernet);
  static void read_bindings(const Fields& fields, Ethernet& ethernet);
  static void read_limits(const Fields& fields, Limits& limits);

  void read_vlans(const Value& section);
  void read_link(const Fields& fields, VlanDevice& device);
  void read_vlan_mtu(const Fields& fields, const VlanDevice& device, Ethernet& ethernet);
  static void read_port_vlan(const Fields& fields, PortVlan& vlan);
  // Null: it has no VLAN mode.
  const PortVlan* vlan_of(const std::string& interface) const;

  void read_tunnels(const Value& section);
  void read_tunnel(std::string_view name, const Value& value, Tunnel& tunnel);
  void read_tunnel_id(const Fields& fields, Tunnel& tunnel);
  void read_tunnel_port(std::string_view name, const Fields& fields, Tunnel& tunnel);
  void read_options(const Value& value, Tunnel& tunnel);
  void read_local(const Value& value, Tunnel& tunnel);
  void read_remotes(const Value& value, Tunnel& tunnel);
  // Why nobody can be reached at `remote`, or "".
  std::string remote_error(const IpAddress& remote, const IpAddress& local) const;
  void read_group(const Fields& fields, Tunnel& tunnel);
  void check_tunnel_is_alone(std::string_view name, const Value& value, const Tunnel& tunnel);
  void check_gre_keys(std::string_view name, const Value& value, const Tunnel& tunnel);

  void read_bridges(const Value& section);
  void read_bridge(std::string_view name, const Value& value, Bridge& bridge);
  void read_member(std::string_view bridge_name, const Value& item, Bridge& bridge);
  void read_static_macs(std::string_view bridge_name, const Value& list, bool members_complete, Bridge& bridge);

  // False, and reported, if the name is bad or taken.
  bool add_interface(const char* section, std::string_view name, const Value& value, size_t longest_name);

  Config& config_;
  Diagnostics& diagnostics_;
  bool workers_complete_ = true;  // no error in `workers`: one that is not among them is wrong
  std::unordered_map<std::string_view, Interface> interfaces_;
  std::unordered_map<std::string, Owner> devices_;           // PCI address or vdev name -> ethernet
  std::unordered_multimap<IpAddress, Owner> own_addresses_;  // several: a link-local one, on as many links
  std::unordered_map<IpAddress, IpPrefix> network_ends_;     // network and broadcast addresses of connected networks
  bool own_addresses_complete_ = true;  // no error among the ethernets: a `local` not in the table is wrong
  std::map<TunnelKey, Owner> tunnel_keys_;
  GreEnds nvgre_ends_;
  GreEnds gretap_ends_;  // of the VSIDs that their keys are to NVGRE
  std::map<uint16_t, std::pair<TunnelType, Owner>> udp_ports_;
};

}  // namespace causeway::config
