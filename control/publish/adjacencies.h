// Who owns which adjacency index, and which split-horizon groups adjacencies are of.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/publish/publisher.h"
#include "control/publish/split_groups.h"
#include "dataplane/flow/tables.h"

namespace causeway {

class Adjacencies {
 public:
  struct Owner {
    std::string interface;            // port or tunnel; empty: free
    std::optional<IpAddress> remote;  // of a tunnel
  };

  Adjacencies(Tables& tables, Publisher& publisher) : tables_(tables), publisher_(publisher), owners_(1) {}
  ~Adjacencies();

  // kNoAdjacency when all are taken.
  AdjacencyIndex allocate(Owner owner);
  void publish(std::unique_ptr<Adjacency> adjacency);
  // Frames on their way to it die as port_down; its index is free again after recycle().
  void release(AdjacencyIndex index);

  // The indices released since the last call; the caller makes the FDB forget them, then calls recycle.
  std::vector<AdjacencyIndex> take_released() { return std::exchange(released_, {}); }
  void recycle(std::vector<AdjacencyIndex> forgotten);

  const Adjacency* get(AdjacencyIndex index) const { return tables_.adjacency(index); }
  const Owner& owner(AdjacencyIndex index) const { return owners_.at(index); }
  void set_remote(AdjacencyIndex index, const IpAddress& remote) { owners_.at(index).remote = remote; }

  SplitGroups& split_groups() { return split_groups_; }

 private:
  Tables& tables_;
  Publisher& publisher_;
  std::vector<Owner> owners_;  // by index; index 0 is nobody
  std::vector<AdjacencyIndex> free_;
  std::vector<AdjacencyIndex> released_;
  SplitGroups split_groups_;
};

}  // namespace causeway
