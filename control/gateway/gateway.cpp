#include "control/gateway/gateway.h"

#include <rte_cycles.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>
#include <tuple>

#include "control/sflow/agent.h"

namespace causeway {
namespace {

constexpr Ports::Clock::duration kTick = std::chrono::milliseconds(250);

uint64_t random_seed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

std::vector<std::unique_ptr<Worker>> make_workers(Tables& tables, const config::System& system, rte_mempool* pool) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < system.workers; ++i) {
    WorkerOptions options;
    if (i < system.worker_cores.size()) options.core = system.worker_cores[i];
    options.busy = system.idle == config::Idle::busy;
    options.cache_entries = system.flow_cache_entries;
    options.seed = random_seed();
    options.pool = pool;
    workers.push_back(std::make_unique<Worker>(tables, static_cast<uint16_t>(i), options));
  }
  return workers;
}

size_t held_buffers(const config::System& system, const rte_mempool* pool) {
  constexpr size_t kShare = 16;
  return system.held_buffers != 0 ? system.held_buffers : pool->size / kShare;
}

}  // namespace

Gateway::Gateway(const config::System& system, rte_mempool* pool, PortOpener opener)
    : pool_(pool),
      workers_(make_workers(tables_, system, pool)),
      publisher_(tables_),
      adjacencies_(tables_, publisher_),
      fdb_(tables_, publisher_, random_seed(), fdb_hooks()),
      bridges_(tables_, publisher_, fdb_),
      hosts_(tables_, publisher_, fdb_, random_seed(), host_hooks()),
      underlay_(&host_routes_),
      events_(adjacencies_, bridges_, underlay_),
      neighbors_(underlay_, tables_, held_buffers(system, pool), neighbor_hooks()),
      memberships_(underlay_, membership_hooks()),
      tunnels_(tables_, publisher_, adjacencies_, underlay_, neighbors_, memberships_, workers_.size(), random_seed(),
               tunnel_hooks()),
      evpn_(tunnels_, bridges_, fdb_, evpn_hooks()),
      silences_(tunnels_, silence_hooks()),
      offload_sync_(ports_, tunnels_, [this](AdjacencyIndex index) { return exchange_.received_from(index); }),
      elephants_(tables_, ports_, tunnels_, adjacencies_, fdb_),
      exchange_(workers_, pool,
                {.tables = tables_,
                 .adjacencies = adjacencies_,
                 .underlay = underlay_,
                 .fdb = fdb_,
                 .hosts = hosts_,
                 .events = events_,
                 .neighbors = neighbors_,
                 .memberships = memberships_,
                 .tunnels = tunnels_,
                 .refusals = refusals_,
                 .offload_sync = offload_sync_,
                 .elephants = elephants_}),
      ports_(tables_, publisher_, adjacencies_, underlay_, workers_, pool, random_seed(), std::move(opener)),
      sflow_(std::make_unique<SflowAgent>(
          SflowAgent::Subjects{workers_, publisher_, ports_, tunnels_, adjacencies_, elephants_}, random_seed())),
      looks_(tables_, publisher_),
      mirrors_(ports_, tunnels_, bridges_, looks_, tables_, pool, workers_.size()) {
  if (system.rebalance == config::Rebalance::automatic) {
    ports_.measure_queues();
    rebalance_ = std::make_unique<Rebalance>(workers_);
  }
  hosts_.tell([this](BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac, bool gone) {
    evpn_.fabric().local_host(bridge, vlan, ip, mac, gone);
  });
  ports_.before_closing([this](PortIndex port) {
    offload_sync_.forget(port);
    elephants_.forget(port);
  });
}

Gateway::~Gateway() {
  for (const auto& worker : workers_) worker->stop();
}

void Gateway::start_workers() {
  constexpr auto kPatience = std::chrono::milliseconds(200);
  evpn_.catch_up(Evpn::Clock::now() + kPatience);
  for (const auto& worker : workers_) worker->start();
}

