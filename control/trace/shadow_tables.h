// What workers read, as a trace reads it: the same adjacencies, bridges and tunnels, but ports that send nowhere and
// give what they are given, GRE numbers that nobody else counts by, and a FDB in which nobody's MAC is marked as seen.
// Control thread, which frees nothing of the gateway's while it lives.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "control/gateway/gateway.h"
#include "dataplane/flow/tables.h"

namespace causeway {

class ShadowTables {
 public:
  // A frame as a device would have got it. Of very many (a flood) only the first have bytes.
  struct Sent {
    PortIndex port = 0;
    std::vector<uint8_t> bytes;
  };

  explicit ShadowTables(Gateway& gateway);
  ~ShadowTables();
  ShadowTables(const ShadowTables&) = delete;
  ShadowTables& operator=(const ShadowTables&) = delete;

  Tables& tables() noexcept { return *tables_; }
  // The port's next burst is this frame.
  void deliver(rte_mbuf* frame) noexcept { delivered_ = frame; }
  const std::vector<Sent>& sent() const noexcept { return sent_; }
  void forget_sent() { sent_.clear(); }
  // Bridges have nobody to flood to, and know no MAC, before these.
  void show_bridges();
  // Where a MAC lives, with kFdbStatic; none: nobody knows. From here on the shadow knows it, too.
  std::optional<AdjacencyIndex> show_mac(BridgeIndex bridge, MacVlan key);

 private:
  class Io;
  void show_port(PortIndex index, const Ports::Record& record);
  void show_adjacency(AdjacencyIndex index);

  Gateway& gateway_;
  std::unique_ptr<Tables> tables_ = std::make_unique<Tables>();
  FdbTable fdb_{64, 0};
  std::list<PortEntry> ports_;
  std::list<Io> ios_;
  std::vector<std::unique_ptr<const Adjacency>> adjacencies_;  // those with numbers
  rte_mbuf* delivered_ = nullptr;
  std::vector<Sent> sent_;
};

}  // namespace causeway
