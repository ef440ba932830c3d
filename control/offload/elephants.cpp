#include "control/offload/elephants.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

namespace causeway {
namespace {

constexpr std::chrono::seconds kPatience{10};  // with who asks for the largest flows, and with a flow among them
constexpr size_t kMostForgotten = 4096;        // a step

}  // namespace

SwitchRules* Elephants::rules_of(PortIndex port) const {
  const Ports::Record* const record = ports_.find(port);
  return record != nullptr && record->port != nullptr ? record->port->switch_rules() : nullptr;
}

// Some switch has an underlay and a bridge port.
bool Elephants::usable() const {
  std::set<std::string> underlays;
  std::set<std::string> bridged;
  for (const auto& [name, record] : ports_.all()) {
    if (record.port == nullptr || record.port->switch_rules() == nullptr) continue;
    (record.settings.is_underlay() ? underlays : bridged).insert(record.port->switch_port().domain);
  }
  return std::ranges::any_of(underlays, [&](const std::string& domain) { return bridged.contains(domain); });
}

void Elephants::sampled(const FlowKey& flow) {
  if (const auto known = samples_.find(flow); known != samples_.end()) {
    ++known->second;
  } else if (samples_.size() < limits_.candidates) {
    samples_.emplace(flow, 1);
  }
  if (watching_) watch_sample(flow);
}

void Elephants::watch_sample(const FlowKey& flow) {
  auto known = watched_at_.find(flow);
  if (known == watched_at_.end()) {
    if (watched_.size() >= limits_.candidates) return;
    known = watched_at_.emplace(flow, watched_.insert(watched_.end(), {.flow = flow})).first;
  }
  Watched& watched = *known->second;
  ++watched.samples;
  watched.last = now_;
  watched_.splice(watched_.end(), watched_, known->second);
}

// Those that have gone, or they would be the largest for as long as somebody asks.
void Elephants::forget_silent(Clock::time_point now) {
  for (size_t i = 0; i < kMostForgotten && !watched_.empty(); ++i) {
    if (now - watched_.front().last < kPatience) return;
    watched_at_.erase(watched_.front().flow);
    watched_.pop_front();
  }
}

void Elephants::watch(Clock::time_point now) {
  watching_ = true;
  now_ = now;
  watched_until_ = now + kPatience;
  tables_.sampling.store(true, std::memory_order_relaxed);
}

std::vector<Elephants::Large> Elephants::largest(size_t most) const {
  std::unordered_map<FlowKey, uint64_t, FlowKeyHash> packets;
  for (const Watched& watched : watched_) packets[watched.flow] = watched.samples * kSampledOneOf;
  for (const auto& [flow, rule] : rules_) packets[flow] += rule.counted.packets;
  std::vector<Large> all;
  all.reserve(packets.size());
  for (const auto& [flow, count] : packets) all.push_back({flow, count});
  const size_t kept = std::min(most, all.size());
  std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(kept), std::greater(), &Large::packets);
  all.resize(kept);
  return all;
}

void Elephants::reconcile() {
  const uint64_t changes = tables_.changes.load(std::memory_order_relaxed);
  if (!tables_.changes_pending() && changes == changes_) return;
  changes_ = changes;
  for (auto item = rules_.begin(); item != rules_.end();) {
    item = planner_.plan(item->first) == item->second.plan ? std::next(item) : remove(item);
  }
}

void Elephants::forget(PortIndex port) {
  for (auto item = rules_.begin(); item != rules_.end();) {
    const bool uses = item->second.plan.from == port || item->second.plan.to == port;
    item = uses ? remove(item) : std::next(item);
  }
  std::erase_if(refusals_, [&](const auto& item) { return std::get<PortIndex>(item.first) == port; });
  devices_.erase(port);
}

