#include "control/keep/keeper.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <utility>

#include "control/keep/learnt.h"
#include "control/keep/restoring.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kName = "learnt";
constexpr auto kSlice = 500us;  // of the control thread, and then as long for others
constexpr auto kPause = 1ms;

}  // namespace

// Written by the background and, on the way out, by the control thread: the latest stays, whoever comes last.
class Keeper::File {
 public:
  // A copy, for who may still write when its owner has gone.
  explicit File(StateDirectory directory) : directory_(std::move(directory)) {}

  uint64_t next_number() { return ++last_; }  // control thread
  void write(uint64_t number, const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (number <= written_) return;
    written_ = number;
    const Error error = directory_.write(kName, text);
    if (error && !std::exchange(failed_, true)) spdlog::warn("what is learnt isn't kept: {}", error.text());
    if (!error) failed_ = false;
  }

 private:
  StateDirectory directory_;
  uint64_t last_ = 0;
  std::mutex mutex_;  // for the rest
  uint64_t written_ = 0;
  bool failed_ = false;
};

Keeper::Keeper(EventLoop& loop, Background& background, const Gateway& gateway, const StateDirectory& directory)
    : loop_(loop),
      background_(background),
      gateway_(gateway),
      directory_(directory),
      file_(std::make_shared<File>(directory)) {}

Keeper::~Keeper() {
  loop_.cancel(every_);
  loop_.cancel(next_);
}

void Keeper::restore(Gateway& gateway) const {
  if (!directory_.keeps()) return;
  if (const auto text = directory_.read(kName)) restore_text(gateway, *text);
}

void Keeper::begin() {
  if (directory_.keeps()) every_ = loop_.every(kInterval, [this] { start_gathering(); });
}

void Keeper::start_gathering() {
  if (gathering_) return;  // a very large one
  gathering_.emplace(gateway_);
  gather();
}

void Keeper::gather() {
  if (gathering_->go_on(Gathering::Clock::now() + kSlice)) {
    next_ = loop_.after(kPause, [this] { gather(); });
    return;
  }
  background_.run([file = file_, number = file_->next_number(), text = gathering_->text()]() mutable {
    file->write(number, text.take());
    return Background::Finish();
  });
  gathering_.reset();
}

void Keeper::write() {
  if (every_ == 0) return;
  Gathering gathering(gateway_);
  while (gathering.go_on(Gathering::Clock::time_point::max())) {
  }
  file_->write(file_->next_number(), gathering.text().take());
}

void restore_text(Gateway& gateway, std::string_view text) {
  std::string error;
  const auto learnt = read_learnt(text, LearntText::Clock::now(), error);
  if (!learnt) return spdlog::warn("what was learnt before isn't used: {}", error);
  const Restored restored = restore(gateway, *learnt);
  spdlog::info("learnt before: {} MACs, {} neighbors, {} VTEPs, {} path MTUs; {} no longer fit", restored.macs,
               restored.neighbors, restored.vteps, restored.paths, restored.left_out);
}

}  // namespace causeway
