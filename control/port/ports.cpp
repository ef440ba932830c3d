#include "control/port/ports.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_map>

#include "control/config/split_group.h"
#include "control/config/vlan_rules.h"
#include "control/process/state_changes.h"
#include "control/publish/mss_limit.h"
#include "dataplane/flow/binding_table.h"
#include "pmd/close_together.h"
#include "pmd/spread_port.h"

namespace causeway {

std::unique_ptr<Port> open_port(const config::Ethernet& ethernet, const PortOptions& options, OpenError& error) {
  if (const auto* dpdk = std::get_if<config::DpdkDevice>(&ethernet.device)) {
    return open_ethdev_port(options, dpdk->devargs, error);
  }
  if (std::holds_alternative<config::TapDevice>(ethernet.device) || ethernet.host_device() != nullptr) {
    return open_tap_port(options, error);
  }
  if (const auto* generator = std::get_if<GeneratorSettings>(&ethernet.device)) {
    return open_generator_port(options, *generator, error);
  }
  if (const auto* model = std::get_if<NicModelSettings>(&ethernet.device))
    return open_nic_model(options, *model, error);
  return open_packet_port(options, error);
}

GroChoice choose_gro(const config::Ethernet& ethernet, const Port& port) {
  const TxCapabilities caps = port.capabilities();
  if (ethernet.offloads.gro == Toggle::off) return {false, "offloads.gro: off"};
  if (ethernet.offloads.checksum == Toggle::off) return {false, "offloads.checksum: off"};
  if (ethernet.offloads.tso == Toggle::off) return {false, "offloads.tso: off"};
  if (ethernet.is_underlay()) return {false, "what leaves an underlay is in tunnels"};
  if (!caps.multi_segment) return {false, "the device takes no chains of buffers"};
  const bool ipv6 = caps.has(Outer::none, TxCapabilities::kTcp6);
  const uint8_t needed = TxCapabilities::kChecksum | (ipv6 ? TxCapabilities::kTcp6 : TxCapabilities::kTcp4);
  if (!caps.has(Outer::none, needed)) return {false, port.lacks(Outer::none, needed)};
  // There a frame costs no system call, and some devices don't take long chains.
  const bool dpdk = std::holds_alternative<config::DpdkDevice>(ethernet.device);
  if (dpdk && ethernet.offloads.gro == Toggle::automatic) return {false, "a DPDK device: only with offloads.gro: on"};
  return {true, "the port takes big frames"};
}

namespace {

// False, with an error, where the settings ask for what can't be.
bool gro_is_possible(const config::Ethernet& ethernet, const Port& port, OpenError& error) {
  const GroChoice gro = choose_gro(ethernet, port);
  if (gro.on || ethernet.offloads.gro != Toggle::on) return true;
  error = "offloads.gro: " + gro.reason;
  return false;
}

// As gro_is_possible.
bool lro_is_possible(const config::Ethernet& ethernet, const Port& port, OpenError& error) {
  if (ethernet.offloads.lro != Toggle::on) return true;
  if (!port.lro()) {
    error = "offloads.lro: the device lacks RTE_ETH_RX_OFFLOAD_TCP_LRO";
  } else if (ethernet.is_underlay() && !ethernet.bridged_vlans) {
    error = "offloads.lro: an underlay receives tunnels, and devices merge plain TCP only";
  }
  return error.empty();
}

// Entries of other ports say nothing of it: they have all underlays' addresses, and their VLANs.
bool stands_alone(const config::Ethernet& ethernet) {
  return !ethernet.carries_underlay() && !ethernet.bridged_vlans && ethernet.vlan_device() == nullptr &&
         ethernet.host_device() == nullptr;
}

OffloadSettings device_offloads(OffloadSettings offloads) {
  offloads.gro = Toggle::automatic;
  return offloads;
}

}  // namespace

Ports::Ports(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, Underlay& underlay,
             std::vector<std::unique_ptr<Worker>>& workers, rte_mempool* pool, uint64_t seed, PortOpener opener)
    : tables_(tables),
      publisher_(publisher),
      adjacencies_(adjacencies),
      underlay_(underlay),
      workers_(workers),
      rx_queues_(tables, publisher, workers),
      pool_(pool),
      seed_(seed),
      opener_(std::move(opener)) {}

Ports::~Ports() {
  std::vector<FileDescriptor> held;
  for (const auto& [name, record] : ports_) {
    if (record.port == nullptr) continue;
    for (const int fd : record.port->descriptors()) held.push_back(FileDescriptor::duplicate(fd));
  }
  while (!ports_.empty()) remove(ports_.begin()->first);
  close_together(std::move(held));
}

const Ports::Record* Ports::find(const std::string& name) const {
  const auto found = ports_.find(name);
  return found == ports_.end() ? nullptr : &found->second;
}

const Ports::Record* Ports::find(PortIndex index) const {
  const auto found = names_.find(index);
  return found == names_.end() ? nullptr : find(found->second);
}

std::unique_ptr<Port> Ports::open(const std::string& name, const config::Ethernet& settings, OpenError& error) const {
  if (const config::VlanDevice* const vlan = settings.vlan_device()) {
    const Record* const link = find(vlan->link);
    if (link != nullptr && link->port != nullptr) {
      return open_vlan_port(options_for(name, settings), *link->port, vlan->id);
    }
    error = OpenError{"there is no " + vlan->link + " now", OpenError::Kind::absent};
    return nullptr;
  }
  const std::string devargs(settings.devargs());
  const auto verdict = trials_ != nullptr ? trials_->take(devargs) : std::nullopt;
  if (verdict && !verdict->empty()) {
    error = OpenError{*verdict, OpenError::Kind::failed};
    return nullptr;
  }
  std::unique_ptr<Port> port = opener_(settings, options_for(name, settings), error);
  if (port != nullptr && !settings.host.empty()) {
    error = port->set_host_path(true);
    if (!error.empty()) port.reset();
  }
  if (port != nullptr && settings.spread == config::Spread::software) {
    port = spread_over(std::move(port), static_cast<uint16_t>(workers_.size()));
  }
  if (port != nullptr && !gro_is_possible(settings, *port, error)) port.reset();
  if (port != nullptr && !lro_is_possible(settings, *port, error)) port.reset();
  if (port != nullptr && settings.offloads.flow == Toggle::on && port->flow_rules() == nullptr) {
    error = settings.is_underlay() ? "offloads.flow: the device takes no rules"
                                   : "offloads.flow: only an underlay has rules";
    port.reset();
  }
  if (port != nullptr && settings.offloads.elephants == Toggle::on && port->switch_rules() == nullptr) {
    error = "offloads.elephants: the device is no port of a switch that takes rules";
    port.reset();
  }
  return port;
}

PortOptions Ports::options_for(const std::string& name, const config::Ethernet& settings) const {
  PortOptions options;
  options.name = name;
  options.rx_queues = settings.spread == config::Spread::software ? uint16_t{1} : settings.rx_queues;
  options.tx_queues = static_cast<uint16_t>(std::max<size_t>(workers_.size(), 1));
  options.mtu = settings.mtu.value_or(0);
  options.mac = settings.mac.value_or(MacAddress{});
  options.underlay = settings.carries_underlay();
  if (const config::HostDevice* const host = settings.host_device()) {
    options.host = true;
    options.rx_queues = 1;  // which one descriptor keeps for the next process
    const Record* const underlay = find(host->underlay);
    if (underlay != nullptr && underlay->port != nullptr) {
      options.mac = underlay->port->mac();
      options.mtu = underlay->port->mtu();
    }
  }
  options.promiscuous = !settings.is_underlay() || settings.bridged_vlans;
  options.offloads = settings.offloads;
  options.pool = pool_;
  if (const auto found = handed_over_.find(name); found != handed_over_.end()) {
    for (const FileDescriptor& fd : found->second) options.handed_over.push_back(fd.get());
  }
  return options;
}

TxCapabilities Ports::Record::capabilities() const {
  TxCapabilities caps = port->capabilities();
  const auto forced = [&](const OffloadVerdict& verdict) {
    if (verdict.bits == TxCapabilities::kChecksum) return settings.offloads.checksum == Toggle::on;
    return (verdict.outer == Outer::none ? settings.offloads.tso : settings.offloads.tunnel_tso) == Toggle::on;
  };
  for (const OffloadVerdict& verdict : verdicts) {
    if (verdict.wrong.empty() || forced(verdict)) continue;
    caps.can[static_cast<size_t>(verdict.outer)] &= static_cast<uint8_t>(~verdict.bits);
  }
  return caps;
}

FlowRules* Ports::Record::flow_rules() const {
  const bool wrong = std::ranges::any_of(verdicts, [](const OffloadVerdict& v) { return v.flow && !v.wrong.empty(); });
  return wrong && settings.offloads.flow != Toggle::on ? nullptr : port->flow_rules();
}

// A VLAN's frames are its link's: so are the verdicts.
void Ports::test(Record& record) {
  if (const config::VlanDevice* const vlan = record.settings.vlan_device()) {
    record.verdicts = ports_.at(vlan->link).verdicts;
    return;
  }
  if (before_closing_) before_closing_(record.index);  // its rules: the test may have found that they are none
  record.verdicts = test_offloads(*record.port, pool_);
  for (const OffloadVerdict& verdict : record.verdicts) {
    if (verdict.wrong.empty()) continue;
    const std::string text =
        fmt::format("{}: the device misreports {}: {}", record.port->name(), verdict.offload, verdict.wrong);
    spdlog::warn("{}", text);
    state_changes().tell([&] { return StateChange{"offload", record.port->name(), "wrong", "", text}; });
    if (verdict.rx_checksum && record.settings.offloads.checksum != Toggle::on) record.port->distrust_rx_checksums();
  }
  for (Record* const vlan : vlans_of(names_.at(record.index))) vlan->verdicts = record.verdicts;
}

void Ports::test(const std::string& name) {
  test(ports_.at(name));
  publish_all();
}

Error Ports::add(const std::string& name, const config::Ethernet& settings) {
  auto index = static_cast<PortIndex>(names_.size());  // the next one, where there is no gap
  if (!names_.empty() && names_.rbegin()->first != index - 1) {
    index = 0;
    while (names_.contains(index)) ++index;
  }
  if (index == kMaxPorts) return "no more than " + std::to_string(kMaxPorts) + " ports";
  SplitGroups::Membership group;
  if (Error full = adjacencies_.split_groups().join(config::split_group_of(settings), group)) return full;
  OpenError error;
  std::unique_ptr<Port> port = open(name, settings, error);
  if (port == nullptr && !may_be_missing(error)) return error.text;
  AdjacencyIndex adjacency = kNoAdjacency;
  if (!settings.is_underlay()) adjacency = adjacencies_.allocate({name, {}});
  names_[index] = name;
  Record& record = ports_[name];
  record.port = std::move(port);
  record.settings = settings;
  record.group = std::move(group);
  record.index = index;
  record.adjacency = adjacency;
  if (record.port != nullptr) {
    start(name, record);
  } else {
    spdlog::warn("{}: missing: {}", name, error.text);
    await(record, error);
  }
  return {};
}

bool Ports::may_be_missing(const OpenError& error) const {
  return error.kind == OpenError::Kind::absent || (starting_ && error.kind == OpenError::Kind::failed);
}

// A device just opened joins in; its VLANs, too, which are returned.
Ports::Vlans Ports::start(const std::string& name, Record& record) {
  record.missing = {};
  test(record);
  note(record);
  const bool alone = stands_alone(record.settings) && underlay_.find(record.index) == nullptr;
  underlay_.remove(record.index);
  read_host_network(record);
  set_underlay(name, record);
  if (record.settings.host_device() != nullptr) join_underlay(record);
  Vlans vlans = open_vlans(name);
  if (alone) {
    publish(record, vlans);
  } else {
    publish_all();
  }
  record.polled = false;
  return vlans;
}

void Ports::commit() {
  std::vector<const Record*> fresh;
  for (auto& [name, record] : ports_) {
    if (record.port == nullptr || record.polled) continue;
    record.polled = true;
    fresh.push_back(&record);
  }
  if (fresh.empty()) return;
  deal_queues();
  for (const Record* const record : fresh) log_queues(*record);
}

void Ports::note(Record& record) {
  record.link_up = record.port->link_up();
  record.mtu = record.port->mtu();
  record.mac = record.port->mac();
}

namespace {

// All of it, or nothing.
Error change_device(Port& port, const config::Ethernet& before, const config::Ethernet& after) {
  const uint16_t old_mtu = port.mtu();
  const MacAddress old_mac = port.mac();
  Error error;
  if (after.mtu && *after.mtu != old_mtu) error = port.set_mtu(*after.mtu);
  if (!error && after.mac && *after.mac != old_mac) error = port.set_mac(*after.mac);
  if (!error && after.host.empty() != before.host.empty()) error = port.set_host_path(!after.host.empty());
  if (!error) return {};
  Error stays = port.mac() != old_mac ? port.set_mac(old_mac) : Error();
  if (!stays && port.mtu() != old_mtu) stays = port.set_mtu(old_mtu);
  return stays ? error.text() + "; and its mtu or MAC stays changed: " + stays.text() : error;
}

}  // namespace

Error Ports::change(const std::string& name, const config::Ethernet& settings) {
  Record& record = ports_.at(name);
  // Only a device just opened knows what MTU and MAC it has of its own.
  const bool own_again = (record.settings.mtu && !settings.mtu) || (record.settings.mac && !settings.mac);
  const auto queues = options_for(name, settings).wanted_rx_queues();
  const bool other_queues = settings.rx_queues != record.settings.rx_queues;
  if (record.port == nullptr || own_again || (other_queues && queues != record.port->rx_queues()) ||
      settings.spread != record.settings.spread || settings.is_underlay() != record.settings.is_underlay() ||
      settings.host_addresses != record.settings.host_addresses ||
      settings.carries_underlay() != record.settings.carries_underlay() ||
      settings.bridged_vlans != record.settings.bridged_vlans ||
      device_offloads(settings.offloads) != device_offloads(record.settings.offloads)) {
    return reopen(name, settings);
  }
  SplitGroups::Membership group;
  if (Error full = adjacencies_.split_groups().join(config::split_group_of(settings), group)) return full;
  OpenError impossible;
  if (!gro_is_possible(settings, *record.port, impossible)) return impossible.text;
  if (Error error = change_device(*record.port, record.settings, settings)) return error;
  const bool other_workers = settings.rx_workers != record.settings.rx_workers;
  record.settings = settings;
  record.group = std::move(group);
  note(record);
  set_underlay(name, record);
  const Vlans vlans = vlans_of(name);
  for (Record* const vlan : vlans) {
    if (vlan->port == nullptr) continue;
    note(*vlan);
    set_underlay(vlan->port->name(), *vlan);
  }
  if (stands_alone(settings)) {
    publish(record, vlans);
  } else {
    publish_all();
  }
  if (other_workers) {
    deal_queues();
    log_queues(record);
  }
  return {};
}

Error Ports::reopen(const std::string& name, const config::Ethernet& settings) {
  Record& record = ports_.at(name);
  const config::Ethernet before = record.settings;
  const bool was_open = record.port != nullptr;
  SplitGroups::Membership group;
  if (Error full = adjacencies_.split_groups().join(config::split_group_of(settings), group)) return full;
  close(record);
  OpenError error;
  record.port = open(name, settings, error);
  OpenError why = error;
  if (record.port != nullptr || may_be_missing(error)) {
    record.settings = settings;
    record.group = std::move(group);
    error = OpenError{};
  } else {
    if (was_open) record.port = open(name, before, why);
    if (was_open && record.port == nullptr) error.text += "; and reopening it as it was failed: " + why.text;
  }
  if (record.settings.is_underlay() && record.adjacency != kNoAdjacency) {
    adjacencies_.release(std::exchange(record.adjacency, kNoAdjacency));
  } else if (!record.settings.is_underlay() && record.adjacency == kNoAdjacency) {
    record.adjacency = adjacencies_.allocate({name, {}});
  }
  if (record.port != nullptr) {
    start(name, record);
  } else {
    spdlog::warn("{}: missing: {}", name, why.text);
    await(record, why);
    show_host(record);
    for (const Record* const vlan : vlans_of(name)) show_host(*vlan);
  }
  return error.text;
}

void Ports::close(const std::string& name) {
  Record& record = ports_.at(name);
  close(record);
  await(record, {"closed", OpenError::Kind::failed});
  open_vlans(name);
}

void Ports::remove(const std::string& name) {
  Record& record = ports_.at(name);
  const bool alone = stands_alone(record.settings);
  close(record);
  underlay_.remove(record.index);
  if (record.adjacency != kNoAdjacency) adjacencies_.release(record.adjacency);
  names_.erase(record.index);
  ports_.erase(name);
  if (!alone) publish_all();
}

Ports::Vlans Ports::vlans_of(const std::string& link) {
  Vlans vlans;
  if (const Record* const found = find(link); found != nullptr && stands_alone(found->settings)) return vlans;
  for (auto& [name, record] : ports_) {
    const config::VlanDevice* const vlan = record.settings.vlan_device();
    if (vlan != nullptr && vlan->link == link) vlans.push_back(&record);
  }
  return vlans;
}

// The VLANs of a link that was closed, and may be open again.
Ports::Vlans Ports::open_vlans(const std::string& link) {
  Vlans vlans = vlans_of(link);
  for (Record* const vlan : vlans) {
    const std::string& name = names_.at(vlan->index);
    OpenError why;
    vlan->port = open(name, vlan->settings, why);
    underlay_.remove(vlan->index);
    if (vlan->port != nullptr) {
      vlan->missing = {};
      note(*vlan);
      set_underlay(name, *vlan);
    } else {
      await(*vlan, why);
    }
  }
  return vlans;
}

// Workers let go of the device, and of its VLANs, before it closes.
void Ports::close(Record& record) {
  if (before_closing_ && record.port != nullptr) before_closing_(record.index);
  Vlans closing = vlans_of(names_.at(record.index));
  closing.push_back(&record);
  std::vector<std::unique_ptr<Port>> ports;
  for (Record* const closed : closing) {
    publisher_.publish<PortEntry>(tables_.ports[closed->index], nullptr);
    ports.push_back(std::move(closed->port));
  }
  deal_queues();
  publisher_.drain();
}

void Ports::set_bridge(const std::string& name, BridgeIndex bridge) {
  Record& record = ports_.at(name);
  record.bridge = bridge;
  publish_adjacency(record);
}

void Ports::listen_anew(PortIndex index) {
  const auto name = names_.find(index);
  if (name == names_.end()) return;
  Record& record = ports_.at(name->second);
  if (record.port != nullptr) publish(record, vlans_of(name->second));
}

void Ports::publish_all() {
  std::unordered_map<std::string, Vlans> vlans;  // by link
  for (auto& [name, record] : ports_) {
    const config::VlanDevice* const vlan = record.settings.vlan_device();
    if (vlan != nullptr) vlans[vlan->link].push_back(&record);
  }
  for (auto& [name, record] : ports_) {
    if (record.port == nullptr) continue;
    const auto own = vlans.find(name);
    publish(record, own != vlans.end() ? own->second : Vlans{});
  }
}

void Ports::publish(Record& record, const Vlans& vlans) {
  auto entry = std::make_unique<PortEntry>();
  entry->io = record.port.get();
  entry->index = record.index;
  entry->underlay = record.settings.is_underlay();
  entry->adjacency = record.adjacency;
  entry->capabilities = record.capabilities();
  entry->coalesce = choose_gro(record.settings, *record.port).on;
  entry->mac = record.port->mac();
  entry->host = record.settings.host_addresses || !record.settings.host.empty();
  if (const Record* const other = other_end(record)) entry->host_path = other->index;
  if (entry->underlay) entry->addresses = underlay_.accepted(record.index);
  if (!vlans.empty()) entry->port_of_vlan.assign(kVlans, kNoPort);
  for (const Record* const vlan : vlans) {
    if (vlan->port != nullptr) entry->port_of_vlan[vlan->settings.vlan_device()->id] = vlan->index;
  }
  entry->allow_from = record.settings.allow_from;
  // Workers that may have frames of it.
  entry->flood_rate =
      share_of(record.settings.limits.flood_rate, std::min<size_t>(record.port->rx_queues(), workers_.size()));
  publisher_.publish<PortEntry>(tables_.ports[record.index], std::move(entry));
  publish_adjacency(record);
}

void Ports::publish_adjacency(const Record& record) {
  if (record.adjacency == kNoAdjacency) return;
  auto adjacency = std::make_unique<Adjacency>();
  adjacency->kind = TunnelType::none;
  adjacency->index = record.adjacency;
  adjacency->port = record.index;
  adjacency->bridge = record.bridge;
  adjacency->split_group = number_of(record.group);
  adjacency->vlan = rules_of(record.settings.vlan);
  adjacency->vlan_rules = record.settings.vlan.mode != VlanMode::none;
  adjacency->bound = !record.settings.bindings.empty();
  if (adjacency->bound) adjacency->bindings = std::make_shared<const BindingTable>(record.settings.bindings, seed_);
  adjacency->blocked = record.link_up ? DropReason::none : DropReason::port_down;
  const uint32_t mtu = record.port != nullptr ? record.port->mtu() : 0;
  adjacency->max_frame_bytes = static_cast<uint16_t>(std::min(mtu + kPortHeaderBytes, 0xffffU));
  adjacency->mss = mss_limit(record.settings.mss_clamp, mtu);
  adjacencies_.publish(std::move(adjacency));
}

void Ports::deal_queues() {
  const std::vector<PollList> before = rx_queues_.dealt();
  std::vector<RxQueue> queues;
  for (const auto& [index, name] : names_) {
    const Record& record = ports_.at(name);
    if (record.port == nullptr || !record.polled) continue;
    for (uint16_t queue = 0; queue < record.port->rx_queues(); ++queue) {
      queues.push_back({index, queue, std::nullopt});
      if (queue < record.settings.rx_workers.size()) queues.back().worker = record.settings.rx_workers[queue];
    }
  }
  rx_queues_.deal(queues);
  for (size_t worker = 0; worker < before.size(); ++worker) {
    const PollList& now = rx_queues_.dealt()[worker];
    if (now == before[worker]) continue;
    state_changes().tell([&]() -> StateChange {
      const std::string name = std::to_string(worker);
      return {"worker", name, "changed", "",
              fmt::format("worker {}: polls {} queues, was {}", name, now.size(), before[worker].size())};
    });
  }
}

// Who else would notice that a second worker gets nothing to do.
void Ports::log_queues(const Record& record) const {
  if (record.port->equal_queues()) {
    spdlog::info("{}: {} queue(s) each way; the link stays down unless the other end has as many (`rx-queues`)",
                 record.port->name(), record.port->rx_queues());
  }
  if (workers_.size() == 1 || record.settings.vlan_device() != nullptr) return;
  std::string workers;
  for (const unsigned worker : rx_queues_.workers_of(record.index)) {
    workers += (workers.empty() ? "" : ", ") + std::to_string(worker);
  }
  const Port& port = *record.port;
  if (port.rx_spread() == RxSpread::none && record.settings.rx_queues == 0) {
    spdlog::info("{}: the device has no RSS: one rx queue, of worker {}", port.name(), workers);
  } else {
    spdlog::info("{}: {} rx queues, of workers {}; RSS: {}", port.name(), port.rx_queues(), workers,
                 to_string(port.rx_spread()));
  }
}

const char* to_string(RxSpread spread) {
  switch (spread) {
    case RxSpread::none:
      return "none";
    case RxSpread::outer:
      return "outer";
    case RxSpread::inner:
      return "inner";
    case RxSpread::kernel:
      return "kernel";
  }
  return "";
}

}  // namespace causeway
