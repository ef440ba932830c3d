#include "control/publish/adjacencies.h"

namespace causeway {

Adjacencies::~Adjacencies() {
  for (AdjacencyIndex i = 1; i < owners_.size(); ++i) publisher_.publish<Adjacency>(tables_.adjacencies[i], nullptr);
}

AdjacencyIndex Adjacencies::allocate(Owner owner) {
  if (!free_.empty()) {
    const AdjacencyIndex index = free_.back();
    free_.pop_back();
    owners_[index] = std::move(owner);
    return index;
  }
  if (owners_.size() == kMaxAdjacencies) return kNoAdjacency;
  owners_.push_back(std::move(owner));
  return static_cast<AdjacencyIndex>(owners_.size() - 1);
}

void Adjacencies::publish(std::unique_ptr<Adjacency> adjacency) {
  const AdjacencyIndex index = adjacency->index;
  adjacency->usual = is_usual(*adjacency);
  publisher_.publish<Adjacency>(tables_.adjacencies[index], std::move(adjacency));
}

void Adjacencies::release(AdjacencyIndex index) {
  publisher_.publish<Adjacency>(tables_.adjacencies[index], nullptr);
  owners_[index] = {};
  released_.push_back(index);
}

void Adjacencies::recycle(std::vector<AdjacencyIndex> forgotten) {
  if (forgotten.empty()) return;
  publisher_.after_grace(
      [this, forgotten = std::move(forgotten)] { free_.insert(free_.end(), forgotten.begin(), forgotten.end()); });
}

}  // namespace causeway