void Gateway::let_go() {
  evpn_.let_go();  // first: it waits for what is being removed, and workers go on meanwhile
  for (const auto& worker : workers_) worker->stop();
  std::vector<std::string> devices;
  for (const auto& [name, record] : ports_.all()) {
    const bool open = record.port != nullptr;
    if (open && std::holds_alternative<config::DpdkDevice>(record.settings.device)) devices.push_back(name);
  }
  for (const std::string& name : devices) ports_.close(name);
}

void Gateway::take_over(Ports::HandedOver devices) {
  other_lives_ = true;
  ports_.take_over(std::move(devices));
}

void Gateway::other_has_ended() {
  other_lives_ = false;
  listen_as_host();
}

void Gateway::limit_macs(const std::string& name) {
  const Tunnels::Tunnel* const tunnel = tunnels_.find(name);
  const config::Limits& limits = tunnel != nullptr ? tunnel->settings.limits : ports_.find(name)->settings.limits;
  fdb_.limit(adjacencies_of(name), limits.max_macs);
}

template <typename Neighbor>
void Gateway::set_neighbors(PortIndex port, const std::vector<Neighbor>& before, const std::vector<Neighbor>& after) {
  for (const Neighbor& neighbor : before) {
    const bool kept = std::ranges::any_of(after, [&](const auto& other) { return other.to == neighbor.to; });
    if (!kept) neighbors_.remove_static({port, neighbor.to});
  }
  for (const Neighbor& neighbor : after) neighbors_.set_static({port, neighbor.to}, neighbor.mac);
}

// Those of an underlay that aren't the host's, its link-local one among them.
std::vector<IpPrefix> Gateway::own_addresses(PortIndex port) const {
  const Underlay::Port* const underlay = underlay_.find(port);
  return underlay != nullptr && !underlay->host ? underlay->addresses : std::vector<IpPrefix>{};
}

// Switches that snoop pass solicitations only to members of their groups (RFC 4861 section 7.2.1).
void Gateway::set_own_groups(PortIndex port, const std::vector<IpPrefix>& before, const std::vector<IpPrefix>& after) {
  for (const IpPrefix& own : after) {
    if (own.address.is_v6()) memberships_.join(port, solicited_node(own.address));
  }
  for (const IpPrefix& own : before) {
    if (own.address.is_v6()) memberships_.leave(port, solicited_node(own.address));
  }
}

Error Gateway::add_ethernet(const std::string& name, const config::Ethernet& settings) {
  if (Error error = ports_.add(name, settings)) return error;
  set_neighbors(ports_.find(name)->index, {}, settings.neighbors);
  set_neighbors(ports_.find(name)->index, {}, ports_.find(name)->host.neighbors);
  set_own_groups(ports_.find(name)->index, {}, own_addresses(ports_.find(name)->index));
  limit_macs(name);
  if (const config::HostDevice* const host = settings.host_device()) {
    // Whose addresses may be what the host has there.
    if (const Ports::Record* const underlay = ports_.find(host->underlay)) {
      set_neighbors(underlay->index, {}, underlay->host.neighbors);
    }
    reroute();
  }
  if (settings.is_underlay()) {
    reroute();
    neighbors_.announce(ports_.find(name)->index);
  }
  return {};
}

Error Gateway::change_ethernet(const std::string& name, const config::Ethernet& settings, bool reopen) {
  // A change that failed and could not be undone may have left it closed.
  if (ports_.find(name) == nullptr) return add_ethernet(name, settings);
  const config::Ethernet before = ports_.find(name)->settings;
  const PortIndex index = ports_.find(name)->index;
  const std::vector<IpPrefix> addresses_before = own_addresses(index);
  const HostNetwork host_before = ports_.find(name)->host;
  Error error = reopen ? ports_.reopen(name, settings) : ports_.change(name, settings);
  if (!error) {
    set_neighbors(index, before.neighbors, settings.neighbors);
    set_neighbors(index, host_before.neighbors, ports_.find(name)->host.neighbors);
    set_own_groups(index, addresses_before, own_addresses(index));
    if (before.vlan != settings.vlan || before.bindings != settings.bindings) learn_anew(name);
  }
  limit_macs(name);
  // After a failure too: the device was opened anew, and may have another MAC now or be gone.
  if (before.carries_underlay() || settings.carries_underlay()) reroute();
  for (const auto& [other, record] : ports_.all()) {
    const config::VlanDevice* const vlan = record.settings.vlan_device();
    const bool here = other == name || (vlan != nullptr && vlan->link == name);
    if (here && record.settings.is_underlay()) neighbors_.announce(record.index);
  }
  return error;
}

