// The control thread's half of the forwarding database: learning, moves, ageing, static entries, limits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/publish/publisher.h"
#include "dataplane/flow/tables.h"

namespace causeway {

class Fdb {
 public:
  struct Entry {
    BridgeIndex bridge;
    MacVlan key;
    AdjacencyIndex exit;
    bool is_static;
    bool of_fabric;  // BGP says where it lives (EVPN); with `is_static` a sticky one
    uint16_t age_s;  // 0 of what doesn't age
    bool is_learnt() const noexcept { return !is_static && !of_fabric; }
  };
  struct BridgeState {
    uint32_t ageing_s = 300;  // 0: never; at most kMaxAgeing_s counts
    uint32_t max_macs = 65536;
    uint32_t macs = 0;
    uint32_t fabric_macs = 0;  // of these, what BGP says
    bool is_watched = false;   // Hooks::changed hears of it
    uint64_t refused = 0;      // learnt no more: the table was full
    uint64_t learned = 0;
    uint64_t expired = 0;  // learned ones that were not seen for `ageing_s`
    uint64_t moves = 0;
  };
  // Ages are counted modulo 65,536 s, so nothing older can be told apart.
  static constexpr uint32_t kMaxAgeing_s = 60000;

  // Told of what the log says. `end`: whose limit it is; kNoAdjacency: the bridge's.
  struct Hooks {
    std::function<void(BridgeIndex bridge, MacVlan key, AdjacencyIndex from, AdjacencyIndex to)> moved;
    std::function<void(BridgeIndex bridge, AdjacencyIndex end, uint32_t max_macs)> refused;
    // Of a watched bridge: an entry has come, gone or moved; find() says which by the time the caller is done.
    std::function<void(BridgeIndex bridge, MacVlan key)> changed{};
  };

  Fdb(Tables& tables, Publisher& publisher, uint64_t seed, Hooks hooks);
  ~Fdb();

  void set_bridge(BridgeIndex bridge, uint32_t ageing_s, uint32_t max_macs);
  void forget_bridge(BridgeIndex bridge);
  void watch(BridgeIndex bridge, bool watched);
  const BridgeState& bridge(BridgeIndex bridge) const { return bridges_.at(bridge); }

  // No more than `max_macs` are learnt behind `exits` together; 0: any number.
  void limit(const std::vector<AdjacencyIndex>& exits, uint32_t max_macs);
  // `exit`, behind which nothing is learnt yet, counts with another one, if that has a limit.
  void limit_with(AdjacencyIndex exit, AdjacencyIndex other);
  struct Limit {
    uint32_t max_macs = 0;
    uint32_t macs = 0;
    uint64_t refused = 0;
  };
  const Limit* limit_of(AdjacencyIndex exit) const;

  // Where MACs live by their ports' `bindings`, whoever speaks with them: (bridge, MAC without VLAN) -> ports. A MAC of
  // one port has a static entry there, in the VLAN of the port's untagged frames; in others it is learnt, but nowhere
  // else. Takes the place of what was bound before.
  using Homes = std::map<std::pair<BridgeIndex, MacVlan>, std::vector<AdjacencyIndex>>;
  void bind(Homes homes);
  // A MAC seen at `exit`: new, or moved there. Static entries stay, and so do bound ones.
  void learn(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t now_s);
  // A MAC that an earlier process has learnt, last seen at `seen_s`. False: it has no place here or is known.
  bool restore(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t seen_s);
  // Replaces a learned entry. Not bound by max_macs.
  void add_static(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit);
  bool remove(BridgeIndex bridge, MacVlan key);
  // A MAC that BGP says lives behind `exit`, a fabric's end. Takes the place of what was learnt, or said before; false:
  // a static entry stays, as the file's do. Not bound by max_macs.
  bool place(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, bool sticky);
  // Of these MACs those that BGP has placed.
  void remove_placed(BridgeIndex bridge, const std::vector<MacVlan>& keys);
  // Removes learned entries that no frame has come from for the bridge's ageing time. Looks at all of a small
  // table, at an eighth of a large one: call it a few times a second.
  void age(uint16_t now_s);
  std::optional<Entry> find(BridgeIndex bridge, MacVlan key) const;
  // Frames came from it that no worker saw.
  void touch(BridgeIndex bridge, MacVlan key, uint16_t now_s);
  // Removes the entries for which `matches` holds; returns how many.
  size_t remove_if(const std::function<bool(const Entry&)>& matches);
  void for_each(uint16_t now_s, const std::function<void(const Entry&)>& visit) const;

  // A reader's place, for who reads all, bit by bit, while the table changes: an entry that is there from the first bit
  // to the last is visited once, as it is at that moment; one that comes or goes meanwhile, perhaps. Holds the table it
  // began with, so that growing moves nothing under it.
  class Cursor {
    friend class Fdb;
    std::shared_ptr<const FdbTable> table_;
    uint32_t next_ = 0;
  };
  Cursor begin() const;
  // Visits what is in the next `slots` slots; false: those were the last.
  bool visit_next(Cursor& cursor, uint32_t slots, uint16_t now_s, const std::function<void(const Entry&)>& visit) const;

 private:
  // The fabric's don't count.
  static bool is_full(const BridgeState& state);
  void refuse(BridgeIndex bridge, BridgeState& state);
  // Where a MAC lives that was seen at `exit`.
  AdjacencyIndex home_of(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit) const;
  void insert(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t now_s);
  // Counts a learnt MAC more (or less) behind `exit`; false: there is no room for it.
  bool count_at(AdjacencyIndex exit, int change);
  // The same for one that moves.
  bool count_move(AdjacencyIndex from, AdjacencyIndex to);
  bool is_of_fabric(AdjacencyIndex exit) const;
  void note_change(BridgeIndex bridge, MacVlan key) const;
  void grow();
  void publish(std::shared_ptr<FdbTable> next);
  void free_slots(std::vector<uint32_t> slots);
  Entry entry_at(uint32_t index, uint16_t now_s) const;

  Tables& tables_;
  Publisher& publisher_;
  uint64_t seed_;
  Hooks hooks_;
  std::shared_ptr<FdbTable> table_;  // the published one
  uint64_t generation_ = 0;          // of table_
  uint32_t used_ = 0;                // slots that are not empty
  uint32_t entries_ = 0;
  uint32_t age_cursor_ = 0;
  std::unordered_map<BridgeIndex, BridgeState> bridges_;
  std::unordered_map<AdjacencyIndex, std::shared_ptr<Limit>> limits_;  // those of a tunnel share one
  Homes homes_;
  std::map<std::pair<BridgeIndex, MacVlan>, AdjacencyIndex> bound_;  // static entries that stand for homes_
};

}  // namespace causeway
