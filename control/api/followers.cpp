#include "control/api/followers.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace causeway {
namespace {

using nlohmann::json;

// RFC 3339, UTC.
std::string time_text(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
}

std::string line_of(const StateChange& change) {
  json line = {{"time", time_text(std::chrono::system_clock::now())},
               {"kind", change.kind},
               {"object", change.object},
               {"state", change.state},
               {"text", change.text}};
  if (!change.peer.empty()) line["peer"] = change.peer;
  return api_line(line);
}

}  // namespace

Followers::~Followers() {
  loop_.cancel(timer_);
  while (!followers_.empty()) drop(followers_.begin()->first);
}

ApiReply Followers::begin() {
  if (followers_.size() >= kMost) {
    return {api_error({fmt::format("{} clients follow the events, and there are no more at a time", kMost)})};
  }
  return ApiReply::handing_over(api_line(api_ok(json::object())),
                                [this](FileDescriptor connection) { start(std::move(connection)); });
}

void Followers::start(FileDescriptor connection) {
  const int fd = connection.get();
  followers_.emplace(fd, Follower{std::move(connection)});
  loop_.add_fd(fd, [this, fd] { listen(fd); });
  state_changes().listen(this);
}

// A storm is a few sends: what it leaves in the queues goes once the control thread has time again.
void Followers::take(const StateChange& change) {
  std::string line;
  for (auto& [fd, follower] : followers_) {
    if (follower.lost != 0 || follower.queue.size() >= kQueueBytes) {
      ++follower.lost;
      continue;
    }
    if (line.empty()) line = line_of(change);
    follower.queue += line;
  }
  if (!line.empty() && timer_ == 0) timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { send_queues(); });
}

void Followers::send_queues() {
  timer_ = 0;
  std::vector<int> all;
  for (const auto& [fd, follower] : followers_) all.push_back(fd);
  for (const int fd : all) send_queue(fd);
}

void Followers::send_queue(int fd) {
  Follower& follower = followers_.at(fd);
  while (follower.sent < follower.queue.size()) {
    const ssize_t count = send(fd, follower.queue.data() + follower.sent, follower.queue.size() - follower.sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      follower.sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      return loop_.watch_writable(fd, [this, fd] { send_queue(fd); });
    } else if (errno != EINTR) {
      return drop(fd);
    }
    if (follower.sent < follower.queue.size()) continue;
    follower.queue.clear();
    follower.sent = 0;
    if (follower.lost != 0) follower.queue = api_line({{"lost", std::exchange(follower.lost, 0)}});
  }
  loop_.watch_writable(fd, {});
}

// It has nothing to say, but it may go.
void Followers::listen(int fd) {
  std::array<char, 4096> ignored;
  const ssize_t count = recv(fd, ignored.data(), ignored.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) drop(fd);
}

void Followers::drop(int fd) {
  loop_.remove_fd(fd);
  followers_.erase(fd);
  if (followers_.empty()) state_changes().listen(nullptr);
}

}  // namespace causeway
