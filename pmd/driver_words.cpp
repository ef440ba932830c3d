#include "pmd/driver_words.h"

#include <algorithm>
#include <mutex>
#include <string_view>

namespace causeway {
namespace {

constexpr size_t kMostKept = 16384;  // bytes
constexpr size_t kMostTold = 300;

struct State {
  std::mutex mutex;
  FILE* stream = stderr;
  bool keeps = false;
  std::string kept;
};
State& state() {
  static State* const only = new State;  // outlives every thread
  return *only;
}

ssize_t write_log(void* /*cookie*/, const char* text, size_t bytes) {
  const std::lock_guard lock(state().mutex);
  if (!state().keeps) {
    std::fwrite(text, 1, bytes, state().stream);
    std::fflush(state().stream);
  } else if (state().kept.size() < kMostKept) {
    state().kept.append(text, bytes);
  }
  return static_cast<ssize_t>(bytes);
}

// Said of whatever can't be opened.
bool says_nothing(std::string_view line) {
  return line.empty() || line.starts_with("EAL: Failed to attach device") ||
         line.starts_with("EAL: Driver cannot attach");
}

}  // namespace

FILE* dpdk_log(FILE* log) {
  state().stream = log;
  static FILE* const stream = fopencookie(nullptr, "w", {nullptr, write_log, nullptr, nullptr});
  return stream != nullptr ? stream : log;
}

DriverWords::DriverWords() {
  const std::lock_guard lock(state().mutex);
  state().keeps = true;
}

DriverWords::~DriverWords() {
  const std::lock_guard lock(state().mutex);
  state().keeps = false;
  std::fputs(state().kept.c_str(), state().stream);
  std::fflush(state().stream);
  state().kept.clear();
}

std::string DriverWords::take() {
  std::string text;
  {
    const std::lock_guard lock(state().mutex);
    text.swap(state().kept);
  }
  std::string told;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (says_nothing(line)) continue;
    if (!told.empty()) told += "; ";
    told += line;
  }
  if (told.size() > kMostTold) told = told.substr(0, kMostTold) + "...";
  return told;
}

}  // namespace causeway
