// A reason that frames have died of in the last minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/gateway/gateway.h"

namespace causeway {

struct RecentDrop {
  static constexpr std::chrono::seconds kRecent{60};

  uint64_t count = 0;      // frames that died of it so far
  nlohmann::json example;  // the last one, as control/view/drop_examples.h has it
  int64_t age_s = 0;

  // A text or a number of the example; empty: it has none.
  std::string text(const char* field) const;
  // "17 frames so far, the last 3 s ago at up0: MAC ... from 172.31.0.2 ..."
  std::string seen() const;
};

std::optional<RecentDrop> recent_drop(const Gateway& gateway, DropReason reason);

}  // namespace causeway
