#include "control/doctor/recent_drops.h"

#include <fmt/format.h>

#include "control/view/drop_examples.h"
#include "control/view/traffic.h"

namespace causeway {

std::string RecentDrop::text(const char* field) const {
  const auto found = example.find(field);
  if (found == example.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string RecentDrop::seen() const {
  static constexpr std::pair<const char*, const char*> kWords[] = {
      {"mac", "MAC"},           {"vlan", "VLAN"}, {"source", "from"}, {"destination", "to"},
      {"udp_port", "UDP port"}, {"vni", "VNI"},   {"key", "key"},     {"inner_mac", "inner MAC"}};
  std::string words = fmt::format("{} {} so far, the last {} s ago at {}:", count, count == 1 ? "frame" : "frames",
                                  age_s, text("port"));
  for (const auto& [field, word] : kWords) {
    if (example.contains(field)) words += fmt::format(" {} {}", word, text(field));
  }
  return words;
}

RecentDrops::RecentDrops(const Gateway& gateway) {
  const LastDrops::Clock::time_point now = LastDrops::Clock::now();
  const auto totals = drop_totals(gateway);
  const nlohmann::json examples = drop_examples(gateway);
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    const LastDrops::Drop* const last = gateway.last_drops().of(static_cast<DropReason>(reason));
    if (last == nullptr) continue;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - last->time);
    if (age > RecentDrop::kRecent) continue;
    drops_.at(reason) = {totals.at(reason), examples.at(kDropReasonText.at(reason).name), age.count()};
  }
}

}  // namespace causeway
