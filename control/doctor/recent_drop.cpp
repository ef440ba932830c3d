#include "control/doctor/recent_drop.h"

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

std::optional<RecentDrop> recent_drop(const Gateway& gateway, DropReason reason) {
  const LastDrops::Drop* const last = gateway.last_drops().of(reason);
  if (last == nullptr) return std::nullopt;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(LastDrops::Clock::now() - last->time);
  if (age > RecentDrop::kRecent) return std::nullopt;
  return RecentDrop{drop_totals(gateway).at(static_cast<size_t>(reason)), drop_example(gateway, reason), age.count()};
}

}  // namespace causeway
