#include "control/underlay/kernel_routes.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr auto kSlice = 2ms;
constexpr auto kPatience = 1s;  // for what has never been told, before a change goes on without it
// Links that come and go in a swarm are worth one dump, and dumps no more than a share of the time.
constexpr auto kBetweenDumps = 10ms;
constexpr int kShare = 4;

}  // namespace

KernelRoutes::KernelRoutes(HostRoutes& routes) : routes_(routes), socket_(routes) {
  routes_.fill_by([this] { fill(); });
}

KernelRoutes::~KernelRoutes() { routes_.fill_by({}); }

bool KernelRoutes::follows() {
  if (routes_.tables().empty()) {
    socket_.close();
    return false;
  }
  if (socket_.is_open()) return true;
  const Error error = socket_.open();
  if (error && !std::exchange(refused_, true)) spdlog::error("{}: routes of the host's aren't followed", error.text());
  return !error;
}

void KernelRoutes::begin_dump(Clock::time_point now) {
  dump_began_ = now;
  next_dump_ = Clock::time_point::max();
  routes_.begin_dump();
  socket_.ask(routes_.tables());
}

void KernelRoutes::serve() {
  if (!follows()) return;
  socket_.read(Clock::now() + kSlice);
  const auto now = Clock::now();
  if (socket_.asks()) return;
  if (next_dump_ == Clock::time_point::max()) next_dump_ = now + kBetweenDumps + kShare * (now - dump_began_);
  if (routes_.wants_dump() && now >= next_dump_) begin_dump(now);
}

// At once: a tunnel that is configured has its route when that is done.
void KernelRoutes::fill() {
  if (!follows()) return;
  const auto until = Clock::now() + kPatience;
  socket_.read(until);
  while (routes_.wants_dump() || socket_.asks()) {
    if (Clock::now() >= until) return;
    if (!socket_.asks()) begin_dump(Clock::now());
    socket_.wait(until);
    socket_.read(until);
  }
}

}  // namespace causeway
