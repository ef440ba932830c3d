// A control socket with a handler of the test's own, and clients that misbehave.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/api/server.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "tests/catch.h"

namespace causeway::test {

using nlohmann::json;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "causeway-api-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string socket() const { return path / "gw.sock"; }
};

inline json echo(const json& request, const Peer& peer = {}) {
  if (request["verb"] == "who")
    return causeway::api_ok({{"uid", peer.uid}, {"pid", peer.pid}, {"user", user_name(peer.uid)}});
  if (request["verb"] == "big") return causeway::api_ok(std::string(request["bytes"].get<size_t>(), 'x'));
  if (request["verb"] == "throw") return request.at("missing");
  return causeway::api_ok(request);
}

// A client of the test's own making, to misbehave with.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~RawClient() { hang_up(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // The bytes the socket took.
  size_t send_some(std::string_view text) const {
    const ssize_t count = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    return count < 0 ? 0 : static_cast<size_t>(count);
  }
  void send_all(EventLoop& loop, std::string_view text) const {
    for (int i = 0; i < 100'000 && !text.empty() && !closed(); ++i) {
      text.remove_prefix(send_some(text));
      loop.run_once(0ms);
    }
  }
  void end_input() const { shutdown(fd_, SHUT_WR); }
  void hang_up() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // The next answer, with the loop running meanwhile; discarded where none comes.
  json answer(EventLoop& loop) {
    const auto deadline = steady_clock::now() + 30s;  // a sanitizer on a busy machine
    while (steady_clock::now() < deadline) {
      if (const size_t newline = received_.find('\n'); newline != std::string::npos) {
        const std::string line = received_.substr(0, newline);
        received_.erase(0, newline + 1);
        return json::parse(line, nullptr, false);
      }
      if (!receive()) break;
      loop.run_once(1ms);
    }
    return json(json::value_t::discarded);
  }
  // Takes an answer that is there already.
  bool has_answer() {
    receive();
    const size_t newline = received_.find('\n');
    if (newline == std::string::npos) return false;
    received_.erase(0, newline + 1);
    return true;
  }
  void swallow() { take(); }
  // What has come since.
  std::string take() {
    receive();
    return std::exchange(received_, {});
  }
  bool closed_by_server(EventLoop& loop) {
    const auto deadline = steady_clock::now() + 5s;
    while (steady_clock::now() < deadline) {
      if (!receive()) return true;
      loop.run_once(1ms);
    }
    return false;
  }

 private:
  bool closed() const {
    char byte = 0;
    return recv(fd_, &byte, 1, MSG_PEEK) == 0;
  }
  bool receive() {
    std::vector<char> chunk(1 << 16);
    const ssize_t count = recv(fd_, chunk.data(), chunk.size(), 0);
    if (count > 0) received_.append(chunk.data(), static_cast<size_t>(count));
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

  std::string received_;
  int fd_ = -1;
};

struct Server {
  Folder folder;
  EventLoop loop;
  Background background{loop};
  ApiServer api;
  explicit Server(ApiServer::Limits limits = {}) : api(loop, background, folder.socket(), echo, limits) {
    REQUIRE(api.start().text() == "");
  }
};

inline std::string first_error(const json& reply) {
  return reply.is_object() && !reply.value("ok", true) ? reply["errors"][0].get<std::string>() : "(no error)";
}

}  // namespace causeway::test
