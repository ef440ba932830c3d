// A change that goes back by itself unless somebody confirms it in time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "control/change/configuration.h"

namespace causeway {

// Kept in the state directory as long as a change awaits its confirmation: a start finds it there if the daemon has
// ended meanwhile.
struct Unconfirmed {
  static constexpr const char* kFile = "unconfirmed";

  std::string change;  // which one: "apply new.yaml, 2026-01-31T12:00:00Z"
  std::string yaml;    // what ran before it, as a file
};
std::string text_of(const Unconfirmed& unconfirmed);
// What text_of() made; nullopt: something else.
std::optional<Unconfirmed> read_unconfirmed(std::string_view text);

class Confirmation {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPause{10};  // before another try to go back

  // A change was made. If an earlier one awaits its confirmation still, it is the one that is gone back behind.
  void await(Version before, std::string change, Clock::time_point until);
  bool awaited() const noexcept { return before_.config != nullptr; }
  void end() { *this = {}; }

  const Version& before() const noexcept { return before_; }
  const std::string& change() const noexcept { return change_; }
  // How long it may still be confirmed; zero: it is to go back.
  std::chrono::nanoseconds left(Clock::time_point now) const;
  // It couldn't go back.
  void try_later(Clock::time_point now) { until_ = now + kPause; }

 private:
  Version before_;
  std::string change_;
  Clock::time_point until_{};
};

}  // namespace causeway
