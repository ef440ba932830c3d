#include "control/bridge/fdb.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

namespace causeway {
namespace {

constexpr uint32_t kFirstSlots = 8192;
constexpr uint32_t kAgeSlices = 8;  // age() looks at so much of a large table at a time

bool is_entry(MacVlan key) { return key != kFdbEmpty && key != kFdbDeleted && key != kFdbFreed; }

}  // namespace

Fdb::Fdb(Tables& tables, Publisher& publisher, uint64_t seed, Hooks hooks)
    : tables_(tables),
      publisher_(publisher),
      seed_(seed),
      hooks_(std::move(hooks)),
      table_(std::make_shared<FdbTable>(kFirstSlots, seed)) {
  tables_.fdb.store(table_.get(), std::memory_order_release);
}

Fdb::~Fdb() {
  ++generation_;
  publish(nullptr);
  publisher_.drain();
}

void Fdb::set_bridge(BridgeIndex bridge, uint32_t ageing_s, uint32_t max_macs) {
  BridgeState& state = bridges_[bridge];
  state.ageing_s = std::min(ageing_s, kMaxAgeing_s);
  state.max_macs = max_macs;
}

void Fdb::watch(BridgeIndex bridge, bool watched) { bridges_[bridge].is_watched = watched; }

bool Fdb::is_of_fabric(AdjacencyIndex exit) const {
  const Adjacency* const adjacency = tables_.adjacency(exit & ~kFdbStatic);
  return adjacency != nullptr && adjacency->fabric;
}

void Fdb::note_change(BridgeIndex bridge, MacVlan key) const {
  const auto state = bridges_.find(bridge);
  if (state != bridges_.end() && state->second.is_watched) hooks_.changed(bridge, key);
}

void Fdb::forget_bridge(BridgeIndex bridge) {
  remove_if([bridge](const Entry& entry) { return entry.bridge == bridge; });
  bridges_.erase(bridge);
}

Fdb::Entry Fdb::entry_at(uint32_t index, uint16_t now_s) const {
  const FdbSlot& slot = table_->slot(index);
  const AdjacencyIndex exit = slot.exit.load(std::memory_order_relaxed);
  const uint16_t seen_s = slot.seen_s.load(std::memory_order_relaxed);
  const bool is_static = (exit & kFdbStatic) != 0;
  const bool of_fabric = is_of_fabric(exit);
  const auto age_s = static_cast<uint16_t>(now_s - seen_s);
  // A worker's clock may be a moment ahead of the caller's.
  const bool is_young = is_static || of_fabric || static_cast<int16_t>(age_s) == -1;
  return {slot.bridge.load(std::memory_order_relaxed),
          slot.key.load(std::memory_order_relaxed),
          exit & ~kFdbStatic,
          is_static,
          of_fabric,
          is_young ? uint16_t{0} : age_s};
}

void Fdb::limit(const std::vector<AdjacencyIndex>& exits, uint32_t max_macs) {
  if (max_macs == 0) {
    for (const AdjacencyIndex exit : exits) limits_.erase(exit);
    return;
  }
  std::shared_ptr<Limit> limit;
  for (const AdjacencyIndex exit : exits) {
    if (const auto found = limits_.find(exit); found != limits_.end()) limit = found->second;
  }
  if (limit == nullptr) limit = std::make_shared<Limit>();
  limit->max_macs = max_macs;
  std::set<AdjacencyIndex> uncounted;
  for (const AdjacencyIndex exit : exits) {
    if (limits_.try_emplace(exit, limit).second) uncounted.insert(exit);
  }
  if (uncounted.empty()) return;
  for_each(0, [&](const Entry& entry) {
    if (entry.is_learnt() && uncounted.contains(entry.exit)) ++limit->macs;
  });
}

void Fdb::limit_with(AdjacencyIndex exit, AdjacencyIndex other) {
  if (const auto found = limits_.find(other); found != limits_.end()) limits_.insert({exit, found->second});
}

const Fdb::Limit* Fdb::limit_of(AdjacencyIndex exit) const {
  const auto found = limits_.find(exit);
  return found == limits_.end() ? nullptr : found->second.get();
}

bool Fdb::count_at(AdjacencyIndex exit, int change) {
  if (limits_.empty() || (exit & kFdbStatic) != 0) return true;
  const auto found = limits_.find(exit);
  if (found == limits_.end()) return true;
  Limit& limit = *found->second;
  if (change > 0 && limit.macs >= limit.max_macs) {
    ++limit.refused;
    return false;
  }
  limit.macs += static_cast<uint32_t>(change);
  return true;
}

bool Fdb::count_move(AdjacencyIndex from, AdjacencyIndex to) {
  const Limit* const limit = limit_of(to);
  if (limit != nullptr && limit == limit_of(from)) return true;
  if (!count_at(to, +1)) return false;
  count_at(from, -1);
  return true;
}

void Fdb::bind(Homes homes) {
  homes_ = std::move(homes);
  std::map<std::pair<BridgeIndex, MacVlan>, AdjacencyIndex> wanted;
  for (const auto& [mac, ports] : homes_) {
    const Adjacency* const port = ports.size() == 1 ? tables_.adjacency(ports.front()) : nullptr;
    if (port == nullptr || !port->vlan.carries(port->vlan.tag)) continue;
    wanted[{mac.first, mac_vlan(mac_of(mac.second), port->vlan.tag)}] = port->index;
  }
  for (const auto& [place, exit] : std::exchange(bound_, {})) {
    const auto entry = find(place.first, place.second);
    if (!entry || !entry->is_static || entry->exit != exit) continue;
    const auto again = wanted.find(place);
    if (again == wanted.end() || again->second != exit) {
      remove(place.first, place.second);
    } else {
      bound_.insert(*again);
    }
  }
  for (const auto& [place, exit] : wanted) {
    const auto entry = find(place.first, place.second);
    if (entry && entry->is_static && !entry->of_fabric) continue;  // as it should be, or somebody's own
    add_static(place.first, place.second, exit);
    bound_[place] = exit;
  }
}

AdjacencyIndex Fdb::home_of(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit) const {
  const auto bound = homes_.find({bridge, key & kMacMask});
  if (bound == homes_.end()) return exit;
  const auto is_home = [&](AdjacencyIndex port) {
    return std::ranges::find(bound->second, port) != bound->second.end();
  };
  if (is_home(exit)) return exit;
  if (const auto known = find(bridge, key); known && is_home(known->exit)) return known->exit;
  for (const AdjacencyIndex port : bound->second) {
    const Adjacency* const home = tables_.adjacency(port);
    if (home != nullptr && home->vlan.carries(vlan_of(key))) return port;
  }
  return exit;  // in a VLAN that none of them carries it is another's
}

bool Fdb::is_full(const BridgeState& state) { return state.macs - state.fabric_macs >= state.max_macs; }

void Fdb::refuse(BridgeIndex bridge, BridgeState& state) {
  ++state.refused;
  hooks_.refused(bridge, kNoAdjacency, state.max_macs);
}

void Fdb::learn(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t now_s) {
  const auto state = bridges_.find(bridge);
  if (state == bridges_.end()) return;  // the bridge went while the message was on its way
  if ((key & kMacMask) == 0) return;    // 00:00:00:00:00:00 is nobody's address
  // So did the port or tunnel, or it changed bridges.
  const Adjacency* const adjacency = tables_.adjacency(exit);
  if (adjacency == nullptr || adjacency->bridge != bridge || adjacency->fabric) return;
  exit = home_of(bridge, key, exit);
  const uint32_t index = table_->find(bridge, key);
  if (index != kNoSlot) {
    FdbSlot& slot = table_->slot(index);
    const AdjacencyIndex before = slot.exit.load(std::memory_order_relaxed);
    if ((before & kFdbStatic) != 0 || before == exit) return;
    if (is_of_fabric(before) && is_full(state->second)) return refuse(bridge, state->second);
    if (!count_move(before, exit)) return hooks_.refused(bridge, exit, limits_.at(exit)->max_macs);
    if (is_of_fabric(before)) --state->second.fabric_macs;
    slot.exit.store(exit, std::memory_order_relaxed);
    slot.seen_s.store(now_s, std::memory_order_relaxed);
    tables_.changed();
    ++state->second.moves;
    hooks_.moved(bridge, key, before, exit);
    note_change(bridge, key);
    return;
  }
  if (is_full(state->second)) return refuse(bridge, state->second);
  if (!count_at(exit, +1)) return hooks_.refused(bridge, exit, limits_.at(exit)->max_macs);
  ++state->second.learned;
  insert(bridge, key, exit, now_s);
}

// As learn(), but what doesn't fit is no event: nobody has refused a frame.
bool Fdb::restore(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t seen_s) {
  const Adjacency* const adjacency = tables_.adjacency(exit);
  if (adjacency == nullptr || adjacency->bridge != bridge || !adjacency->vlan.carries(vlan_of(key))) return false;
  if (adjacency->fabric) return false;
  const auto state = bridges_.find(bridge);
  // A fabric would be told that it has moved here, and it may have moved away since: frames of it will tell.
  if (state->second.is_watched) return false;
  const Limit* const limit = limit_of(exit);
  const bool full = is_full(state->second) || (limit != nullptr && limit->macs >= limit->max_macs);
  if (full || (key & kMacMask) == 0 || table_->find(bridge, key) != kNoSlot) return false;
  const bool bound = homes_.contains({bridge, key & kMacMask});
  if (bound ? home_of(bridge, key, exit) != exit : adjacency->bound) return false;
  count_at(exit, +1);
  insert(bridge, key, exit, seen_s);
  return true;
}

void Fdb::add_static(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit) {
  bound_.erase({bridge, key});
  const uint32_t index = table_->find(bridge, key);
  if (index != kNoSlot) {
    const AdjacencyIndex before = table_->slot(index).exit.load(std::memory_order_relaxed);
    count_at(before, -1);
    if (is_of_fabric(before)) --bridges_[bridge].fabric_macs;
    table_->slot(index).exit.store(exit | kFdbStatic, std::memory_order_relaxed);
    tables_.changed();
    note_change(bridge, key);
    return;
  }
  insert(bridge, key, exit | kFdbStatic, 0);
}

bool Fdb::place(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, bool sticky) {
  if (home_of(bridge, key, exit) != exit) return false;  // bound to ports here, be it learnt or not
  const AdjacencyIndex now = exit | (sticky ? kFdbStatic : 0);
  const uint32_t index = table_->find(bridge, key);
  if (index == kNoSlot) {
    insert(bridge, key, now, 0);
    return true;
  }
  FdbSlot& slot = table_->slot(index);
  const AdjacencyIndex before = slot.exit.load(std::memory_order_relaxed);
  const bool was_placed = is_of_fabric(before);
  if (!was_placed && (before & kFdbStatic) != 0) return false;
  if (before == now) return true;
  BridgeState& state = bridges_.at(bridge);
  if (!was_placed) {
    count_at(before, -1);
    ++state.fabric_macs;
  }
  slot.exit.store(now, std::memory_order_relaxed);
  tables_.changed();
  const AdjacencyIndex from = before & ~kFdbStatic;
  if (from != exit) {
    ++state.moves;
    hooks_.moved(bridge, key, from, exit);
  }
  note_change(bridge, key);
  return true;
}

void Fdb::remove_placed(BridgeIndex bridge, const std::vector<MacVlan>& keys) {
  std::vector<uint32_t> slots;
  for (const MacVlan key : keys) {
    const uint32_t index = table_->find(bridge, key);
    if (index != kNoSlot && is_of_fabric(table_->slot(index).exit.load(std::memory_order_relaxed))) {
      slots.push_back(index);
    }
  }
  free_slots(std::move(slots));
}

void Fdb::insert(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t now_s) {
  if ((used_ + 1) * 2 > table_->capacity()) grow();
  bool was_empty = false;
  table_->insert(bridge, key, exit, now_s, was_empty);
  used_ += was_empty ? 1 : 0;
  ++entries_;
  BridgeState& state = bridges_[bridge];
  ++state.macs;
  if (is_of_fabric(exit)) ++state.fabric_macs;
  note_change(bridge, key);
}

// A larger table, or one of the same size without the slots that were freed. What workers remember of the
// old one they look up again.
void Fdb::grow() {
  auto next = std::make_shared<FdbTable>(std::max(kFirstSlots, std::bit_ceil((entries_ + 1) * 3)), seed_);
  used_ = 0;
  for (uint32_t i = 0; i < table_->capacity(); ++i) {
    const FdbSlot& slot = table_->slot(i);
    const MacVlan key = slot.key.load(std::memory_order_relaxed);
    if (!is_entry(key)) continue;
    bool was_empty = false;
    next->insert(slot.bridge.load(std::memory_order_relaxed), key, slot.exit.load(std::memory_order_relaxed),
                 slot.seen_s.load(std::memory_order_relaxed), was_empty);
    ++used_;
  }
  ++generation_;
  publish(std::move(next));
}

// The old table goes when neither workers nor cursors read it any more.
void Fdb::publish(std::shared_ptr<FdbTable> next) {
  tables_.changed();
  tables_.fdb.store(next.get(), std::memory_order_release);
  publisher_.after_grace([old = std::exchange(table_, std::move(next))] {});
}

void Fdb::free_slots(std::vector<uint32_t> slots) {
  if (slots.empty()) return;
  for (const uint32_t index : slots) {
    const FdbSlot& slot = table_->slot(index);
    const BridgeIndex bridge = slot.bridge.load(std::memory_order_relaxed);
    const MacVlan key = slot.key.load(std::memory_order_relaxed);
    const AdjacencyIndex exit = slot.exit.load(std::memory_order_relaxed);
    if (const auto state = bridges_.find(bridge); state != bridges_.end()) {
      --state->second.macs;
      if (is_of_fabric(exit)) --state->second.fabric_macs;
    }
    count_at(exit, -1);
    --entries_;
    table_->free(index);
    note_change(bridge, key);
  }
  tables_.changed();
  publisher_.after_grace([this, generation = generation_, slots = std::move(slots)] {
    if (generation != generation_) return;  // that table is gone
    for (const uint32_t index : slots) used_ -= table_->reclaim(index);
  });
}

std::optional<Fdb::Entry> Fdb::find(BridgeIndex bridge, MacVlan key) const {
  const uint32_t index = table_->find(bridge, key);
  return index != kNoSlot ? std::optional(entry_at(index, 0)) : std::nullopt;
}

void Fdb::touch(BridgeIndex bridge, MacVlan key, uint16_t now_s) {
  const uint32_t index = table_->find(bridge, key);
  if (index != kNoSlot) table_->slot(index).seen_s.store(now_s, std::memory_order_relaxed);
}

bool Fdb::remove(BridgeIndex bridge, MacVlan key) {
  const uint32_t index = table_->find(bridge, key);
  if (index == kNoSlot) return false;
  free_slots({index});
  return true;
}

size_t Fdb::remove_if(const std::function<bool(const Entry&)>& matches) {
  std::vector<uint32_t> slots;
  for (uint32_t i = 0; i < table_->capacity(); ++i) {
    if (is_entry(table_->slot(i).key.load(std::memory_order_relaxed)) && matches(entry_at(i, 0))) slots.push_back(i);
  }
  const size_t count = slots.size();
  free_slots(std::move(slots));
  return count;
}

void Fdb::age(uint16_t now_s) {
  std::vector<uint32_t> slots;
  const uint32_t count = std::max(kFirstSlots, table_->capacity() / kAgeSlices);
  for (uint32_t n = 0; n < count; ++n, ++age_cursor_) {
    const uint32_t i = age_cursor_ & (table_->capacity() - 1);
    if (!is_entry(table_->slot(i).key.load(std::memory_order_relaxed))) continue;
    const Entry entry = entry_at(i, now_s);
    BridgeState& state = bridges_.at(entry.bridge);
    if (!entry.is_learnt() || state.ageing_s == 0 || entry.age_s < state.ageing_s) continue;
    ++state.expired;
    slots.push_back(i);
  }
  free_slots(std::move(slots));
}

void Fdb::for_each(uint16_t now_s, const std::function<void(const Entry&)>& visit) const {
  for (uint32_t i = 0; i < table_->capacity(); ++i) {
    if (is_entry(table_->slot(i).key.load(std::memory_order_relaxed))) visit(entry_at(i, now_s));
  }
}

Fdb::Cursor Fdb::begin() const {
  Cursor cursor;
  cursor.table_ = table_;
  return cursor;
}

bool Fdb::visit_next(Cursor& cursor, uint32_t slots, uint16_t now_s,
                     const std::function<void(const Entry&)>& visit) const {
  const uint32_t capacity = cursor.table_->capacity();
  const uint32_t end = cursor.next_ + std::min(slots, capacity - cursor.next_);
  for (; cursor.next_ < end; ++cursor.next_) {
    const FdbSlot& slot = cursor.table_->slot(cursor.next_);
    const MacVlan key = slot.key.load(std::memory_order_relaxed);
    if (!is_entry(key)) continue;
    // In a table that has been replaced it says only what to look for.
    const uint32_t now_at =
        cursor.table_ == table_ ? cursor.next_ : table_->find(slot.bridge.load(std::memory_order_relaxed), key);
    if (now_at != kNoSlot) visit(entry_at(now_at, now_s));
  }
  return end < capacity;
}

}  // namespace causeway
