// The flow engine of a modelled NIC: takes rules as an ethdev driver does, by rte_flow's pattern and actions, and
// finds a frame's rule by masked bytes of its headers. Knows nothing of our tunnels, and refuses what it doesn't know.
// Rules of the switch it finds likewise; what they ask for is pmd/nic_model/nic_switch.h's to do.
// Rules come from the thread that made it, the control thread, and from no other; frames from workers.
#pragma once

#include <rte_debug.h>
#include <rte_flow.h>
#include <rte_spinlock.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "pmd/flow_rules.h"
#include "pmd/nic_model/nic_bytes.h"
#include "pmd/nic_model_settings.h"
#include "pmd/switch_rules.h"

namespace causeway {

class NicFlows final : public FlowRules, public SwitchRules {
 public:
  // `switch_port` is what rules of the switch call this port.
  explicit NicFlows(const NicModelSettings& settings, uint16_t switch_port = 0)
      : settings_(settings), switch_port_(switch_port) {
    rte_spinlock_init(&lock_);
  }

  // What a rule says about a frame.
  struct Verdict {
    std::optional<uint32_t> mark;
    std::vector<uint16_t> queues;
    uint32_t inner = 0;  // where the headers start that it is spread by; 0: none
    // Of the switch: so many bytes off its front, these in front of it, and out of that port.
    uint32_t strip_bytes = 0;
    std::vector<uint8_t> prepend;
    std::optional<uint16_t> to;
  };

  Handle install(const FlowRule& rule, std::string& error) override;
  Handle install(const SwitchRule& rule, std::string& error) override;
  void remove(Handle handle) override;
  bool count(Handle handle, FlowCount& count) override;
  size_t size() const { return installed_; }

  // As a driver's; null and why.
  Handle create(const rte_flow_item* pattern, const rte_flow_action* actions, std::string& error);

  // Counts the frame, too.
  std::optional<Verdict> classify(const NicBytes& frame);

 private:
  // One pattern item: of which header, and what of it counts.
  struct Item {
    rte_flow_item_type type;
    std::vector<uint8_t> mask;
    bool tells_vlan = false;  // whether there is a VLAN tag counts, too
    auto operator<=>(const Item&) const = default;
  };
  using Shape = std::vector<Item>;
  struct Flow {
    const Shape* shape = nullptr;
    std::string bytes;  // what the masked headers must be
    std::optional<uint32_t> mark;
    bool counted = false;
    bool spread = false;
    std::vector<uint16_t> queues;
    bool strip_outer = false;  // all in front of the last Ethernet header,
    uint32_t strip_bytes = 0;  // or so much
    std::vector<uint8_t> prepend;
    std::optional<uint16_t> to;
    FlowCount count;
  };
  using FlowsOfShape = std::unordered_map<std::string, std::unique_ptr<Flow>>;

  void check_thread() const { RTE_VERIFY(std::this_thread::get_id() == owner_); }
  bool read_pattern(const rte_flow_item* pattern, Shape& shape, std::string& bytes, std::string& error) const;
  bool read_actions(const rte_flow_action* actions, Flow& flow, std::string& error) const;
  bool read_action(const rte_flow_action& action, Flow& flow, std::string& error) const;
  bool lacks(NicFeature feature, const char* action, std::string& error) const;
  // The masked bytes of a frame's headers, where the last one ends and where the last Ethernet header starts; false: it
  // has other headers.
  static bool extract(const NicBytes& frame, const Shape& shape, std::string& bytes, uint32_t& end, uint32_t& ethernet);

  NicModelSettings settings_;
  uint16_t switch_port_;
  const std::thread::id owner_ = std::this_thread::get_id();
  rte_spinlock_t lock_;
  size_t installed_ = 0;
  std::map<Shape, FlowsOfShape> flows_;
};

}  // namespace causeway
