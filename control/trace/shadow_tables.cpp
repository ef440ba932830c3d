#include "control/trace/shadow_tables.h"

#include <cstring>

#include "dataplane/frame/vlan_tag.h"

namespace causeway {
namespace {

constexpr size_t kMostWithBytes = 256;

// The same, but for its GRE numbers, which begin with the one that is next.
std::unique_ptr<const Adjacency> with_own_numbers(const Adjacency& from) {
  static_assert(sizeof(Adjacency) == 256, "a new member is copied here, too");
  auto copy = std::make_unique<Adjacency>();
  copy->kind = from.kind;
  copy->blocked = from.blocked;
  copy->ipv6 = from.ipv6;
  copy->udp_checksum = from.udp_checksum;
  copy->inherit_tos = from.inherit_tos;
  copy->receive_rules = from.receive_rules;
  copy->outer_bytes = from.outer_bytes;
  copy->ip_offset = from.ip_offset;
  copy->udp_offset = from.udp_offset;
  copy->tos = from.tos;
  copy->vlan_rules = from.vlan_rules;
  copy->port = from.port;
  copy->bridge = from.bridge;
  copy->max_frame_bytes = from.max_frame_bytes;
  copy->ip_sum = from.ip_sum;
  copy->l4_sum = from.l4_sum;
  copy->split_group = from.split_group;
  copy->bound = from.bound;
  copy->numbered = from.numbered;
  copy->usual = from.usual;
  copy->index = from.index;
  copy->mss = from.mss;
  copy->outer = from.outer;
  if (from.ways != nullptr) copy->ways = std::make_unique<const Ways>(*from.ways);
  copy->vlan = from.vlan;
  copy->floods = from.floods;
  copy->bindings = from.bindings;
  copy->sequence = std::make_shared<std::atomic<uint32_t>>(from.sequence->load(std::memory_order_relaxed));
  return copy;
}

std::vector<uint8_t> bytes_of(const rte_mbuf* frame) {
  std::vector<uint8_t> bytes(frame->pkt_len);
  const void* const read = rte_pktmbuf_read(frame, 0, frame->pkt_len, bytes.data());
  if (read != bytes.data()) std::memcpy(bytes.data(), read, bytes.size());
  return bytes;
}

}  // namespace

// In a port's place. That of a VLAN puts on its tag, as pmd/vlan_port does.
class ShadowTables::Io final : public PortIo {
 public:
  Io(ShadowTables& owner, PortIndex device, std::optional<uint16_t> tag) : owner_(owner), device_(device), tag_(tag) {}

  uint16_t rx_burst(uint16_t, rte_mbuf** frames, uint16_t) noexcept override {
    frames[0] = std::exchange(owner_.delivered_, nullptr);
    return frames[0] != nullptr ? uint16_t{1} : uint16_t{0};
  }

  uint16_t tx_burst(uint16_t, rte_mbuf** frames, uint16_t count) noexcept override {
    for (uint16_t i = 0; i < count; ++i) {
      if (!tag_ || push_tag(frames[i], *tag_)) {
        owner_.sent_.push_back({device_, {}});
        if (owner_.sent_.size() <= kMostWithBytes) owner_.sent_.back().bytes = bytes_of(frames[i]);
      }
      rte_pktmbuf_free(frames[i]);
    }
    return count;
  }

 private:
  ShadowTables& owner_;
  const PortIndex device_;
  const std::optional<uint16_t> tag_;
};

ShadowTables::ShadowTables(Gateway& gateway) : gateway_(gateway) {
  const Tables& all = gateway_.tables();
  for (const auto& [name, record] : gateway_.ports().all()) {
    show_port(record.index, record);
    show_adjacency(record.adjacency);
  }
  for (const auto& [name, tunnel] : gateway_.tunnels().all()) {
    for (const Tunnels::Endpoint& end : tunnel.endpoints) show_adjacency(end.adjacency);
    for (const auto& [vtep, end] : tunnel.vteps) show_adjacency(end.adjacency);
  }
  for (const auto& [hop, neighbor] : gateway_.neighbors().all()) {
    tables_->known_neighbors.add(hop.port, hop.address);
    if (neighbor.asked) tables_->asked_neighbors.add(hop.port, hop.address);
  }
  tables_->udp_listeners = all.udp_listeners.load(std::memory_order_relaxed);
  tables_->group_tunnels = all.group_tunnels.load(std::memory_order_relaxed);
  tables_->known_options = all.known_options.load(std::memory_order_relaxed);
  tables_->tunnels = all.tunnels.load(std::memory_order_relaxed);
  tables_->hosts = all.hosts.load(std::memory_order_relaxed);  // `snooping` stays off: nobody is heard
  tables_->fdb = &fdb_;
}

ShadowTables::~ShadowTables() { rte_pktmbuf_free(delivered_); }

void ShadowTables::show_port(PortIndex index, const Ports::Record& record) {
  const PortEntry* const published = gateway_.tables().port(index);
  if (published == nullptr) return;
  const config::VlanDevice* const vlan = record.settings.vlan_device();
  if (vlan != nullptr) {
    ios_.emplace_back(*this, gateway_.ports().find(vlan->link)->index, vlan->id);
  } else {
    ios_.emplace_back(*this, index, std::nullopt);
  }
  PortEntry& entry = ports_.emplace_back(*published);
  entry.io = &ios_.back();
  tables_->ports[index] = &entry;
}

void ShadowTables::show_adjacency(AdjacencyIndex index) {
  const Adjacency* published = gateway_.tables().adjacency(index);
  if (published != nullptr && published->numbered) {
    published = adjacencies_.emplace_back(with_own_numbers(*published)).get();
  }
  tables_->adjacencies[index] = published;
}

void ShadowTables::show_bridges() {
  for (const auto& [name, bridge] : gateway_.bridges().all()) {
    tables_->bridges[bridge.index] = gateway_.tables().bridge(bridge.index);
  }
}

std::optional<AdjacencyIndex> ShadowTables::show_mac(BridgeIndex bridge, MacVlan key) {
  const FdbTable& known = *gateway_.tables().fdb.load(std::memory_order_relaxed);
  const uint32_t slot = known.find(bridge, key);
  if (slot == kNoSlot) return std::nullopt;
  const AdjacencyIndex exit = known.slot(slot).exit.load(std::memory_order_relaxed);
  bool was_empty = false;
  if (fdb_.find(bridge, key) == kNoSlot) fdb_.insert(bridge, key, exit, 0, was_empty);
  return exit;
}

}  // namespace causeway