void Gateway::close_ethernet(const std::string& name) {
  const Ports::Record& record = *ports_.find(name);
  set_own_groups(record.index, own_addresses(record.index), {});
  ports_.close(name);
  if (record.settings.carries_underlay()) reroute();
}

Error Gateway::remove_ethernet(const std::string& name) {
  if (ports_.find(name) == nullptr) return {};  // gone already, see change_ethernet
  const Ports::Record& record = *ports_.find(name);
  const PortIndex index = record.index;
  const bool was_underlay = record.settings.is_underlay();
  set_neighbors(index, record.settings.neighbors, {});
  // What is no longer wanted doesn't wait for the next process either.
  if (record.settings.host_device() != nullptr && record.port != nullptr) record.port->destroy();
  ports_.remove(name);
  if (was_underlay) reroute();
  neighbors_.remove_port(index);
  memberships_.remove_port(index);
  return {};
}

Error Gateway::add_bridge(const std::string& name, const config::Bridge& settings) {
  if (Error error = bridges_.add(name, settings)) return error;
  hosts_.set_bridge(bridges_.find(name)->index, settings.suppresses(), settings.max_macs);
  return {};
}

Error Gateway::change_bridge(const std::string& name, const config::Bridge& settings) {
  bridges_.change(name, settings);
  hosts_.set_bridge(bridges_.find(name)->index, settings.suppresses(), settings.max_macs);
  return {};
}

Error Gateway::remove_bridge(const std::string& name) {
  const auto members = bridges_.find(name)->members;
  for (const auto& [interface, adjacencies] : members) {
    if (Error error = remove_member(name, interface)) return error;
  }
  hosts_.forget_bridge(bridges_.find(name)->index);
  bridges_.remove(name);
  return {};
}

Error Gateway::add_tunnel(const std::string& name, const config::Tunnel& settings) {
  if (Error error = tunnels_.add(name, settings)) return error;
  limit_macs(name);
  return {};
}

Error Gateway::change_tunnel(const std::string& name, const config::Tunnel& settings) {
  if (tunnels_.differ_in_group_alone(name, settings)) return tunnels_.change_group(name, settings);
  config::Tunnel but_evpn = settings;
  but_evpn.evpn = tunnels_.find(name)->settings.evpn;
  if (settings.evpn && but_evpn == tunnels_.find(name)->settings) return tunnels_.change(name, settings);
  const config::Tunnel before = tunnels_.find(name)->settings;
  evpn_.fabric().remove(name);
  // What is behind an end of the fabric was not learnt, and what was learnt isn't behind one.
  if (before.evpn.has_value() != settings.evpn.has_value()) learn_anew(name);
  if (Error error = tunnels_.change(name, settings)) return error;
  const Bridges::Bridge* const bridge = bridges_.bridge_of(name);
  if (bridge != nullptr) tunnels_.set_bridge(name, bridge->index);
  learn_anew(name);
  limit_macs(name);
  if (bridge == nullptr || !settings.evpn) return {};
  Error error = evpn_.fabric().add(name, bridge->index);
  if (!error) return {};
  std::ignore = tunnels_.change(name, before);
  tunnels_.set_bridge(name, bridge->index);
  std::ignore = evpn_.fabric().add(name, bridge->index);
  return error;
}

// Who was learnt behind a tunnel's old remote need not be behind the new one, nor in a port's new VLANs.
void Gateway::learn_anew(const std::string& interface) {
  const auto list = adjacencies_of(interface);
  const std::set<AdjacencyIndex> ends(list.begin(), list.end());
  fdb_.remove_if([&](const Fdb::Entry& entry) { return entry.is_learnt() && ends.contains(entry.exit); });
  const Bridges::Bridge* const bridge = bridges_.bridge_of(interface);
  if (bridge != nullptr)
    bridges_.set_members(bridges_.name_of(bridge->index), interface,
                         tunnels_.find(interface) != nullptr ? tunnels_.flooded(interface) : list);
}

