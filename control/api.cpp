#include "control/api.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

namespace causeway {

using nlohmann::json;

namespace {

constexpr size_t kReadBytes = 64UL << 10;

std::string dump_line(const json& reply) { return reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

// The directory of a socket must be nobody else's: /tmp is everybody's.
std::string make_directory(const std::filesystem::path& directory) {
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return "cannot make directory " + directory.string() + ": " + std::strerror(errno);
  }
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0) {
    return "cannot use directory " + directory.string() + ": " + std::strerror(errno);
  }
  if (!S_ISDIR(status.st_mode)) return directory.string() + " is not a directory";
  if (status.st_uid != geteuid() && status.st_uid != 0) return "directory " + directory.string() + " is another user's";
  return {};
}

// 0: nothing is there.
uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

enum class Occupant { nobody, dead, alive, other };

// Who answers at `address`. Asked without waiting: a daemon whose queue is full is alive.
Occupant occupant_of(const sockaddr_un& address) {
  struct stat status {};
  if (lstat(address.sun_path, &status) != 0) return Occupant::nobody;
  if (!S_ISSOCK(status.st_mode)) return Occupant::other;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = result != 0 && (errno == ECONNREFUSED || errno == ENOENT);
  close(probe);
  return refused ? Occupant::dead : Occupant::alive;
}

}  // namespace

json api_ok(json result) { return {{"ok", true}, {"result", std::move(result)}}; }

json api_error(std::vector<std::string> errors) { return {{"ok", false}, {"errors", std::move(errors)}}; }

ApiServer::ApiServer(EventLoop& loop, std::string path, Handler handler)
    : ApiServer(loop, std::move(path), std::move(handler), Limits{}) {}

ApiServer::ApiServer(EventLoop& loop, std::string path, Handler handler, Limits limits)
    : loop_(loop), path_(std::move(path)), handler_(std::move(handler)), limits_(limits) {}

ApiServer::~ApiServer() {
  while (!clients_.empty()) drop_client(clients_.begin()->first);
  if (listen_fd_ < 0) return;
  loop_.cancel(stall_timer_);
  loop_.remove_fd(listen_fd_);
  // As long as it is open no other file gets its number.
  if (inode_of(path_) == inode_) unlink(path_.c_str());
  close(listen_fd_);
}

std::string ApiServer::start() {
  const std::filesystem::path file(path_);
  if (file.has_parent_path()) {
    if (std::string error = make_directory(file.parent_path()); !error.empty()) return error;
  }
  if (std::string error = bind_socket(); !error.empty()) {
    if (listen_fd_ >= 0) close(listen_fd_);
    listen_fd_ = -1;
    return error;
  }
  loop_.add_fd(listen_fd_, [this] { accept_clients(); });
  stall_timer_ = loop_.every(std::min(limits_.stall, std::chrono::seconds(5)), [this] { drop_stalled(); });
  return {};
}

std::string ApiServer::bind_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    return "control socket " + path_ + ": the path is longer than " + std::to_string(sizeof address.sun_path - 1) +
           " bytes";
  }
  std::copy(path_.begin(), path_.end(), address.sun_path);

  const std::string other = "another causewayd is running as " + std::filesystem::path(path_).stem().string();
  std::string holder;
  const std::string error = lock_.take(path_, holder);
  if (!error.empty()) return holder.empty() ? error : other + " (" + path_ + ", " + holder + ")";
  switch (occupant_of(address)) {
    case Occupant::nobody:
      break;
    case Occupant::dead:
      unlink(path_.c_str());
      break;
    case Occupant::alive:
      return other + " (" + path_ + ")";
    case Occupant::other:
      return "control socket " + path_ + ": something else is there, not a socket";
  }

  listen_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  // Nobody can connect before listen(), so the mode is right in time.
  if (listen_fd_ < 0 || bind(listen_fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path_.c_str(), 0660) != 0 || listen(listen_fd_, SOMAXCONN) != 0) {
    return "control socket " + path_ + ": " + std::strerror(errno);
  }
  inode_ = inode_of(path_);
  return {};
}

void ApiServer::accept_clients() {
  while (true) {
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors: without room the same connection would wake us for ever.
      if ((errno == EMFILE || errno == ENFILE) && !clients_.empty()) drop_longest_silent();
      return;
    }
    if (clients_.size() >= limits_.clients) drop_longest_silent();
    clients_.emplace(fd, Client{});
    loop_.add_fd(fd, [this, fd] { read_client(fd); });
  }
}

