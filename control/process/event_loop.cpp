#include "control/process/event_loop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

namespace causeway {

using std::chrono::nanoseconds;

EventLoop::EventLoop() {
  sigemptyset(&signal_mask_);
  sigemptyset(&old_signal_mask_);
}

EventLoop::~EventLoop() {
  if (signal_fd_ < 0) return;
  close(signal_fd_);
  pthread_sigmask(SIG_SETMASK, &old_signal_mask_, nullptr);
}

void EventLoop::add_fd(int fd, Callback on_readable) {
  auto watch = std::make_shared<Watch>();
  watch->on_readable = std::move(on_readable);
  watches_[fd] = std::move(watch);
}

void EventLoop::watch_writable(int fd, Callback on_writable) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) return;
  // A new object: the callback being replaced may be the one that is running.
  auto watch = std::make_shared<Watch>(*found->second);
  watch->on_writable = std::move(on_writable);
  found->second = std::move(watch);
}

void EventLoop::watch_readable(int fd, bool wanted) {
  const auto found = watches_.find(fd);
  if (found != watches_.end()) found->second->readable_wanted = wanted;
}

void EventLoop::remove_fd(int fd) { watches_.erase(fd); }

EventLoop::TimerId EventLoop::add_timer(nanoseconds delay, nanoseconds interval, Callback callback) {
  const TimerId id = ++last_timer_;
  timers_.emplace(std::pair(Clock::now() + delay, id), Timer{interval, std::move(callback)});
  return id;
}

EventLoop::TimerId EventLoop::every(nanoseconds interval, Callback callback) {
  const nanoseconds positive = std::max(interval, nanoseconds(1));
  return add_timer(positive, positive, std::move(callback));
}

EventLoop::TimerId EventLoop::after(nanoseconds delay, Callback callback) {
  return add_timer(delay, nanoseconds::zero(), std::move(callback));
}

void EventLoop::cancel(TimerId id) {
  if (id == running_timer_) running_timer_ = 0;
  std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
}

void EventLoop::on_signal(int signal_number, Callback callback) {
  signals_[signal_number] = std::move(callback);
  sigaddset(&signal_mask_, signal_number);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &signal_mask_, &before);
  const bool first = signal_fd_ < 0;
  signal_fd_ = signalfd(signal_fd_, &signal_mask_, SFD_NONBLOCK | SFD_CLOEXEC);
  if (first) {
    old_signal_mask_ = before;
    add_fd(signal_fd_, [this] { read_signals(); });
  }
}

void EventLoop::read_signals() {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const auto found = signals_.find(static_cast<int>(info.ssi_signo));
    if (found == signals_.end()) continue;
    const Callback callback = found->second;
    callback();
  }
}

nanoseconds EventLoop::time_to_next_timer(nanoseconds limit) const {
  if (timers_.empty()) return limit;
  const nanoseconds left = timers_.begin()->first.first - Clock::now();
  return std::clamp(left, nanoseconds::zero(), limit);
}

void EventLoop::call(const Callback& callback) {
  const auto begin = Clock::now();
  callback();
  const auto end = Clock::now();
  const nanoseconds took = end - begin;
  ++slices_.count;
  slices_.all += took;
  slices_.longest = std::max(slices_.longest, took);
  const auto number = std::chrono::duration_cast<std::chrono::seconds>(end.time_since_epoch()).count();
  Second& second = seconds_[static_cast<size_t>(number) % seconds_.size()];
  if (second.number != number) second = {number, {}};
  second.longest = std::max(second.longest, took);
}

EventLoop::Slices EventLoop::slices() const {
  Slices slices = slices_;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(Clock::now().time_since_epoch()).count();
  for (const Second& second : seconds_) {
    if (now - second.number < static_cast<int64_t>(seconds_.size())) {
      slices.longest_of_minute = std::max(slices.longest_of_minute, second.longest);
    }
  }
  return slices;
}

void EventLoop::call_due_timers() {
  const auto now = Clock::now();
  // A timer due again at once waits for the next round, so that descriptors get their turn.
  while (!stopped_ && !timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    const TimerId id = node.key().second;
    const bool periodic = node.mapped().interval > nanoseconds::zero();
    running_timer_ = id;
    call(node.mapped().callback);
    if (periodic && running_timer_ == id) {
      node.key().first = std::max(node.key().first + node.mapped().interval, now + nanoseconds(1));
      timers_.insert(std::move(node));
    }
    running_timer_ = 0;
  }
}

void EventLoop::run_once(nanoseconds limit) {
  std::vector<pollfd> polled;
  std::vector<std::shared_ptr<Watch>> owners;
  for (const auto& [fd, watch] : watches_) {
    const int events = (watch->readable_wanted ? POLLIN : 0) | (watch->on_writable ? POLLOUT : 0);
    if (events == 0) continue;  // a hang-up nobody waits for would wake us for ever
    polled.push_back({fd, static_cast<int16_t>(events), 0});
    owners.push_back(watch);
  }

  const nanoseconds wait = time_to_next_timer(limit);
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec timeout{static_cast<time_t>(whole.count()), static_cast<long>((wait - whole).count())};
  int ready = ppoll(polled.data(), polled.size(), &timeout, nullptr);

  for (size_t i = 0; i < polled.size() && ready > 0 && !stopped_; ++i) {
    const auto& [fd, events, revents] = polled[i];
    if (revents == 0) continue;
    --ready;
    // An earlier callback may have removed this descriptor, or closed it and got its number anew.
    const auto current = [&, fd = fd] {
      const auto found = watches_.find(fd);
      return found != watches_.end() && found->second == owners[i];
    };
    if ((revents & ~POLLIN) != 0 && owners[i]->on_writable && current()) call(owners[i]->on_writable);
    if ((revents & ~POLLOUT) != 0 && owners[i]->readable_wanted && current()) call(owners[i]->on_readable);
  }
  if (!stopped_) call_due_timers();
}

void EventLoop::run() {
  while (!stopped_) run_once(std::chrono::hours(1));
  stopped_ = false;
}

}  // namespace causeway
