#include "control/tunnel/tunnel_keys.h"

#include <algorithm>
#include <bit>
#include <memory>

namespace causeway {
namespace {

constexpr uint32_t kFirstSlots = 1024;

}  // namespace

TunnelKeys::TunnelKeys(Tables& tables, Publisher& publisher, uint64_t seed)
    : tables_(tables), publisher_(publisher), seed_(seed), table_(new TunnelTable(kFirstSlots, seed)) {
  tables_.tunnels.store(table_, std::memory_order_release);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::make_unique<UdpListeners>());
}

TunnelKeys::~TunnelKeys() {
  publisher_.publish<TunnelTable>(tables_.tunnels, nullptr);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, nullptr);
}

TunnelKey TunnelKeys::key_of(const config::Tunnel& settings, const IpAddress& remote) {
  TunnelKey key;
  key.kind = settings.mode;
  key.remote = remote;
  key.local = settings.local;
  key.id = settings.id.value_or(0);
  key.udp_port = settings.port;
  key.keyless = key.kind == TunnelType::gretap && !settings.id ? 1 : 0;
  return key;
}

// What a receiver finds an end by. Of a group that is: whoever sends to it, or to us, and is not known yet. Of the end
// that stands for a fabric: whoever sends to us and is none of its VTEPs.
std::vector<TunnelKey> TunnelKeys::received_keys(const config::Tunnel& settings, const IpAddress& remote) {
  TunnelKey key = key_of(settings, remote.is_multicast() || remote.is_unspecified() ? IpAddress{} : remote);
  std::vector<TunnelKey> keys{key};
  if (const auto group = settings.group()) {
    key.local = *group;
    keys.push_back(key);
  }
  return keys;
}

// What frames to `remote` carry, if that is another key than what frames from it do.
std::optional<TunnelKey> TunnelKeys::other_key_sent(const config::Tunnel& settings, const IpAddress& remote) {
  if (!settings.sent_id) return {};
  TunnelKey key = key_of(settings, remote);
  key.id = *settings.sent_id;
  return key;
}

void TunnelKeys::add(const config::Tunnel& settings, const IpAddress& remote, AdjacencyIndex end) {
  for (const TunnelKey& key : received_keys(settings, remote)) insert(key, end);
  if (const auto sent = other_key_sent(settings, remote)) senders_[sent_key(*sent)] = end;
}

void TunnelKeys::remove(const config::Tunnel& settings, const IpAddress& remote) {
  for (const TunnelKey& key : received_keys(settings, remote)) erase(key);
  if (const auto sent = other_key_sent(settings, remote)) senders_.erase(sent_key(*sent));
}

AdjacencyIndex TunnelKeys::sender_of_other(const TunnelKey& sent) const {
  const auto found = senders_.find(sent_key(sent));
  return found == senders_.end() ? kNoAdjacency : found->second;
}

void TunnelKeys::insert(const TunnelKey& key, AdjacencyIndex end) {
  if ((used_ + 2) * 2 > table_->capacity()) {
    auto next = std::make_unique<TunnelTable>(std::max(kFirstSlots, std::bit_ceil((keys_ + 2) * 4)), seed_);
    for (uint32_t i = 0; i < table_->capacity(); ++i) {
      const AdjacencyIndex used = table_->slot(i).adjacency.load(std::memory_order_relaxed);
      if (used != kNoAdjacency && used != TunnelTable::kDeleted) next->insert(table_->slot(i).key, used);
    }
    used_ = keys_;
    table_ = next.get();
    publisher_.publish<TunnelTable>(tables_.tunnels, std::move(next));
  }
  table_->insert(key, end);
  ++used_;
  ++keys_;
  if (++ids_[{key.kind, key.keyless, key.udp_port, key.id}] == 1) {
    table_->insert(key.any_remote(), end);
    ++used_;
    ++keys_;
  }
}

void TunnelKeys::erase(const TunnelKey& key) {
  if (table_->erase(key)) --keys_;
  tables_.changed();
  const auto id = ids_.find({key.kind, key.keyless, key.udp_port, key.id});
  if (id == ids_.end() || --id->second != 0) return;
  ids_.erase(id);
  if (table_->erase(key.any_remote())) --keys_;
}

void TunnelKeys::count_listener(const config::Tunnel& settings, int delta) {
  if (!over_udp(settings.mode)) return;
  const std::pair key{settings.port, settings.mode};
  const unsigned before = listeners_[key];
  listeners_[key] = before + static_cast<unsigned>(delta);
  if (before != 0 && listeners_[key] != 0) return;
  if (listeners_[key] == 0) listeners_.erase(key);
  auto list = std::make_unique<UdpListeners>();
  for (const auto& [listener, users] : listeners_) list->push_back({listener.first, listener.second});
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::move(list));
}

}  // namespace causeway