Error Gateway::remove_tunnel(const std::string& name) {
  if (const Bridges::Bridge* bridge = bridges_.bridge_of(name)) {
    if (Error error = remove_member(bridges_.name_of(bridge->index), name)) return error;
  }
  tunnels_.remove(name);
  return {};
}

std::vector<AdjacencyIndex> Gateway::adjacencies_of(const std::string& interface) const {
  if (tunnels_.find(interface) != nullptr) return tunnels_.adjacencies(interface);
  const Ports::Record* const port = ports_.find(interface);
  if (port == nullptr || port->adjacency == kNoAdjacency) return {};
  return {port->adjacency};
}

Error Gateway::add_member(const std::string& bridge, const std::string& interface) {
  std::vector<AdjacencyIndex> adjacencies = adjacencies_of(interface);
  if (adjacencies.empty()) return "no such interface";
  const BridgeIndex index = bridges_.find(bridge)->index;
  if (const Tunnels::Tunnel* const tunnel = tunnels_.find(interface)) {
    adjacencies = tunnels_.flooded(interface);
    tunnels_.set_bridge(interface, index);
    if (tunnel->settings.evpn) {
      if (Error error = evpn_.fabric().add(interface, index)) {
        tunnels_.set_bridge(interface, kNoBridge);
        return error;
      }
    }
  } else {
    ports_.set_bridge(interface, index);
  }
  bridges_.set_members(bridge, interface, std::move(adjacencies));
  return {};
}

Error Gateway::remove_member(const std::string& bridge, const std::string& interface) {
  evpn_.fabric().remove(interface);
  bridges_.remove_member(bridge, interface);
  if (tunnels_.find(interface) != nullptr) {
    tunnels_.set_bridge(interface, kNoBridge);
  } else if (ports_.find(interface) != nullptr) {
    ports_.set_bridge(interface, kNoBridge);
  }
  const auto list = adjacencies_of(interface);
  const std::set<AdjacencyIndex> ends(list.begin(), list.end());
  left_bridge_.insert(ends.begin(), ends.end());
  return {};
}

Error Gateway::add_static_mac(const std::string& bridge, const config::StaticMac& mac) {
  const auto adjacencies = adjacencies_of(mac.port);
  if (adjacencies.empty()) return "no such interface";
  if (adjacencies_.get(adjacencies.front())->fabric) return mac.port + " is a fabric's: BGP says which MACs are there";
  if (!adjacencies_.get(adjacencies.front())->vlan.carries(mac.vlan)) {
    return mac.port + " does not carry VLAN " + std::to_string(mac.vlan);
  }
  fdb_.add_static(bridges_.find(bridge)->index, mac_vlan(mac.mac, mac.vlan), adjacencies.front());
  return {};
}

Error Gateway::remove_static_mac(const std::string& bridge, const config::StaticMac& mac) {
  if (!fdb_.remove(bridges_.find(bridge)->index, mac_vlan(mac.mac, mac.vlan))) return "no such entry";
  bind_macs();  // it may have stood in front of a bound one
  return {};
}

void Gateway::bind_macs() {
  Fdb::Homes homes;
  for (const auto& [name, port] : ports_.all()) {
    if (port.bridge == kNoBridge || port.adjacency == kNoAdjacency) continue;
    for (const Binding& binding : port.settings.bindings) {
      homes[{port.bridge, mac_vlan(binding.mac, 0)}].push_back(port.adjacency);
    }
  }
  fdb_.bind(std::move(homes));
  bind_hosts();
}

