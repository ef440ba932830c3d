#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <vector>

#include "control/process/event_loop.h"
#include "tests/catch.h"

using causeway::EventLoop;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// A readable descriptor.
struct Event {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  ~Event() { close(fd); }
  void raise() const { REQUIRE(eventfd_write(fd, 1) == 0); }
  void lower() const {
    eventfd_t value = 0;
    REQUIRE(eventfd_read(fd, &value) == 0);
  }
};

}  // namespace

TEST_CASE("timers run in the order of their deadlines, each once") {
  EventLoop loop;
  std::vector<int> order;
  loop.after(20ms, [&] { order.push_back(2); });
  loop.after(5ms, [&] { order.push_back(1); });
  loop.after(40ms, [&] {
    order.push_back(3);
    loop.stop();
  });
  const auto start = steady_clock::now();
  loop.run();
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK(steady_clock::now() - start >= 40ms);
}

TEST_CASE("a periodic timer repeats until cancelled, by itself too") {
  EventLoop loop;
  int calls = 0;
  EventLoop::TimerId id = 0;
  id = loop.every(2ms, [&] {
    if (++calls == 3) loop.cancel(id);
  });
  loop.after(60ms, [&] { loop.stop(); });
  loop.run();
  CHECK(calls == 3);
}

TEST_CASE("a timer that is late is called once, not once for each interval missed") {
  EventLoop loop;
  int calls = 0;
  loop.every(1ms, [&] { ++calls; });
  usleep(30'000);
  loop.run_once(0ms);
  CHECK(calls == 1);
}

TEST_CASE("a cancelled timer never runs") {
  EventLoop loop;
  bool ran = false;
  const auto id = loop.after(5ms, [&] { ran = true; });
  loop.after(1ms, [&] { loop.cancel(id); });
  loop.after(20ms, [&] { loop.stop(); });
  loop.run();
  CHECK_FALSE(ran);
}

TEST_CASE("a timer that is always due does not starve descriptors") {
  EventLoop loop;
  const Event event;
  event.raise();
  loop.every(0ms, [] {});
  loop.add_fd(event.fd, [&] { loop.stop(); });
  loop.after(5s, [&] {
    FAIL_CHECK("the descriptor was never served");
    loop.stop();
  });
  loop.run();
}

TEST_CASE("a descriptor is called while readable, and not after its removal") {
  EventLoop loop;
  const Event event;
  int calls = 0;
  loop.add_fd(event.fd, [&] {
    if (++calls == 2) loop.remove_fd(event.fd);
  });
  loop.run_once(1ms);
  CHECK(calls == 0);
  event.raise();
  for (int i = 0; i < 5; ++i) loop.run_once(1ms);
  CHECK(calls == 2);
}

TEST_CASE("a callback that removes another ready descriptor prevents its call") {
  EventLoop loop;
  const Event first, second;
  int calls = 0;
  const auto remove_both = [&] {
    ++calls;
    loop.remove_fd(first.fd);
    loop.remove_fd(second.fd);
  };
  first.raise();
  second.raise();
  loop.add_fd(first.fd, remove_both);
  loop.add_fd(second.fd, remove_both);
  loop.run_once(1ms);
  CHECK(calls == 1);
}

TEST_CASE("a descriptor number used anew in the same round gets no call meant for the old one") {
  EventLoop loop;
  const Event first, second;
  bool replaced_called = false;
  int calls = 0;
  const auto replace_other = [&](int other) {
    ++calls;
    loop.remove_fd(other);
    loop.add_fd(other, [&] { replaced_called = true; });
  };
  first.raise();
  second.raise();
  loop.add_fd(first.fd, [&] { replace_other(second.fd); });
  loop.add_fd(second.fd, [&] { replace_other(first.fd); });
  loop.run_once(1ms);
  CHECK(calls == 1);
  CHECK_FALSE(replaced_called);
}

TEST_CASE("writable descriptors are called until the wish ends") {
  EventLoop loop;
  const Event event;
  int calls = 0;
  loop.add_fd(event.fd, [&] { event.lower(); });
  loop.watch_writable(event.fd, [&] {
    if (++calls == 2) loop.watch_writable(event.fd, {});
  });
  for (int i = 0; i < 4; ++i) loop.run_once(1ms);
  CHECK(calls == 2);
}

TEST_CASE("signals arrive as callbacks, and the mask is put back") {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    EventLoop loop;
    int hups = 0;
    loop.on_signal(SIGHUP, [&] { ++hups; });
    loop.on_signal(SIGTERM, [&] { loop.stop(); });
    raise(SIGHUP);
    loop.run_once(100ms);
    CHECK(hups == 1);
    raise(SIGTERM);
    loop.after(5s, [&] {
      FAIL_CHECK("SIGTERM never arrived");
      loop.stop();
    });
    loop.run();
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&after, SIGHUP) == sigismember(&before, SIGHUP));
  CHECK(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM));
}

TEST_CASE("a stop before run ends it at once") {
  EventLoop loop;
  loop.stop();
  loop.run();
  SUCCEED();
}

TEST_CASE("the longest callback is known, whoever it belongs to") {
  EventLoop loop;
  CHECK(loop.slices().count == 0);
  const Event event;
  loop.add_fd(event.fd, [&] {
    event.lower();
    usleep(20'000);
  });
  event.raise();
  loop.after(0ms, [] { usleep(5'000); });
  loop.run_once(0ms);
  const EventLoop::Slices slices = loop.slices();
  CHECK(slices.count == 2);
  CHECK(slices.longest >= 20ms);
  CHECK(slices.longest_of_minute == slices.longest);
  CHECK(slices.all >= slices.longest + 5ms);
}
