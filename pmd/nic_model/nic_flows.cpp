#include "pmd/nic_model/nic_flows.h"

#include "pmd/ethdev/rte_flow_rule.h"

namespace causeway {
namespace {

// Bytes of the header that spec and mask of an item start with; 0: not known here.
uint32_t header_bytes(rte_flow_item_type type) {
  switch (type) {
    case RTE_FLOW_ITEM_TYPE_ETH:
      return 14;
    case RTE_FLOW_ITEM_TYPE_IPV4:
      return 20;
    case RTE_FLOW_ITEM_TYPE_IPV6:
      return 40;
    case RTE_FLOW_ITEM_TYPE_UDP:
    case RTE_FLOW_ITEM_TYPE_VXLAN:
    case RTE_FLOW_ITEM_TYPE_GENEVE:
      return 8;
    case RTE_FLOW_ITEM_TYPE_GRE:
    case RTE_FLOW_ITEM_TYPE_GRE_KEY:
      return 4;
    default:
      return 0;
  }
}

bool is_tagged(const NicBytes& frame, uint32_t ethernet) {
  const uint32_t type = frame.get16(ethernet + 12);
  return type == 0x8100 || type == 0x88a8;
}

// The headers of an encapsulation, from its items.
std::vector<uint8_t> defined_by(const rte_flow_item* items) {
  std::vector<uint8_t> headers;
  for (; items->type != RTE_FLOW_ITEM_TYPE_END; ++items) {
    const auto* const from = static_cast<const uint8_t*>(items->spec);
    headers.insert(headers.end(), from, from + header_bytes(items->type));
  }
  return headers;
}

// Holds the lock for its own lifetime.
class Guard {
 public:
  explicit Guard(rte_spinlock_t& lock) : lock_(lock) { rte_spinlock_lock(&lock_); }
  ~Guard() { rte_spinlock_unlock(&lock_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  rte_spinlock_t& lock_;
};

// A walk over a frame's headers, item by item.
struct Walk {
  const NicBytes& frame;
  uint32_t at = 0;
  uint32_t next = 0;  // EtherType or IP protocol of what stands at `at`
  uint32_t gre = 0;   // where the GRE header stands

  // Where the header of that type is; nothing: another one is there. Steps behind it.
  std::optional<uint32_t> header(rte_flow_item_type type) {
    const uint32_t here = at;
    switch (type) {
      case RTE_FLOW_ITEM_TYPE_ETH:
        return step(here, 14, frame.get16(here + 12));
      case RTE_FLOW_ITEM_TYPE_IPV4:
        if (next != 0x0800) return std::nullopt;
        return step(here, (frame.get8(here) & 0xf) * 4, frame.get8(here + 9));
      case RTE_FLOW_ITEM_TYPE_IPV6:
        if (next != 0x86dd) return std::nullopt;
        return step(here, 40, frame.get8(here + 6));
      case RTE_FLOW_ITEM_TYPE_UDP:
        if (next != 17) return std::nullopt;
        return step(here, 8, 0);
      case RTE_FLOW_ITEM_TYPE_VXLAN:
        return step(here, 8, 0);
      case RTE_FLOW_ITEM_TYPE_GENEVE:
        return step(here, 8 + (frame.get8(here) & 0x3f) * 4, 0);
      case RTE_FLOW_ITEM_TYPE_GRE:
        if (next != 47) return std::nullopt;
        gre = here;
        return step(here, 4 + 4 * (bit(here, 0x80) + bit(here, 0x20) + bit(here, 0x10)), 0);
      case RTE_FLOW_ITEM_TYPE_GRE_KEY:
        if (bit(gre, 0x20) == 0) return std::nullopt;
        return gre + 4 + 4 * bit(gre, 0x80);
      default:
        return std::nullopt;
    }
  }

 private:
  uint32_t bit(uint32_t offset, uint32_t mask) const { return (frame.get8(offset) & mask) != 0 ? 1 : 0; }
  std::optional<uint32_t> step(uint32_t here, uint32_t bytes, uint32_t behind) {
    at = here + bytes;
    next = behind;
    return at <= frame.size() ? std::optional(here) : std::nullopt;
  }
};

}  // namespace

FlowRules::Handle NicFlows::install(const FlowRule& rule, std::string& error) {
  const RteFlowRule flow(rule);
  return create(flow.pattern(), flow.actions(), error);
}

FlowRules::Handle NicFlows::install(const SwitchRule& rule, std::string& error) {
  const RteFlowRule flow(rule);
  return create(flow.pattern(), flow.actions(), error);
}

bool NicFlows::read_pattern(const rte_flow_item* pattern, Shape& shape, std::string& bytes, std::string& error) const {
  for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; ++pattern) {
    if (pattern->type == RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT) {
      if (static_cast<const rte_flow_item_ethdev*>(pattern->spec)->port_id == switch_port_) continue;
      error = "the model asks this of another port";
      return false;
    }
    const uint32_t size = header_bytes(pattern->type);
    if (size == 0 || pattern->last != nullptr || (pattern->spec == nullptr) != (pattern->mask == nullptr)) {
      error = "the model doesn't know this pattern item";
      return false;
    }
    Item item{pattern->type, std::vector<uint8_t>(size)};
    const auto* spec = static_cast<const uint8_t*>(pattern->spec);
    const auto* mask = static_cast<const uint8_t*>(pattern->mask);
    for (uint32_t i = 0; i < size; ++i) {
      if (mask != nullptr) item.mask[i] = mask[i];
      bytes.push_back(static_cast<char>(mask != nullptr ? spec[i] & mask[i] : 0));
    }
    if (pattern->type == RTE_FLOW_ITEM_TYPE_ETH && mask != nullptr) {
      item.tells_vlan = static_cast<const rte_flow_item_eth*>(pattern->mask)->has_vlan != 0;
      if (item.tells_vlan) bytes.push_back(static_cast<const rte_flow_item_eth*>(pattern->spec)->has_vlan != 0 ? 1 : 0);
    }
    shape.push_back(std::move(item));
  }
  return true;
}

bool NicFlows::lacks(NicFeature feature, const char* action, std::string& error) const {
  if (!settings_.without.has(feature)) return false;
  error = std::string("the model can't do ") + action;
  return true;
}

bool NicFlows::read_action(const rte_flow_action& action, Flow& flow, std::string& error) const {
  switch (action.type) {
    case RTE_FLOW_ACTION_TYPE_MARK:
      flow.mark = static_cast<const rte_flow_action_mark*>(action.conf)->id;
      return !lacks(NicFeature::flow_mark, "MARK", error);
    case RTE_FLOW_ACTION_TYPE_COUNT:
      flow.counted = true;
      return !lacks(NicFeature::flow_count, "COUNT", error);
    case RTE_FLOW_ACTION_TYPE_RSS: {
      const auto* rss = static_cast<const rte_flow_action_rss*>(action.conf);
      flow.queues.assign(rss->queue, rss->queue + rss->queue_num);
      flow.spread = rss->level == 2;
      return !lacks(NicFeature::flow_rss, "RSS", error);
    }
    case RTE_FLOW_ACTION_TYPE_QUEUE:
      flow.queues = {static_cast<const rte_flow_action_queue*>(action.conf)->index};
      return true;
    case RTE_FLOW_ACTION_TYPE_VXLAN_DECAP:
      flow.strip_outer = !settings_.misreport.has(NicFeature::vxlan_decap);
      return !lacks(NicFeature::vxlan_decap, "VXLAN_DECAP", error);
    case RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP:
      flow.prepend = defined_by(static_cast<const rte_flow_action_vxlan_encap*>(action.conf)->definition);
      if (settings_.misreport.has(NicFeature::vxlan_encap)) flow.prepend.clear();
      return !lacks(NicFeature::vxlan_encap, "VXLAN_ENCAP", error);
    case RTE_FLOW_ACTION_TYPE_RAW_DECAP: {
      const auto* raw = static_cast<const rte_flow_action_raw_decap*>(action.conf);
      flow.strip_bytes = settings_.misreport.has(NicFeature::raw_decap) ? 0 : static_cast<uint32_t>(raw->size);
      return !lacks(NicFeature::raw_decap, "RAW_DECAP", error);
    }
    case RTE_FLOW_ACTION_TYPE_RAW_ENCAP: {
      const auto* raw = static_cast<const rte_flow_action_raw_encap*>(action.conf);
      if (!settings_.misreport.has(NicFeature::raw_encap)) flow.prepend.assign(raw->data, raw->data + raw->size);
      return !lacks(NicFeature::raw_encap, "RAW_ENCAP", error);
    }
    case RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT:
      flow.to = static_cast<const rte_flow_action_ethdev*>(action.conf)->port_id;
      return true;
    default:
      error = "the model doesn't know this action";
      return false;
  }
}

bool NicFlows::read_actions(const rte_flow_action* actions, Flow& flow, std::string& error) const {
  for (; actions->type != RTE_FLOW_ACTION_TYPE_END; ++actions) {
    if (!read_action(*actions, flow, error)) return false;
  }
  if (flow.queues.empty() && !flow.to) error = "no action says where the frame goes";
  return error.empty();
}

FlowRules::Handle NicFlows::create(const rte_flow_item* pattern, const rte_flow_action* actions, std::string& error) {
  check_thread();
  Shape shape;
  auto flow = std::make_unique<Flow>();
  if (!read_pattern(pattern, shape, flow->bytes, error) || !read_actions(actions, *flow, error)) return nullptr;
  const Guard guard(lock_);
  if (installed_ == settings_.flow_rules) {
    error = "the model's table is full";
    return nullptr;
  }
  const auto of_shape = flows_.try_emplace(std::move(shape)).first;
  flow->shape = &of_shape->first;
  const auto [place, is_new] = of_shape->second.try_emplace(flow->bytes);
  if (!is_new) {
    error = "a rule with this pattern exists";
    return nullptr;
  }
  ++installed_;
  place->second = std::move(flow);
  return place->second.get();
}

void NicFlows::remove(Handle handle) {
  check_thread();
  const Guard guard(lock_);
  const auto* const flow = static_cast<const Flow*>(handle);
  const auto of_shape = flows_.find(*flow->shape);
  of_shape->second.erase(std::string(flow->bytes));
  if (of_shape->second.empty()) flows_.erase(of_shape);
  --installed_;
}

bool NicFlows::count(Handle handle, FlowCount& count) {
  check_thread();
  const Guard guard(lock_);
  const auto* const flow = static_cast<const Flow*>(handle);
  count = flow->count;
  return flow->counted;
}

bool NicFlows::extract(const NicBytes& frame, const Shape& shape, std::string& bytes, uint32_t& end,
                       uint32_t& ethernet) {
  Walk walk{frame};
  for (const Item& item : shape) {
    const std::optional<uint32_t> header = walk.header(item.type);
    if (!header) return false;
    for (uint32_t i = 0; i < item.mask.size(); ++i) {
      bytes.push_back(static_cast<char>(frame.get8(*header + i) & item.mask[i]));
    }
    if (item.tells_vlan) bytes.push_back(is_tagged(frame, *header) ? 1 : 0);
    if (item.type == RTE_FLOW_ITEM_TYPE_ETH) ethernet = *header;
  }
  end = walk.at;
  return true;
}

std::optional<NicFlows::Verdict> NicFlows::classify(const NicBytes& frame) {
  const Guard guard(lock_);
  for (const auto& [shape, flows] : flows_) {
    std::string bytes;
    uint32_t end = 0;
    uint32_t ethernet = 0;
    if (!extract(frame, shape, bytes, end, ethernet)) continue;
    const auto found = flows.find(bytes);
    if (found == flows.end()) continue;
    Flow& flow = *found->second;
    if (flow.counted && !settings_.misreport.has(NicFeature::flow_count)) {
      ++flow.count.packets;
      flow.count.bytes += frame.size();
    }
    Verdict verdict{flow.mark,    flow.queues, flow.spread ? end : 0, flow.strip_outer ? ethernet : flow.strip_bytes,
                    flow.prepend, flow.to};
    if (verdict.mark && settings_.misreport.has(NicFeature::flow_mark)) ++*verdict.mark;
    if (settings_.misreport.has(NicFeature::flow_rss)) verdict.queues.resize(1);
    return verdict;
  }
  return std::nullopt;
}

}  // namespace causeway
