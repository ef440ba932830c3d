// A server that says what a test wants it to say, in the loop of the session.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/json_stream.h"
#include "tests/unit/ovsdb/bed.h"

namespace causeway::ovsdb::test {

class FakeServer {
 public:
  FakeServer(EventLoop& loop, const std::string& path)
      : loop_(loop), listen_fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(bind(listen_fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listen_fd_, 10) == 0);
    loop_.add_fd(listen_fd_, [this] { accept_client(); });
  }
  ~FakeServer() {
    hang_up();
    loop_.remove_fd(listen_fd_);
    close(listen_fd_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  int clients = 0;       // that came
  bool refuses = false;  // hangs up on who comes
  bool reads = true;

  // The next call, an object without anything where none comes.
  json next_call() {
    if (!until(loop_, [this] { return !calls_.empty(); })) return json::object();
    json call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }
  void resume() {
    reads = true;
    loop_.watch_readable(client_fd_, true);
  }
  bool has_call() const { return !calls_.empty(); }
  // All of it, with the loop running meanwhile, or as much as is taken before the client goes.
  void send_text(std::string_view text) {
    const int client = clients;
    while (!text.empty() && client_fd_ >= 0 && client == clients) {
      const ssize_t count = ::send(client_fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count > 0) text.remove_prefix(static_cast<size_t>(count));
      if (count < 0 && errno != EAGAIN) return;
      if (!text.empty()) loop_.run_once(1ms);
    }
  }
  void send(const json& message) { send_text(message.dump()); }
  void answer(const json& call, const json& result) {
    send(json{{"id", call.at("id")}, {"result", result}, {"error", nullptr}});
  }
  void answer_error(const json& call, const json& error) { send(json{{"id", call.at("id")}, {"error", error}}); }
  void notify(const char* method, const json& params) {
    send(json{{"id", nullptr}, {"method", method}, {"params", params}});
  }
  void update(const json& updates) { notify("update3", {"causeway", "0", updates}); }
  void hang_up() {
    if (client_fd_ < 0) return;
    loop_.remove_fd(client_fd_);
    close(client_fd_);
    client_fd_ = -1;
    calls_.clear();
  }
  // What every session begins with, up to the dump: `rows` of tables, as they are in update2.
  void begin(const json& rows, bool locked = true) {
    answer(expect("get_schema"), schema());
    answer(expect("lock"), {{"locked", locked}});
    answer(expect("monitor_cond_since"), json::array({false, "0", rows}));
  }
  json expect(const char* method) {
    json call = next_call();
    REQUIRE(call.value("method", "") == method);
    return call;
  }

 private:
  void accept_client() {
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    ++clients;
    hang_up();
    texts_ = JsonStream();
    if (refuses) {
      close(fd);
      return;
    }
    client_fd_ = fd;
    loop_.add_fd(fd, [this] { read_client(); });
  }
  void read_client() {
    loop_.watch_readable(client_fd_, reads);
    if (!reads) return;
    std::vector<char> chunk(1 << 16);
    const ssize_t count = recv(client_fd_, chunk.data(), chunk.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return hang_up();
    REQUIRE(texts_.append({chunk.data(), static_cast<size_t>(count)}).text().empty());
    while (const auto text = texts_.next()) calls_.push_back(json::parse(*text));
  }

  EventLoop& loop_;
  int listen_fd_;
  int client_fd_ = -1;
  JsonStream texts_;
  std::deque<json> calls_;
};

// A session and its server.
struct FakeBed {
  Folder folder;
  EventLoop loop;
  Background background{loop};
  FakeServer server{loop, folder.socket()};
  Watcher watcher;

  explicit FakeBed(Session::Limits limits = {.first_delay = 5ms, .last_delay = 40ms})
      : watcher(loop, background, folder.socket(), limits) {}
  Session& session() { return watcher.session; }
  void settle() { run_for(loop, 30ms); }
};

}  // namespace causeway::ovsdb::test