// In the VLAN of the port's untagged frames, where its MACs have their places. An address of two MACs is nobody's.
void Gateway::bind_hosts() {
  std::map<HostKey, MacAddress> hosts;
  std::set<HostKey> ambiguous;
  for (const auto& [name, port] : ports_.all()) {
    const Hosts::BridgeState* const bridge = hosts_.bridge(port.bridge);
    const Adjacency* const adjacency = bridge != nullptr ? adjacencies_.get(port.adjacency) : nullptr;
    if (adjacency == nullptr || !bridge->suppresses || !adjacency->vlan.carries(adjacency->vlan.tag)) continue;
    for (const Binding& binding : port.settings.bindings) {
      for (const IpPrefix& own : binding.addresses) {
        if (own.length != (own.address.is_v4() ? 32 : 128)) continue;  // a network: who is in it, isn't said
        const HostKey key{port.bridge, adjacency->vlan.tag, own.address};
        if (hosts.try_emplace(key, binding.mac).first->second != binding.mac) ambiguous.insert(key);
      }
    }
  }
  for (const HostKey& key : ambiguous) hosts.erase(key);
  hosts_.bind(std::move(hosts));
}

// Underlays have changed, and with them what is followed of the host's routes.
void Gateway::reroute() {
  std::set<uint32_t> tables;
  std::set<std::string> interfaces;
  for (const auto& [index, port] : underlay_.all()) {
    if (port.interface.empty() || port.followed_tables.empty()) continue;
    tables.insert(port.followed_tables.begin(), port.followed_tables.end());
    interfaces.insert(port.interface);
  }
  host_routes_.follow(std::move(tables), std::move(interfaces));
  tunnels_.reroute();
}

void Gateway::listen_as_host() {
  if (other_lives_) return;  // which still does
  const auto shares = [](const auto& port) { return port.second.host && !port.second.host_path; };
  if (!std::ranges::any_of(underlay_.all(), shares)) return host_sockets_.listen({}, false);
  std::set<uint16_t> udp_ports;
  bool gre = false;
  for (const auto& [name, tunnel] : tunnels_.all()) {
    gre = gre || !over_udp(tunnel.settings.mode);
    if (over_udp(tunnel.settings.mode)) udp_ports.insert(tunnel.settings.port);
  }
  host_sockets_.listen(udp_ports, gre);
}

void Gateway::commit() {
  offload_sync_.changed();
  bridges_.commit();
  tunnels_.commit();
  clear_released();
  bind_macs();
  elephants_.reconcile();
  listen_as_host();
  ports_.commit();
  mirrors_.commit();
  publisher_.poll();
}

void Gateway::clear_released() {
  std::vector<AdjacencyIndex> released = adjacencies_.take_released();
  std::vector<bool> gone(kMaxAdjacencies);
  for (const AdjacencyIndex index : released) gone[index] = true;
  for (const AdjacencyIndex index : left_bridge_) gone[index] = true;
  if (!released.empty() || !left_bridge_.empty()) {
    offload_sync_.changed();
    // What left one bridge may be in another already: only entries of the bridge it is no longer in go.
    fdb_.remove_if([&](const Fdb::Entry& entry) {
      if (!gone[entry.exit]) return false;
      const Adjacency* const now = adjacencies_.get(entry.exit);
      return now == nullptr || now->bridge != entry.bridge;
    });
  }
  fdb_.limit(released, 0);
  left_bridge_.clear();
  adjacencies_.recycle(std::move(released));
}

uint16_t Gateway::now_s() const { return static_cast<uint16_t>(rte_rdtsc() / rte_get_tsc_hz()); }

void Gateway::forget_idle_vteps() {
  constexpr uint16_t kEvery_s = 2;
  const uint16_t now = now_s();
  if (static_cast<uint16_t>(now - vteps_looked_at_s_) < kEvery_s) return;
  vteps_looked_at_s_ = now;
  const auto packets = [this](AdjacencyIndex index) { return exchange_.packets_of(index); };
  const auto ageing_s = [this](BridgeIndex bridge) {
    return bridge == kNoBridge ? config::Bridge{}.ageing_time_s : fdb_.bridge(bridge).ageing_s;
  };
  tunnels_.forget_idle_vteps(packets, ageing_s, now);
  clear_released();
}

