// The control thread's loop: descriptors, timers and signals, one callback at a time. Everything here
// belongs to the thread that runs it; callbacks may add and remove anything, themselves included.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace causeway {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using TimerId = uint64_t;  // never 0, never used twice

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `on_readable` whenever `fd` is readable, hung up or in error. The caller keeps the descriptor
  // and removes it before closing it.
  void add_fd(int fd, Callback on_readable);
  // Calls `on_writable` whenever `fd`, added before, can be written; an empty callback ends that.
  void watch_writable(int fd, Callback on_writable);
  // Stops and resumes the calls of `on_readable`; a hang-up is still noticed by writing.
  void watch_readable(int fd, bool wanted);
  void remove_fd(int fd);

  // The first call comes after one interval. A timer that is late is called once, not once for each
  // interval missed.
  TimerId every(std::chrono::nanoseconds interval, Callback callback);
  TimerId after(std::chrono::nanoseconds delay, Callback callback);
  void cancel(TimerId id);

  // Blocks `signal_number` in the calling thread and delivers it here. Call it before starting other
  // threads, which inherit the mask. The mask is put back when the loop goes.
  void on_signal(int signal_number, Callback callback);

  // Until stop(). A stop() before run() is kept, so that a failed start never hangs.
  void run();
  void stop() noexcept { stopped_ = true; }
  // One round: waits at most `limit` for something to happen, and calls what is due.
  void run_once(std::chrono::nanoseconds limit);

  // How long callbacks have taken: while one runs nothing else does.
  struct Slices {
    uint64_t count = 0;
    std::chrono::nanoseconds all{};
    std::chrono::nanoseconds longest{};
    std::chrono::nanoseconds longest_of_minute{};  // of the last one
  };
  Slices slices() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Watch {
    Callback on_readable;
    Callback on_writable;
    bool readable_wanted = true;
  };
  struct Timer {
    std::chrono::nanoseconds interval;  // zero: once
    Callback callback;
  };

  TimerId add_timer(std::chrono::nanoseconds delay, std::chrono::nanoseconds interval, Callback callback);
  std::chrono::nanoseconds time_to_next_timer(std::chrono::nanoseconds limit) const;
  void call_due_timers();
  void call(const Callback& callback);
  void read_signals();

  // Shared, so that a callback that removes its own watch keeps standing on firm ground.
  std::map<int, std::shared_ptr<Watch>> watches_;
  std::map<std::pair<Clock::time_point, TimerId>, Timer> timers_;
  TimerId last_timer_ = 0;
  TimerId running_timer_ = 0;  // the periodic timer whose callback runs; 0 once cancelled
  std::map<int, Callback> signals_;
  sigset_t signal_mask_;
  sigset_t old_signal_mask_;
  int signal_fd_ = -1;
  bool stopped_ = false;
  Slices slices_;  // but for the minute
  struct Second {
    int64_t number = -1;  // of the clock
    std::chrono::nanoseconds longest{};
  };
  std::array<Second, 60> seconds_;
};

}  // namespace causeway
