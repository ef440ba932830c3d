// The reasons that frames have died of in the last minute.
#pragma once

#include <array>
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

// Looked up once for all who examine: there may be ten thousand tunnels to ask about.
class RecentDrops {
 public:
  explicit RecentDrops(const Gateway& gateway);
  // Null: none died of it.
  const RecentDrop* of(DropReason reason) const {
    const auto& drop = drops_.at(static_cast<size_t>(reason));
    return drop ? &*drop : nullptr;
  }

 private:
  std::array<std::optional<RecentDrop>, kDropReasons> drops_;
};

}  // namespace causeway