void Gateway::say_goodbye() {
  memberships_.leave_all();
  // What the routing daemon has to say of it leaves by our workers, too.
  const bool was_in_fabric = !evpn_.fabric().all().empty();
  evpn_.say_goodbye();
  using Clock = Exchange::Clock;
  const auto patience_ends = Clock::now() + std::chrono::milliseconds(was_in_fabric ? 500 : 100);
  while ((was_in_fabric || exchange_.has_unsent()) && Clock::now() < patience_ends) {
    exchange_.serve(patience_ends, now_s());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Gateway::set_sflow(const config::Sflow* settings) { sflow_->set(settings); }

size_t Gateway::serve_workers() {
  using Clock = Exchange::Clock;
  constexpr auto kSlice = std::chrono::milliseconds(2);  // then others get their turn, and what is retired its end
  size_t served = exchange_.serve(Clock::now() + kSlice, now_s());
  served += evpn_.serve(Clock::now() + kSlice);
  elephants_.reconcile();
  served += tunnels_.show_neighbors(Clock::now() + kSlice);
  if (host_routes_.take_changes()) tunnels_.routes_changed();
  if (const size_t moved = tunnels_.follow_routes(Clock::now() + kSlice); moved != 0) {
    offload_sync_.changed();
    served += moved;
  }
  served += sflow_->serve();
  // Behind what was learnt: until then workers hold on to what they saw themselves (RecentlyReported).
  publisher_.poll();
  return served;
}

void Gateway::tick() {
  fdb_.age(now_s());
  neighbors_.tick();
  hosts_.tick();
  tunnels_.tick();
  memberships_.tick();
  forget_idle_vteps();
  refusals_.expire([this](AdjacencyIndex end) { return exchange_.received_from(end); }, Refusals::Clock::now());
  silences_.step(Silences::Clock::now());
  events_.flood_limited(exchange_.dropped_by_workers(DropReason::flood_limit));
  events_.tick();
  offload_sync_.step(OffloadSync::Clock::now());
  elephants_.step(Elephants::Clock::now(), now_s());
  sflow_->tick(SflowAgent::Clock::now());
  if (rebalance_ != nullptr) rebalance_->step(ports_, Rebalance::Clock::now());
  exchange_.count_drops(DropReason::rx_error, receive_errors_.step(ports_, ReceiveErrors::Clock::now()));
  take_drop_examples();
  look_at_ports(false);
  mirrors_.commit();
}

void Gateway::take_drop_examples() {
  for (const auto& worker : workers_) last_drops_.take(worker->drop_examples());
  last_drops_.take(exchange_.drop_examples());
}

void Gateway::try_devices(const std::map<std::string, config::Ethernet>& wanted) {
  ports_.start_trials(wanted);
  auto tick_at = Ports::Clock::now() + kTick;
  while (ports_.look_at_trials()) {
    serve_workers();
    if (Ports::Clock::now() >= tick_at) {
      tick();
      tick_at += kTick;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Gateway::look_at_ports(bool interfaces_changed) {
  follow(ports_.look());
  follow(ports_.open_missing(interfaces_changed, Ports::Clock::now()));
}

void Gateway::follow(const Ports::Changes& changes) {
  if (changes.none()) return;
  std::set<AdjacencyIndex> ends;
  for (const PortIndex port : changes.gone) ends.insert(ports_.find(port)->adjacency);
  if (!ends.empty()) {
    fdb_.remove_if([&](const Fdb::Entry& entry) { return entry.is_learnt() && ends.contains(entry.exit); });
  }
  for (const auto& [port, before] : changes.host_networks) {
    set_neighbors(port, before.neighbors, ports_.find(port)->host.neighbors);
  }
  if (!changes.underlays.empty()) {
    reroute();
    offload_sync_.changed();
  }
  for (const PortIndex port : changes.gone)
    memberships_.remove_port(port);  // behind the tunnels that have let go of it
  for (const auto& [port, before] : changes.readdressed) set_own_groups(port, before, own_addresses(port));
  for (const PortIndex port : changes.to_announce) neighbors_.announce(port);
  bridges_.commit();
  bind_macs();
  ports_.commit();
  if (!changes.underlays.empty()) listen_as_host();
}

}  // namespace causeway
