#include "control/ctl/top/top.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

#include "control/ctl/top/model.h"
#include "control/ctl/top/poller.h"
#include "control/ctl/top/terminal.h"
#include "control/ctl/top/view.h"

namespace causeway::top {
namespace {

volatile std::sig_atomic_t end_asked = 0;

void on_end(int) { end_asked = 1; }

// Signals come while we wait and at no other time: none is missed, none finds the terminal half drawn.
class Signals {
 public:
  Signals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &before_);
    struct sigaction action {};
    action.sa_handler = on_end;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaction(signal, &action, nullptr);
  }
  // Until one of them comes, something can be read, or the time is over. False: nobody will type any more.
  bool wait(int other, std::chrono::nanoseconds most) const {
    std::array<pollfd, 2> ends{{{STDIN_FILENO, POLLIN, 0}, {other, POLLIN, 0}}};
    const timespec time{static_cast<time_t>(most.count() / std::nano::den), most.count() % std::nano::den};
    ppoll(ends.data(), ends.size(), &time, &before_);
    return (ends[0].revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
  }

 private:
  sigset_t before_{};
};

}  // namespace

Error run(const std::string& socket, const Options& options) {
  using Clock = Poller::Clock;
  const Signals signals;
  Terminal terminal;  // after the signals: ncurses takes those that nobody has
  if (Error error = terminal.open()) return error;
  Model model;
  View view;
  Poller poller(socket, std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.interval_s)));
  bool listening = true;
  bool changed = true;
  Clock::time_point stale;  // there is the time to be said that nothing has come for
  while (listening && end_asked == 0 && !view.ended()) {
    const auto now = Clock::now();
    if (poller.step(now, model) || changed || now >= stale) {
      terminal.show(view.draw(model, terminal.size(), poller.trouble(now)));
      changed = false;
      stale = now + std::chrono::seconds(1);
    }
    const auto left = std::min(poller.due(), stale) - Clock::now();
    listening = signals.wait(poller.fd(), std::max(left, Clock::duration::zero()));
    while (const auto pressed = terminal.pressed()) {
      changed = true;
      view.press(*pressed);
      view.draw(model, terminal.size(), {});  // what the next key is about
    }
  }
  return {};
}

}  // namespace causeway::top