void ApiServer::read_client(int fd) {
  Client& client = clients_.at(fd);
  std::array<char, kReadBytes> chunk;
  const ssize_t count = recv(fd, chunk.data(), chunk.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) drop_client(fd);
    return;
  }
  client.last_progress = Clock::now();
  if (count == 0) client.input_ended = true;
  client.in.append(chunk.data(), static_cast<size_t>(count));
  serve(fd);
}

// Answers what is complete, as long as the client takes the answers.
void ApiServer::serve(int fd) {
  Client& client = clients_.at(fd);
  bool more = true;
  while (more && client.out.empty() && !client.answer_then_close) {
    more = answer_next_line(client);
    if (!send_pending(fd, client)) return;
  }

  if (client.out.empty() && !client.answer_then_close && client.scanned == client.in.size()) {
    if (client.in.size() > limits_.request_bytes) {
      client.out = dump_line(api_error({"request larger than " + std::to_string(limits_.request_bytes) + " bytes"}));
      client.answer_then_close = true;
    } else if (unread_bytes() > limits_.unread_bytes) {
      client.out = dump_line(api_error({"too many large requests at once"}));
      client.answer_then_close = true;
    }
    if (!send_pending(fd, client)) return;
  }

  const bool waiting = !client.out.empty();
  if (!waiting && (client.answer_then_close || client.input_ended)) return drop_client(fd);
  loop_.watch_readable(fd, !waiting && !client.input_ended);
  if (!waiting) return loop_.watch_writable(fd, {});
  loop_.watch_writable(fd, [this, fd] {
    if (send_pending(fd, clients_.at(fd))) serve(fd);
  });
}

// False where no complete line is left.
bool ApiServer::answer_next_line(Client& client) {
  const size_t newline = client.in.find('\n', client.scanned);
  if (newline == std::string::npos) {
    client.scanned = client.in.size();
    return false;
  }
  const std::string_view line = std::string_view(client.in).substr(0, newline);
  if (line.find_first_not_of(" \t\r") != std::string_view::npos) client.out = dump_line(answer(line));
  client.in.erase(0, newline + 1);
  client.scanned = 0;
  return true;
}

json ApiServer::answer(std::string_view line) {
  if (line.size() > limits_.request_bytes) {
    return api_error({"request larger than " + std::to_string(limits_.request_bytes) + " bytes"});
  }
  bool too_deep = false;
  const auto shallow = [&](int depth, json::parse_event_t, const json&) {
    too_deep = too_deep || depth > static_cast<int>(limits_.json_depth);
    return !too_deep;
  };
  const json request = json::parse(line, shallow, false);
  if (too_deep) return api_error({"request nested too deep"});
  if (request.is_discarded()) return api_error({"malformed JSON: expected one object a line"});
  const auto verb = request.is_object() ? request.find("verb") : request.end();
  if (verb == request.end() || !verb->is_string()) return api_error({"expected an object with a string \"verb\""});
  try {
    return handler_(request);
  } catch (const std::exception& error) {
    // A field of a type the verb did not expect; the daemon serves on.
    return api_error({"bad request: " + std::string(error.what())});
  }
}

// False where the client is gone, and with it `client`.
bool ApiServer::send_pending(int fd, Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t count = send(fd, client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      drop_client(fd);
      return false;
    }
    client.sent += static_cast<size_t>(count);
    client.last_progress = Clock::now();
  }
  client.out.clear();
  client.out.shrink_to_fit();
  client.sent = 0;
  return true;
}

void ApiServer::drop_client(int fd) {
  loop_.remove_fd(fd);
  clients_.erase(fd);
  close(fd);
}

void ApiServer::drop_longest_silent() {
  const auto silent = std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
    return a.second.last_progress < b.second.last_progress;
  });
  drop_client(silent->first);
}

void ApiServer::drop_stalled() {
  const auto limit = Clock::now() - limits_.stall;
  std::vector<int> stalled;
  for (const auto& [fd, client] : clients_) {
    const bool busy = !client.in.empty() || !client.out.empty();
    if (busy && client.last_progress < limit) stalled.push_back(fd);
  }
  for (const int fd : stalled) drop_client(fd);
}

size_t ApiServer::unread_bytes() const {
  size_t bytes = 0;
  for (const auto& [fd, client] : clients_) bytes += client.in.size();
  return bytes;
}

}  // namespace causeway
