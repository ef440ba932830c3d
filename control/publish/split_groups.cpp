#include "control/publish/split_groups.h"

#include <fmt/format.h>

namespace causeway {

Error SplitGroups::join(const std::optional<std::string>& name, Membership& membership) {
  constexpr size_t kMost = UINT16_MAX;
  if (!name) {
    membership.reset();
    return {};
  }
  if (const auto known = groups_.find(*name); known != groups_.end()) {
    membership = known->second.members.lock();
    return {};
  }
  if (taken_.size() == kMost) return fmt::format("no more than {} split-horizon groups", kMost);
  // Not one that was given back just now: workers may still see it at its former members.
  do {
    ++last_;
  } while (last_ == kNoSplitGroup || taken_.contains(last_));
  taken_.insert(last_);
  Group& group = groups_[*name];
  group.number = last_;
  const Membership first(&group.number, [this, name = *name](const SplitGroup*) { forget(name); });
  group.members = first;
  membership = first;
  return {};
}

void SplitGroups::forget(const std::string& name) {
  const auto group = groups_.find(name);
  taken_.erase(group->second.number);
  groups_.erase(group);
}

}  // namespace causeway
