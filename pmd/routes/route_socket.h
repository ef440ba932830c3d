// The kernel's routes, next-hop objects and links as they are and as they change: one socket of rtnetlink(7). Control
// thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <set>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"
#include "pmd/routes/route_messages.h"

struct nlmsghdr;

namespace causeway {

class RouteListener {
 public:
  virtual ~RouteListener() = default;
  // `told`: in answer to ask().
  virtual void route(const RouteMessage& message, bool told) = 0;
  virtual void next_hop(const NextHopMessage& message, bool told) = 0;
  virtual void link(const LinkMessage& message, bool told) = 0;
  virtual void address_gone() = 0;  // the kernel doesn't tell which routes went with it
  virtual void lost() = 0;          // the socket was full: nobody knows what else has changed
  virtual void interrupted() = 0;   // the answer to ask() may leave out what is there
  virtual void all_told() = 0;      // ask() is answered
};

class RouteSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // `listener` outlives it.
  explicit RouteSocket(RouteListener& listener) : listener_(listener) {}

  // In the calling thread's network namespace.
  Error open();
  bool is_open() const { return socket_.valid(); }
  void close();
  // All links and next-hop objects, and the routes of these tables. While one answer comes, not another.
  void ask(const std::set<uint32_t>& tables);
  bool asks() const { return !questions_.empty(); }
  // Tells what has come, in the kernel's order, until nothing is left or the time has come.
  void read(Clock::time_point until);
  // Until something has come, or the time.
  void wait(Clock::time_point until) const;

 private:
  struct Question {
    uint16_t type = 0;   // RTM_GET...
    uint8_t family = 0;  // of routes
    uint32_t table = 0;
  };
  void send_question();
  void take(const nlmsghdr* message);

  RouteListener& listener_;
  FileDescriptor socket_;
  uint32_t port_ = 0;               // the socket's own, in what is told to it
  std::deque<Question> questions_;  // the first is being answered
};

}  // namespace causeway
