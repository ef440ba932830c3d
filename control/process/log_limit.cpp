#include "control/process/log_limit.h"

#include <fmt/format.h>

namespace causeway {
namespace {

void write(LogLimit::Level level, const std::string& text, uint64_t more) {
  if (more == 0) {
    spdlog::log(level, "{}", text);
  } else {
    spdlog::log(level, "{}, and {} more like it", text, more);
  }
}

}  // namespace

LogLimit::Entry* LogLimit::find(Kind kind, uint64_t object) {
  if (const auto found = entries_.find({kind, object}); found != entries_.end()) return &found->second;
  return objects_.at(kind) == kObjects && others_.at(kind).others ? &others_.at(kind) : nullptr;
}

void LogLimit::begin(Level level, Kind kind, uint64_t object, std::string text, Clock::time_point now) {
  if (objects_.at(kind) == kObjects) {
    others_.at(kind) = {level, std::move(text), 1, 1, now + kOthersInterval, true};
    return;
  }
  write(level, text, 0);
  ++objects_.at(kind);
  entries_[{kind, object}] = {level, std::move(text), 0, 1, now + kInterval, false};
}

void LogLimit::change(Entry& entry, Level level, std::string text) {
  entry.level = level;
  entry.text = std::move(text);
  if (entry.states < kStates) {
    ++entry.states;
    write(level, entry.text, 0);
  } else {
    ++entry.held;
  }
}

void LogLimit::tick(Clock::time_point now) {
  for (auto item = entries_.begin(); item != entries_.end();) {
    auto& [key, entry] = *item;
    if (now < entry.until) {
      ++item;
    } else if (entry.held == 0) {
      --objects_.at(key.first);
      item = entries_.erase(item);
    } else {
      write(entry.level, entry.text, entry.held - 1);
      entry.held = 0;
      entry.states = 1;
      entry.until = now + kInterval;
      ++item;
    }
  }
  for (Entry& entry : others_) {
    if (!entry.others || now < entry.until) continue;
    if (entry.held != 0) write(entry.level, entry.text, entry.held - 1);
    entry.others = entry.held != 0;
    entry.held = 0;
    entry.until = now + kInterval;
  }
}

}  // namespace causeway
