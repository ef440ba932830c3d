// The running state: everything that gateway/apply changes and `show` shows. One object, one thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/bridge/bridges.h"
#include "control/bridge/fdb.h"
#include "control/config/config.h"
#include "control/evpn/evpn.h"
#include "control/gateway/event_log.h"
#include "control/gateway/exchange.h"
#include "control/gateway/last_drops.h"
#include "control/gateway/port_mirrors.h"
#include "control/hosts/hosts.h"
#include "control/offload/elephants.h"
#include "control/offload/tunnel_rules.h"
#include "control/port/ports.h"
#include "control/port/rebalance.h"
#include "control/port/receive_errors.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "control/tunnel/silences.h"
#include "control/tunnel/tunnels.h"
#include "control/underlay/host_routes.h"
#include "control/underlay/host_sockets.h"
#include "control/underlay/memberships.h"
#include "control/underlay/neighbors.h"
#include "control/underlay/refusals.h"
#include "control/underlay/underlay.h"
#include "dataplane/flow/tables.h"
#include "dataplane/worker.h"
#include "pmd/error.h"

namespace causeway {

class SflowAgent;

class Gateway {
 public:
  // `pool` outlives the gateway. Workers are made, not started.
  Gateway(const config::System& system, rte_mempool* pool, PortOpener opener = open_port);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void start_workers();
  void start_is_over() { ports_.start_is_over(); }

  // For a process that takes this one's place: nothing is forwarded any more, and what it would have to open anew is
  // closed. start_workers() goes on; what was closed is opened again by and by.
  void let_go();
  // In the place of another one: until end_take_over() its devices are opened by their descriptors.
  void take_over(Ports::HandedOver devices);
  // The same of devices that nobody else has: what outlived the process before this one.
  void adopt(Ports::HandedOver devices) { ports_.take_over(std::move(devices)); }
  void end_take_over() { ports_.end_take_over(); }
  // What it had for itself can be had.
  void other_has_ended();

  // Devices that a file asks for are opened by `program` first (control/port/device_trials.h).
  void try_devices_with(const std::string& program) { ports_.try_devices_with(program); }
  // Before the operations below, with what they will ask for. Takes as long as that takes, seconds at most where a
  // driver hangs; workers are served meanwhile.
  void try_devices(const std::map<std::string, config::Ethernet>& wanted);
  void end_trials() { ports_.end_trials(); }

  // Operations of gateway/apply. Where one fails nothing has changed.
  Error add_ethernet(const std::string& name, const config::Ethernet& settings);
  Error change_ethernet(const std::string& name, const config::Ethernet& settings, bool reopen);
  // Lets go of its device, until change_ethernet() opens one again.
  void close_ethernet(const std::string& name);
  Error remove_ethernet(const std::string& name);
  Error add_bridge(const std::string& name, const config::Bridge& settings);
  Error change_bridge(const std::string& name, const config::Bridge& settings);
  Error remove_bridge(const std::string& name);
  Error add_tunnel(const std::string& name, const config::Tunnel& settings);
  Error change_tunnel(const std::string& name, const config::Tunnel& settings);
  Error remove_tunnel(const std::string& name);
  Error add_member(const std::string& bridge, const std::string& interface);
  Error remove_member(const std::string& bridge, const std::string& interface);
  Error add_static_mac(const std::string& bridge, const config::StaticMac& mac);
  Error remove_static_mac(const std::string& bridge, const config::StaticMac& mac);
  void set_sflow(const config::Sflow* settings);  // null: none
  void set_mirror(const std::string& name, const config::Mirror& settings) { mirrors_.set(name, settings); }
  void remove_mirror(const std::string& name) { mirrors_.remove(name); }
  // Makes visible what the operations left for the end: flood lists, the FDB of what went away.
  void commit();

  // Called every millisecond or so: takes what the workers have for us. Returns how much it was.
  size_t serve_workers();
  // Called a few times a second: ageing, neighbor probes, memberships, links.
  void tick();
  // Interfaces of the host have come, gone or changed.
  void interfaces_changed() {
    ports_.host_networks_changed();  // the kernel doesn't tell of all that goes with an interface
    look_at_ports(true);
  }
  // The host's addresses or neighbors have changed; its routes: host_routes().
  void host_networks_changed() { ports_.host_networks_changed(); }

  // On the way out: tells the underlay what it should know, and gives the workers a moment to send it.
  void say_goodbye();

  // Adjacencies of an interface, those that floods go to first; empty: no such interface.
  std::vector<AdjacencyIndex> adjacencies_of(const std::string& interface) const;
  uint16_t now_s() const;
  // Drops counted on the control thread.
  const std::array<uint64_t, kDropReasons>& drops() const { return exchange_.drops(); }
  // Takes what threads have kept of the frames that died; tick() does, too.
  void take_drop_examples();
  const LastDrops& last_drops() const { return last_drops_; }

