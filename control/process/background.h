// A thread for work that would keep the control thread away from everything else: parsing what is large. One piece of
// work after the other, in the order they came; what it leads to happens on the control thread again.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "control/process/event_loop.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class Background {
 public:
  using Finish = std::function<void()>;  // called by the loop
  using Work =
      std::function<Finish()>;  // called by the thread; touches nothing of the control thread's; must not throw

  // `loop` outlives it.
  explicit Background(EventLoop& loop);
  // Waits for the work under way; no Finish is called any more.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // From the loop's thread. `bytes`: how much the work is about; behind a large one memory goes back to the kernel.
  void run(Work work, size_t bytes = 0);

 private:
  struct Job {
    Work work;
    Finish finish;
    size_t bytes = 0;
  };

  void work_off();
  void finish_done();

  EventLoop& loop_;
  FileDescriptor done_event_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  std::deque<Job> done_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace causeway
