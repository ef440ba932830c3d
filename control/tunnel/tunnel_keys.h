// What receivers find tunnels by: the published tunnel table, in place, which grows by moving to a new one, and the UDP
// ports that are listened on. Owned by Tunnels; the control thread's.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "control/config/config.h"
#include "control/publish/publisher.h"
#include "dataplane/flow/tables.h"

namespace causeway {

class TunnelKeys {
 public:
  TunnelKeys(Tables& tables, Publisher& publisher, uint64_t seed);
  ~TunnelKeys();
  TunnelKeys(const TunnelKeys&) = delete;
  TunnelKeys& operator=(const TunnelKeys&) = delete;

  // What frames from `remote` carry.
  static TunnelKey key_of(const config::Tunnel& settings, const IpAddress& remote);

  // From now on, what comes from `remote` is `end`'s; and what anybody sends to a group, unless more is known of him.
  void add(const config::Tunnel& settings, const IpAddress& remote, AdjacencyIndex end);
  void remove(const config::Tunnel& settings, const IpAddress& remote);
  // A tunnel with these settings begins or ends: its UDP port is listened on as long as there is one.
  void listen(const config::Tunnel& settings) { count_listener(settings, +1); }
  void stop_listening(const config::Tunnel& settings) { count_listener(settings, -1); }

  // The end that packets with this key come from; kNoAdjacency: none of ours.
  AdjacencyIndex receiver_of(const TunnelKey& received) const { return table_->find(received); }
  // The end that sends this key and receives another; kNoAdjacency: none.
  AdjacencyIndex sender_of_other(const TunnelKey& sent) const;

  uint32_t count() const noexcept { return keys_; }  // in the table

 private:
  // What tells packets apart that are sent.
  using SentKey = std::tuple<TunnelType, uint16_t, uint32_t, IpAddress, IpAddress>;
  static SentKey sent_key(const TunnelKey& key) { return {key.kind, key.udp_port, key.id, key.local, key.remote}; }
  static std::vector<TunnelKey> received_keys(const config::Tunnel& settings, const IpAddress& remote);
  static std::optional<TunnelKey> other_key_sent(const config::Tunnel& settings, const IpAddress& remote);
  void insert(const TunnelKey& key, AdjacencyIndex end);
  void erase(const TunnelKey& key);
  void count_listener(const config::Tunnel& settings, int delta);

  Tables& tables_;
  Publisher& publisher_;
  uint64_t seed_;
  TunnelTable* table_;                         // the published one
  uint32_t used_ = 0;                          // slots of it that are not empty
  uint32_t keys_ = 0;                          // of these, alive
  std::map<SentKey, AdjacencyIndex> senders_;  // of tunnels that send another key than they receive
  // Kind, keyless, UDP port, VNI -> ends.
  std::map<std::tuple<TunnelType, uint8_t, uint16_t, uint32_t>, unsigned> ids_;
  std::map<std::pair<uint16_t, TunnelType>, unsigned> listeners_;
};

}  // namespace causeway
