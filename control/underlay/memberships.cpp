#include "control/underlay/memberships.h"

#include "dataplane/wire/link_local.h"

#include <algorithm>

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kRobustness = 2;          // RFC 3376 section 8.1: a change is told so often
constexpr auto kUnsolicitedInterval = 1s;    // section 8.11
constexpr auto kOlderQuerierPresent = 260s;  // section 8.12: robustness * 125 s + 10 s

}  // namespace

Memberships::Memberships(Underlay& underlay, Hooks hooks)
    : underlay_(underlay), hooks_(std::move(hooks)), random_(std::random_device{}()) {}

Memberships::Querier Memberships::querier(PortIndex port, bool ipv6) const {
  const auto found = queriers_.find({port, ipv6});
  return found == queriers_.end() ? Querier{} : found->second;
}

Memberships::Clock::duration Memberships::random_delay(Clock::duration longest) {
  std::uniform_int_distribution<Clock::rep> delay(0, longest.count());
  return Clock::duration(delay(random_));
}

void Memberships::join(PortIndex port, const IpAddress& group) {
  Group& own = groups_[{port, group}];
  if (++own.users != 1) return;
  own = {1, underlay_.is_host(port) ? 0 : kRobustness, Clock::now(), {}};
  if (underlay_.is_host(port)) hooks_.join_as_host(port, group);
  underlay_.join(port, group);
  hooks_.changed(port);
}

void Memberships::leave(PortIndex port, const IpAddress& group) {
  const auto found = groups_.find({port, group});
  if (found == groups_.end() || --found->second.users != 0) return;
  found->second = {0, underlay_.is_host(port) ? 0 : kRobustness, Clock::now(), {}};
  if (underlay_.is_host(port)) hooks_.leave_as_host(port, group);
  underlay_.leave(port, group);
  hooks_.changed(port);
}

void Memberships::remove_port(PortIndex port) {
  std::erase_if(groups_, [port](const auto& item) { return item.first.first == port; });
  std::erase_if(queriers_, [port](const auto& item) { return item.first.first == port; });
}

void Memberships::leave_all() {
  const auto now = Clock::now();
  for (auto& [key, group] : groups_) group = {0, underlay_.is_host(key.first) ? 0U : 1U, now, {}};
  tick(now);
}

bool Memberships::receive(PortIndex port, const rte_mbuf* frame) {
  const auto query = read_membership_query(frame);
  if (!query) return false;
  const auto now = Clock::now();
  Querier& querier = queriers_[{port, query->ipv6}];
  querier.address = query->querier;
  if (query->old) querier.old_until = now + kOlderQuerierPresent;
  if (underlay_.is_host(port)) return true;
  // One report answers for all groups, if the querier knows such reports.
  const auto together = now + random_delay(query->max_response);
  for (auto& [key, group] : groups_) {
    if (key.first != port || key.second.is_v6() != query->ipv6 || group.users == 0) continue;
    if (query->group && *query->group != key.second) continue;
    const auto due = querier.old(now) ? now + random_delay(query->max_response) : together;
    group.answer = group.answer ? std::min(*group.answer, due) : due;
  }
  return true;
}

void Memberships::tick(Clock::time_point now) {
  std::map<std::pair<PortIndex, bool>, std::vector<MembershipRecord>> due;
  for (auto& [key, group] : groups_) {
    auto& records = due[{key.first, key.second.is_v6()}];
    if (group.changes_left != 0 && group.next_change <= now) {
      records.push_back({group.users != 0 ? kRecordToExclude : kRecordToInclude, key.second});
      group.next_change = now + random_delay(kUnsolicitedInterval);
      --group.changes_left;
    } else if (group.answer && *group.answer <= now) {
      records.push_back({kRecordIsExclude, key.second});
      group.answer.reset();
    }
  }
  std::erase_if(groups_, [](const auto& item) { return item.second.users == 0 && item.second.changes_left == 0; });
  for (const auto& [key, records] : due) report(key.first, records, now);
}

namespace {

// Where MLD is spoken from (RFC 3810 section 5.2.13).
IpAddress link_local_of(const Underlay::Port& underlay) {
  for (const IpPrefix& own : underlay.addresses) {
    if (is_link_local(own.address)) return own.address;
  }
  return link_local_address(underlay.mac);
}

}  // namespace

void Memberships::report(PortIndex port, const std::vector<MembershipRecord>& records, Clock::time_point now) {
  const Underlay::Port* const underlay = underlay_.find(port);
  if (records.empty() || underlay == nullptr) return;
  const IpAddress& first = records.front().group;
  const bool ipv6 = first.is_v6();
  MembershipSender sender{underlay->mac, link_local_of(*underlay)};
  if (!ipv6) sender.address = underlay_.source_for(port, first).value_or(IpAddress::v4(0, 0, 0, 0));
  const bool old = querier(port, ipv6).old(now);
  const size_t in_one = old ? 1 : kMembershipRecords;
  for (size_t i = 0; i < records.size(); i += in_one) {
    rte_mbuf* const frame = hooks_.make_frame();
    if (frame == nullptr) return;
    if (old) {
      write_old_membership_report(frame, sender, records[i]);
    } else {
      write_membership_report(frame, sender, std::span(records).subspan(i, std::min(in_one, records.size() - i)));
    }
    hooks_.send(port, frame);
  }
}

}  // namespace causeway