  // `causewayctl offloads test`.
  void test_offloads(const std::string& port) { ports_.test(port); }
  const Ports& ports() const { return ports_; }
  const OffloadSync& offload_sync() const { return offload_sync_; }
  Elephants& elephants() { return elephants_; }
  const Elephants& elephants() const { return elephants_; }
  const Bridges& bridges() const { return bridges_; }
  const PortMirrors& mirrors() const { return mirrors_; }
  Looks& looks() { return looks_; }
  Tunnels& tunnels() { return tunnels_; }
  const Tunnels& tunnels() const { return tunnels_; }
  Evpn& evpn() { return evpn_; }
  const Evpn& evpn() const { return evpn_; }
  const Refusals& refusals() const { return refusals_; }
  const Silences& silences() const { return silences_; }
  const EventLog& events() const { return events_; }
  Neighbors& neighbors() { return neighbors_; }
  const Neighbors& neighbors() const { return neighbors_; }
  Hosts& hosts() { return hosts_; }
  const Hosts& hosts() const { return hosts_; }
  const Memberships& memberships() const { return memberships_; }
  const Adjacencies& adjacencies() const { return adjacencies_; }
  Fdb& fdb() { return fdb_; }
  const Fdb& fdb() const { return fdb_; }
  const Underlay& underlay() const { return underlay_; }
  // Whoever knows the kernel's routes tells them here (control/underlay/kernel_routes.h).
  HostRoutes& host_routes() { return host_routes_; }
  const HostRoutes& host_routes() const { return host_routes_; }
  const SflowAgent& sflow() const { return *sflow_; }
  const Rebalance* rebalance() const { return rebalance_.get(); }  // null: off
  const Exchange::Workers& workers() const { return workers_; }
  Tables& tables() { return tables_; }
  Publisher& publisher() { return publisher_; }
  rte_mempool* pool() const { return pool_; }

 private:
  Fdb::Hooks fdb_hooks();
  Hosts::Hooks host_hooks();
  Neighbors::Hooks neighbor_hooks();
  Memberships::Hooks membership_hooks();
  Tunnels::Hooks tunnel_hooks();
  Silences::Hooks silence_hooks();
  Evpn::Hooks evpn_hooks();
  void reroute();
  void look_at_ports(bool interfaces_changed);
  void follow(const Ports::Changes& changes);
  void learn_anew(const std::string& interface);
  void limit_macs(const std::string& name);
  // Gives the MACs in `bindings` their places in the FDB. Asked again, it changes nothing.
  void bind_macs();
  // The same for their IP addresses, in bridges that suppress ARP and ND.
  void bind_hosts();
  template <typename Neighbor>
  void set_neighbors(PortIndex port, const std::vector<Neighbor>& before, const std::vector<Neighbor>& after);
  // Where underlays are the host's: its kernel knows what tunnels listen on.
  void listen_as_host();
  std::vector<IpPrefix> own_addresses(PortIndex port) const;
  void set_own_groups(PortIndex port, const std::vector<IpPrefix>& before, const std::vector<IpPrefix>& after);
  void forget_idle_vteps();
  // Takes what was released, the FDB's entries with it, out of use.
  void clear_released();

  // Order matters: what is below uses what is above, and goes first. (The hooks of what is above call what is below,
  // but never while one of them is made or destroyed.)
  rte_mempool* pool_;
  Tables tables_;
  Exchange::Workers workers_;
  Publisher publisher_;
  Adjacencies adjacencies_;
  Fdb fdb_;
  Bridges bridges_;
  Hosts hosts_;
  HostRoutes host_routes_;
  Underlay underlay_;
  EventLog events_;
  Neighbors neighbors_;
  HostSockets host_sockets_;
  Memberships memberships_;
  Tunnels tunnels_;
  Evpn evpn_;
  Refusals refusals_;
  Silences silences_;
  OffloadSync offload_sync_;
  Elephants elephants_;
  Exchange exchange_;
  LastDrops last_drops_;
  ReceiveErrors receive_errors_;
  std::unique_ptr<Rebalance> rebalance_;
  Ports ports_;
  std::unique_ptr<SflowAgent> sflow_;
  Looks looks_;
  PortMirrors mirrors_;
  std::set<AdjacencyIndex> left_bridge_;  // since the last commit
  uint16_t vteps_looked_at_s_ = 0;
  bool other_lives_ = false;  // whose place this one takes
};

}  // namespace causeway