bool Elephants::count(Rule& rule) {
  SwitchRules* const rules = rules_of(rule.plan.from);
  FlowCount now;
  if (rules == nullptr || !rules->count(rule.handle, now)) return false;
  const uint64_t packets = now.packets - rule.counted.packets;
  const uint64_t bytes = now.bytes - rule.counted.bytes;  // as they came in
  rule.counted = now;
  if (packets == 0) return false;
  const bool decap = rule.plan.rule.decap;
  const uint64_t outer_bytes = packets * rule.plan.outer_bytes;
  const uint64_t inner = decap ? bytes - outer_bytes : bytes;
  SwitchedTraffic& from = ports_traffic_[rule.plan.from];
  SwitchedTraffic& to = ports_traffic_[rule.plan.to];
  SwitchedTraffic& tunnel = tunnels_traffic_[rule.plan.tunnel];
  from.rx_packets += packets;
  from.rx_bytes += bytes;
  to.tx_packets += packets;
  to.tx_bytes += decap ? inner : bytes + outer_bytes;
  (decap ? tunnel.rx_packets : tunnel.tx_packets) += packets;
  (decap ? tunnel.rx_bytes : tunnel.tx_bytes) += inner;
  devices_[rule.plan.from].frames += packets;
  return true;
}

// What it has counted until now is kept.
Elephants::Rules::iterator Elephants::remove(Rules::iterator rule) {
  count(rule->second);
  if (SwitchRules* const rules = rules_of(rule->second.plan.from)) rules->remove(rule->second.handle);
  --devices_[rule->second.plan.from].installed;
  return rules_.erase(rule);
}

void Elephants::step(Clock::time_point now, uint16_t now_s) {
  now_ = now;
  if (watching_ && now >= watched_until_) {
    watching_ = false;
    watched_.clear();
    watched_at_.clear();
  }
  forget_silent(now);
  tables_.sampling.store(usable() || watching_, std::memory_order_relaxed);
  reconcile();
  if (now - window_ < limits_.window) return;
  window_ = now;
  count_all(now, now_s);
  install_largest(now);
  samples_.clear();
}

// A source whose frames the switch carries is as alive as one that a worker hears.
void Elephants::count_all(Clock::time_point now, uint16_t now_s) {
  for (auto item = rules_.begin(); item != rules_.end();) {
    Rule& rule = item->second;
    if (count(rule)) {
      rule.moved = now;
      fdb_.touch(rule.plan.bridge, item->first.source(), now_s);
    }
    item = now - rule.moved >= limits_.idle ? remove(item) : std::next(item);
  }
}

void Elephants::install_largest(Clock::time_point now) {
  for (auto& [port, device] : devices_) device.refused.clear();
  std::vector<std::pair<uint32_t, FlowKey>> large;
  for (const auto& [flow, samples] : samples_) {
    if (samples >= limits_.samples && !rules_.contains(flow)) large.emplace_back(samples, flow);
  }
  std::ranges::sort(large, [](const auto& a, const auto& b) { return a.first > b.first; });
  size_t budget = limits_.changes;
  for (const auto& [samples, flow] : large) {
    const ElephantPlan plan = planner_.plan(flow);
    if (plan.from == kNoPort || rules_of(plan.from) == nullptr) continue;
    std::string refused = plan.refused;
    if (refused.empty() && budget == 0) refused = "waits for its turn";
    if (refused.empty()) {
      --budget;
      refused = install(flow, plan, now).text();
    }
    if (!refused.empty()) ++devices_[plan.from].refused[refused];
  }
}

Error Elephants::install(const FlowKey& flow, const ElephantPlan& plan, Clock::time_point now) {
  if (rules_of(plan.to) == nullptr) return "offloads.elephants: off where it leaves";
  Summary& device = devices_[plan.from];
  if (device.installed >= limits_.rules) return "no more rules";
  const Sort sort{plan.from, plan.rule.decap, plan.rule.tunnel.kind, plan.rule.tunnel.remote.is_v6()};
  const auto refusal = refusals_.find(sort);
  if (refusal != refusals_.end() && now - refusal->second.when < limits_.ask_again) return refusal->second.reason;
  std::string error;
  const DeviceRules::Handle handle = rules_of(plan.from)->install(plan.rule, error);
  if (handle == nullptr) {
    if (error.empty()) error = "refused without a reason";
    refusals_[sort] = {error, now};
    return error;
  }
  refusals_.erase(sort);
  ++device.installed;
  Rule& rule = rules_[flow];
  rule.plan = plan;
  rule.handle = handle;
  rule.moved = now;
  return {};
}

Elephants::Summary Elephants::summary(PortIndex port) const {
  const auto device = devices_.find(port);
  return device != devices_.end() ? device->second : Summary();
}

}  // namespace causeway
