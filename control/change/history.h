// The last changes of the configuration: who asked for what, when, and what became of it. Knows no gateway.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

// start: of the daemon. revert: what was not confirmed in time goes.
enum class ChangeVerb : uint8_t { start, apply, reload, set, rollback, confirm, revert, save };
std::string_view to_string(ChangeVerb verb);

struct Change {
  std::chrono::system_clock::time_point time{};
  uint64_t generation = 0;   // of what runs behind it
  std::optional<uid_t> uid;  // whose; none: the daemon's own
  std::string user;          // empty: not looked up yet
  ChangeVerb verb = ChangeVerb::start;
  std::string label;              // the file, or what was set
  size_t operations = 0;          // of the plan
  std::vector<std::string> plan;  // its first lines
  bool done = true;
  std::string note;  // why it was refused; until when it waits to be confirmed
};

// {time, generation, uid, user, verb, label, operations, plan, result: done or refused, note}; looks the user up, which
// may take long.
nlohmann::json json_of(const Change& change);
// 2026-01-31T12:00:00Z
std::string time_text(std::chrono::system_clock::time_point time);

class History {
 public:
  static constexpr size_t kMost = 100;
  static constexpr size_t kMostPlanLines = 20;   // of a change
  static constexpr size_t kMostTextBytes = 256;  // of a text

  // The oldest one goes, and what is too long is cut.
  void add(Change change);
  const std::deque<Change>& all() const noexcept { return changes_; }
  // A line of JSON each.
  std::string text() const;
  // What text() made; lines that are no such are left out, and counted.
  static History read(std::string_view text, size_t& strange);

 private:
  std::deque<Change> changes_;
};

}  // namespace causeway
