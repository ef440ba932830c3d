#include "control/process/background.h"

#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace causeway {
namespace {

constexpr size_t kLargeBytes = size_t{1} << 20;
constexpr int kNiceness = 5;  // workers and the control thread may share its core

}  // namespace

Background::Background(EventLoop& loop)
    : loop_(loop), done_event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { work_off(); }) {
  loop_.add_fd(done_event_.get(), [this] { finish_done(); });
}

Background::~Background() {
  loop_.remove_fd(done_event_.get());
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Background::run(Work work, size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), {}, bytes});
  }
  changed_.notify_all();
}

void Background::work_off() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (ends_) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.finish = job.work();
    job.work = nullptr;  // with all it holds
    lock.lock();
    done_.push_back(std::move(job));
    eventfd_write(done_event_.get(), 1);
  }
}

void Background::finish_done() {
  eventfd_t count = 0;
  eventfd_read(done_event_.get(), &count);
  std::deque<Job> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  size_t bytes = 0;
  for (Job& job : done) {
    if (job.finish) job.finish();
    job.finish = nullptr;
    bytes += job.bytes;
  }
  if (bytes < kLargeBytes) return;
  // malloc keeps most of what is freed (main.cpp). After something large that would be for ever.
  run([] {
    malloc_trim(0);
    return Finish();
  });
}

}  // namespace causeway
