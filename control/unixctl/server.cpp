#include "control/unixctl/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "control/api/reply.h"

namespace causeway::unixctl {
namespace {

using nlohmann::json;

// Little, as what comes in one read may be thousands of requests, which are kept until they are answered.
constexpr size_t kReadBytes = size_t{4} << 10;
constexpr size_t kSliceBytes = size_t{8} << 10;
// How long the loop's others wait for a client.
constexpr std::chrono::microseconds kSlice{500};

// A call of JSON-RPC 1.0 that wants an answer (lib/jsonrpc.c's jsonrpc_msg_is_valid).
bool is_request(const json& message) {
  if (!message.is_object()) return false;
  const auto method = message.find("method");
  const auto params = message.find("params");
  const auto id = message.find("id");
  return method != message.end() && method->is_string() && params != message.end() && params->is_array() &&
         id != message.end() && !id->is_null();
}

// As it stands between the quotes of a JSON string.
std::string escaped(std::string text) {
  const std::string quoted = json_text(json(std::move(text)));
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace

Server::Server(EventLoop& loop, Handler handler, Limits limits)
    : loop_(loop), handler_(std::move(handler)), limits_(limits) {}

Server::~Server() {
  while (!clients_.empty()) drop_client(clients_.begin()->first);
  if (!listener_.is_open()) return;
  loop_.cancel(stall_timer_);
  loop_.remove_fd(listener_.fd());
}

Error Server::start(const std::string& path) {
  bool alive = false;
  if (Error error = listener_.open(path, 0600, alive)) return error;
  loop_.add_fd(listener_.fd(), [this] { accept_clients(); });
  stall_timer_ = loop_.every(std::min(limits_.stall, std::chrono::seconds(5)), [this] { drop_stalled(); });
  return {};
}

void Server::accept_clients() {
  while (true) {
    const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors: without room the same connection would wake us for ever.
      if ((errno == EMFILE || errno == ENFILE) && !clients_.empty()) drop_longest_silent();
      return;
    }
    if (clients_.size() >= limits_.clients) drop_longest_silent();
    clients_.emplace(fd, limits_.request_bytes);
    loop_.add_fd(fd, [this, fd] { read_client(fd); });
  }
}

void Server::read_client(int fd) {
  Client& client = clients_.at(fd);
  std::array<char, kReadBytes> chunk;
  const ssize_t count = recv(fd, chunk.data(), chunk.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) drop_client(fd);
    return;
  }
  client.last_progress = Clock::now();
  if (count == 0) client.input_ended = true;
  if (client.requests.append({chunk.data(), static_cast<size_t>(count)})) return drop_client(fd);
  step(fd);
}

// A slice of an answer, or the answer to one request, as long as the client takes the answers.
void Server::step(int fd) {
  Client& client = clients_.at(fd);
  if (!client.request) client.request = client.requests.next();
  if (client.out.empty() && client.more) {
    add_bits(client);
  } else if (client.out.empty() && client.request) {
    if (!answer(client, *client.request)) return drop_client(fd);
    client.request = client.requests.next();
  }
  if (!send_pending(fd, client)) return drop_client(fd);
  const bool goes_on = !client.out.empty() || client.more || client.request;
  if (!goes_on && client.input_ended) return drop_client(fd);
  loop_.watch_readable(fd, !goes_on);
  loop_.watch_writable(fd, goes_on ? EventLoop::Callback([this, fd] { step(fd); }) : EventLoop::Callback());
}

// False where that is no request: nobody who says such things understands an answer.
bool Server::answer(Client& client, const std::string& request) {
  const json call = json::parse(request, nullptr, false);
  if (!is_request(call)) return false;
  Answer answer = handler_(call.at("method").get<std::string>(), call.at("params"));
  if (!answer.text.empty() && answer.text.back() != '\n') answer.text += '\n';
  client.out = R"({"id":)" + json_text(call.at("id")) + (answer.failed ? R"(,"error":")" : R"(,"result":")") +
               escaped(std::move(answer.text));
  client.more = std::move(answer.more);
  client.end = answer.failed ? R"("})" : R"(","error":null})";
  if (!client.more) client.out += client.end;
  return true;
}

void Server::add_bits(Client& client) {
  const auto ends = Clock::now() + kSlice;
  std::string text;
  bool more = true;
  while (more && text.size() < kSliceBytes && Clock::now() < ends) more = client.more(text);
  client.out = escaped(std::move(text));
  if (more) return;
  client.out += client.end;
  client.more = nullptr;
}

// False where the client is gone.
bool Server::send_pending(int fd, Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t count = send(fd, client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    client.sent += static_cast<size_t>(count);
    client.last_progress = Clock::now();
  }
  client.out.clear();
  client.sent = 0;
  return true;
}

void Server::drop_client(int fd) {
  loop_.remove_fd(fd);
  clients_.erase(fd);
  close(fd);
}

void Server::drop_longest_silent() {
  const auto silent = std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
    return a.second.last_progress < b.second.last_progress;
  });
  drop_client(silent->first);
}

void Server::drop_stalled() {
  const auto limit = Clock::now() - limits_.stall;
  std::vector<int> stalled;
  for (const auto& [fd, client] : clients_) {
    const bool busy = client.requests.unfinished_bytes() != 0 || client.request || client.more || !client.out.empty();
    if (busy && client.last_progress < limit) stalled.push_back(fd);
  }
  for (const int fd : stalled) drop_client(fd);
}

}  // namespace causeway::unixctl
