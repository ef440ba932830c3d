// Lines of the log about things that may happen often. One about an object is written at once, of its states a few;
// what more of the same kind happens to it in half a minute is one line at the end of that: "..., and 57 more like it".
// So are the objects beyond some of a kind. Costs what it costs to look the object up, whatever happens how often.
#pragma once

#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace causeway {

class LogLimit {
 public:
  using Clock = std::chrono::steady_clock;
  using Kind = uint8_t;
  using Level = spdlog::level::level_enum;
  static constexpr Kind kKinds = 16;
  static constexpr std::chrono::seconds kInterval{30};
  static constexpr std::chrono::seconds kOthersInterval{2};  // until the first word about objects that are too many
  static constexpr size_t kObjects = 20;                     // of a kind that have lines of their own
  static constexpr unsigned kStates = 4;                     // lines of an object's states in an interval, at once

  // Something has happened to an object. `text()` makes the line; it is called only if that is going to be written.
  template <class Text>
  void event(Level level, Kind kind, uint64_t object, const Text& text, Clock::time_point now = Clock::now()) {
    if (Entry* const known = find(kind, object)) {
      ++known->held;
      return;
    }
    begin(level, kind, object, text(), now);
  }
  // It is in another state. The line at the end is about the last one.
  template <class Text>
  void state(Level level, Kind kind, uint64_t object, const Text& text, Clock::time_point now = Clock::now()) {
    Entry* const known = find(kind, object);
    if (known == nullptr) return begin(level, kind, object, text(), now);
    if (known->others) {
      ++known->held;
    } else {
      change(*known, level, text());
    }
  }
  // Writes what was held back long enough. Called a few times a second.
  void tick(Clock::time_point now = Clock::now());

 private:
  struct Entry {
    Level level{};
    std::string text;
    uint64_t held = 0;
    unsigned states = 1;  // written in this interval
    Clock::time_point until{};
    bool others = false;  // stands for all objects beyond kObjects
  };
  using Key = std::pair<Kind, uint64_t>;

  Entry* find(Kind kind, uint64_t object);
  void begin(Level level, Kind kind, uint64_t object, std::string text, Clock::time_point now);
  static void change(Entry& entry, Level level, std::string text);

  std::map<Key, Entry> entries_;
  std::array<Entry, kKinds> others_{};
  std::array<size_t, kKinds> objects_{};
};

}  // namespace causeway
