// The running state: everything that gateway/apply changes and `show` shows. One object, one thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/bridge/bridges.h"
#include "control/bridge/fdb.h"
#include "control/config/config.h"
#include "control/gateway/event_log.h"
#include "control/offload/elephants.h"
#include "control/offload/tunnel_rules.h"
#include "control/port/ports.h"
#include "control/port/receive_errors.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "control/tunnel/tunnels.h"
#include "control/underlay/memberships.h"
#include "control/underlay/neighbors.h"
#include "control/underlay/refusals.h"
#include "control/underlay/underlay.h"
#include "dataplane/flow/tables.h"
#include "dataplane/worker.h"

namespace causeway {

class Gateway {
 public:
  // `pool` outlives the gateway. Workers are made, not started.
  Gateway(const config::System& system, rte_mempool* pool, PortOpener opener = open_port);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void start_workers();
  void start_is_over() { ports_.start_is_over(); }

  // Devices that a file asks for are opened by `program` first (control/port/device_trials.h).
  void try_devices_with(const std::string& program) { ports_.try_devices_with(program); }
  // Before the operations below, with what they will ask for. Takes as long as that takes, seconds at most where a
  // driver hangs; workers are served meanwhile.
  void try_devices(const std::map<std::string, config::Ethernet>& wanted);
  void end_trials() { ports_.end_trials(); }

  // Operations of gateway/apply: an empty string, or why not (nothing has changed then).
  std::string add_ethernet(const std::string& name, const config::Ethernet& settings);
  std::string change_ethernet(const std::string& name, const config::Ethernet& settings, bool reopen);
  // Lets go of its device, until change_ethernet() opens one again.
  void close_ethernet(const std::string& name);
  std::string remove_ethernet(const std::string& name);
  std::string add_bridge(const std::string& name, const config::Bridge& settings);
  std::string change_bridge(const std::string& name, const config::Bridge& settings);
  std::string remove_bridge(const std::string& name);
  std::string add_tunnel(const std::string& name, const config::Tunnel& settings);
  std::string change_tunnel(const std::string& name, const config::Tunnel& settings);
  std::string remove_tunnel(const std::string& name);
  std::string add_member(const std::string& bridge, const std::string& interface);
  std::string remove_member(const std::string& bridge, const std::string& interface);
  std::string add_static_mac(const std::string& bridge, const config::StaticMac& mac);
  std::string remove_static_mac(const std::string& bridge, const config::StaticMac& mac);
  // Makes visible what the operations left for the end: flood lists, the FDB of what went away.
  void commit();

  // Called every millisecond or so: takes what the workers have for us. Returns how much it was.
  size_t serve_workers();
  // Called a few times a second: ageing, neighbor probes, memberships, links.
  void tick();
  // Interfaces of the host have come, gone or changed.
  void interfaces_changed() { look_at_ports(true); }

  // On the way out: tells the underlay what it should know, and gives the workers a moment to send it.
  void say_goodbye();

  // Adjacencies of an interface, those that floods go to first; empty: no such interface.
  std::vector<AdjacencyIndex> adjacencies_of(const std::string& interface) const;
  uint16_t now_s() const;
  // Drops counted on the control thread.
  const std::array<uint64_t, kDropReasons>& drops() const { return drops_; }

  // `causewayctl offloads test`.
  void test_offloads(const std::string& port) { ports_.test(port); }
  const Ports& ports() const { return ports_; }
  const OffloadSync& offload_sync() const { return offload_sync_; }
  const Elephants& elephants() const { return elephants_; }
  const Bridges& bridges() const { return bridges_; }
  const Tunnels& tunnels() const { return tunnels_; }
  const Refusals& refusals() const { return refusals_; }
  const Neighbors& neighbors() const { return neighbors_; }
  const Memberships& memberships() const { return memberships_; }
  const Adjacencies& adjacencies() const { return adjacencies_; }
  Fdb& fdb() { return fdb_; }
  const Fdb& fdb() const { return fdb_; }
  const Underlay& underlay() const { return underlay_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  Tables& tables() { return tables_; }
  rte_mempool* pool() const { return pool_; }

 private:
  Fdb::Hooks fdb_hooks();
  Neighbors::Hooks neighbor_hooks();
  Memberships::Hooks membership_hooks();
  Tunnels::Hooks tunnel_hooks();
  void look_at_ports(bool interfaces_changed);
  void follow(const Ports::Changes& changes);
  void learn_anew(const std::string& interface);
  void limit_macs(const std::string& name);
  // Gives the MACs in `bindings` their places in the FDB. Asked again, it changes nothing.
  void bind_macs();
  void set_neighbors(PortIndex port, const std::vector<config::StaticNeighbor>& before,
                     const std::vector<config::StaticNeighbor>& after);
  std::vector<IpPrefix> own_addresses(PortIndex port) const;
  void set_own_groups(PortIndex port, const std::vector<IpPrefix>& before, const std::vector<IpPrefix>& after);
  // A frame that a worker could not deal with.
  void receive(const PuntedFrame& punted);
  void learn_vtep(const PuntedFrame& punted);
  void forget_idle_vteps();
  // Takes what was released, the FDB's entries with it, out of use.
  void clear_released();
  // A frame to this host from an underlay port.
  void receive_own(PortIndex port, rte_mbuf* frame);
  // False: it isn't about a tunnel of ours, or no news.
  bool learn_error(const TunnelError& error);
  uint64_t dropped(DropReason reason) const;  // by the workers, so far
  void answer_too_big(const PuntedFrame& punted);
  void inject(const InjectedFrame& frame);
  Tunnels::Packets packets_of(AdjacencyIndex adjacency) const;
  uint64_t received_from(AdjacencyIndex adjacency) const { return packets_of(adjacency).received; }
  // Takes a few of each thing that a worker has for us; how many that were.
  size_t serve(Worker& worker, uint16_t now);
  void drop(rte_mbuf* frame, DropReason reason);

  // Order matters: what is below uses what is above, and goes first.
  rte_mempool* pool_;
  Tables tables_;
  std::array<uint64_t, kDropReasons> drops_{};
  std::vector<std::unique_ptr<Worker>> workers_;
  Publisher publisher_;
  Adjacencies adjacencies_;
  Fdb fdb_;
  Bridges bridges_;
  Underlay underlay_;
  EventLog events_;
  Neighbors neighbors_;
  Memberships memberships_;
  Tunnels tunnels_;
  Refusals refusals_;
  OffloadSync offload_sync_;
  Elephants elephants_;
  ReceiveErrors receive_errors_;
  Ports ports_;
  std::set<AdjacencyIndex> left_bridge_;  // since the last commit
  RateLimit too_big_{kMaxPorts};          // of all workers together
  uint16_t vteps_looked_at_s_ = 0;
};

}  // namespace causeway
