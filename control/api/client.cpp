#include "control/api/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "control/api/peer.h"
#include "control/api/reply.h"

namespace causeway {

namespace {

// Who listens there. Empty: one to be trusted.
std::string stranger_at(int fd) {
  const Peer peer = peer_of(fd);
  if (is_trusted(peer.uid)) return {};
  return "it is of another user (uid " + std::to_string(peer.uid) + "), neither root's nor yours: not trusted";
}

}  // namespace

ApiClient::~ApiClient() {
  if (fd_ >= 0) close(fd_);
}

Error ApiClient::connect(const std::string& path) {
  path_ = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return "control socket " + path + ": the path is too long";
  std::copy(path.begin(), path.end(), address.sun_path);

  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string stranger = stranger_at(fd_);
    return stranger.empty() ? "" : "control socket " + path + ": " + stranger;
  }
  if (errno == ENOENT || errno == ECONNREFUSED) return "no causewayd is running at " + path;
  return "control socket " + path + ": " + std::strerror(errno);
}

nlohmann::json ApiClient::ask(const nlohmann::json& request) {
  send(request);
  return *receive(true);
}

void ApiClient::send(const nlohmann::json& request) {
  const std::string line = api_line(request);
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;  // refused half-way: the daemon's reason is there to be read
    sent += static_cast<size_t>(count);
  }
}

std::optional<nlohmann::json> ApiClient::receive(bool wait) {
  size_t newline = std::string::npos;
  while ((newline = received_.find('\n', scanned_)) == std::string::npos) {
    scanned_ = received_.size();
    std::array<char, 65536> chunk;
    const ssize_t count = recv(fd_, chunk.data(), chunk.size(), wait ? 0 : MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return std::nullopt;
    if (count <= 0) return api_error({"causewayd at " + path_ + " closed the connection"});
    received_.append(chunk.data(), static_cast<size_t>(count));
  }
  const std::string answer = received_.substr(0, newline);
  received_.erase(0, newline + 1);
  scanned_ = 0;
  nlohmann::json reply = nlohmann::json::parse(answer, nullptr, false);
  if (!reply.is_object() || !reply.contains("ok")) return api_error({"causewayd at " + path_ + ": unreadable answer"});
  return reply;
}

nlohmann::json ApiClient::await_successor() {
  using namespace std::chrono_literals;
  constexpr auto kPatience = 30s;
  nlohmann::json reply = *receive(true);
  if (!reply.at("ok").get<bool>()) return reply;
  // Not the number in the reply: it may be another one here (pid_namespaces(7)).
  const pid_t before = peer_of(fd_).pid;
  const auto patience_ends = std::chrono::steady_clock::now() + kPatience;
  do {
    ApiClient next;
    if (!next.connect(path_) && (before == 0 || peer_of(next.fd_).pid != before)) return reply;
    std::this_thread::sleep_for(10ms);
  } while (std::chrono::steady_clock::now() < patience_ends);
  return api_error({"the new process runs, but doesn't answer at " + path_ + " yet; the log says why"});
}

FileDescriptor ApiClient::release(std::string& received) {
  received = std::exchange(received_, {});
  scanned_ = 0;
  return FileDescriptor(std::exchange(fd_, -1));
}

}  // namespace causeway
