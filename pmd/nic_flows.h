// The flow engine of a modelled NIC: takes rules as an ethdev driver does, by rte_flow's pattern and actions, and
// finds a frame's rule by masked bytes of its headers. Knows nothing of our tunnels, and refuses what it doesn't know.
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
#include "pmd/nic_bytes.h"
#include "pmd/nic_model_settings.h"

namespace causeway {

class NicFlows final : public FlowRules {
 public:
  explicit NicFlows(const NicModelSettings& settings) : settings_(settings) { rte_spinlock_init(&lock_); }

  // What a rule says about a frame.
  struct Verdict {
    std::optional<uint32_t> mark;
    std::vector<uint16_t> queues;
    uint32_t inner = 0;  // where the headers start that it is spread by; 0: none
  };

  Handle install(const FlowRule& rule, std::string& error) override;
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
    FlowCount count;
  };
  using FlowsOfShape = std::unordered_map<std::string, std::unique_ptr<Flow>>;

  void check_thread() const { RTE_VERIFY(std::this_thread::get_id() == owner_); }
  bool read_pattern(const rte_flow_item* pattern, Shape& shape, std::string& bytes, std::string& error) const;
  bool read_actions(const rte_flow_action* actions, Flow& flow, std::string& error) const;
  // The masked bytes of a frame's headers, and where the last one ends; false: it has other headers.
  static bool extract(const NicBytes& frame, const Shape& shape, std::string& bytes, uint32_t& end);

  NicModelSettings settings_;
  const std::thread::id owner_ = std::this_thread::get_id();
  rte_spinlock_t lock_;
  size_t installed_ = 0;
  std::map<Shape, FlowsOfShape> flows_;
};

}  // namespace causeway
