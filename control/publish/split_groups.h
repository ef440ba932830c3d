// The numbers that workers know split-horizon groups by. A group has one as long as somebody is in it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "dataplane/flow/adjacency.h"
#include "pmd/error.h"

namespace causeway {

class SplitGroups {
 public:
  SplitGroups() = default;
  SplitGroups(const SplitGroups&) = delete;  // memberships point into it
  SplitGroups& operator=(const SplitGroups&) = delete;

  // Who holds it is in the group. Gone before the SplitGroups that it is of.
  using Membership = std::shared_ptr<const SplitGroup>;

  // `name`: as config::split_group_of says it. Fails, and leaves `membership` alone, where all numbers are taken.
  Error join(const std::optional<std::string>& name, Membership& membership);

 private:
  struct Group {
    SplitGroup number = kNoSplitGroup;
    std::weak_ptr<const SplitGroup> members{};
  };
  void forget(const std::string& name);

  std::map<std::string, Group> groups_;
  std::set<SplitGroup> taken_;
  SplitGroup last_ = kNoSplitGroup;  // dealt
};

// kNoSplitGroup: in none.
inline SplitGroup number_of(const SplitGroups::Membership& membership) {
  return membership != nullptr ? *membership : kNoSplitGroup;
}

}  // namespace causeway
