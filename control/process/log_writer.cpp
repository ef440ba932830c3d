#include "control/process/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace causeway {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct LogWriter::Shared {
  int fd;
  size_t most_bytes;
  TellLost tell_lost;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> lines;
  size_t bytes = 0;  // of `lines`
  bool writing = false;
  bool ends = false;
  uint64_t lost = 0;
  uint64_t told = 0;

  void write_next(std::unique_lock<std::mutex>& lock) {
    const std::string line = std::move(lines.front());
    lines.pop_front();
    bytes -= line.size();
    writing = true;
    const uint64_t lost_before = lost;
    const uint64_t untold = lost - told;
    lock.unlock();
    const bool said = untold != 0 && write_all(fd, tell_lost(untold));
    const bool written = write_all(fd, line);
    lock.lock();
    if (said) told = lost_before;
    if (!written) ++lost;
    writing = false;
    changed.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ends || !lines.empty(); });
      if (ends) return;
      write_next(lock);
    }
  }
};

LogWriter::LogWriter(int fd, size_t most_bytes, TellLost tell_lost) : shared_(std::make_shared<Shared>()) {
  shared_->fd = fd;
  shared_->most_bytes = most_bytes;
  shared_->tell_lost = std::move(tell_lost);
  // Signals are the control thread's: a new thread has the mask of the one that made it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([shared = shared_] { shared->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ends = true;
  shared_->changed.notify_all();
}

void LogWriter::add(std::string line) {
  const std::lock_guard lock(shared_->mutex);
  shared_->bytes += line.size();
  shared_->lines.push_back(std::move(line));
  while (shared_->bytes > shared_->most_bytes) {
    shared_->bytes -= shared_->lines.front().size();
    shared_->lines.pop_front();
    ++shared_->lost;
  }
  shared_->changed.notify_all();
}

bool LogWriter::flush(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, patience, [this] { return shared_->lines.empty() && !shared_->writing; });
}

uint64_t LogWriter::lost() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->lost;
}

}  // namespace causeway
