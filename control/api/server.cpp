#include "control/api/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "control/api/request.h"

namespace causeway {

using nlohmann::json;

namespace {

constexpr size_t kReadBytes = 64UL << 10;
constexpr size_t kParsedHereBytes = 64UL << 10;  // larger requests are parsed in the background
constexpr size_t kSliceBytes = 64UL << 10;       // of a list
// How long the loop's others wait for the clients, and a client for the next one; a single reply may take longer.
constexpr std::chrono::milliseconds kTurn{2};
constexpr std::chrono::milliseconds kSlice{1};

// The directory of a socket must be nobody else's: /tmp is everybody's.
Error make_directory(const std::filesystem::path& directory) {
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

}  // namespace

ApiServer::ApiServer(EventLoop& loop, Background& background, std::string path, Handler handler)
    : ApiServer(loop, background, std::move(path), std::move(handler), Limits{}) {}

ApiServer::ApiServer(EventLoop& loop, Background& background, std::string path, Handler handler, Limits limits)
    : loop_(loop), background_(background), path_(std::move(path)), handler_(std::move(handler)), limits_(limits) {}

ApiServer::~ApiServer() {
  while (!clients_.empty()) drop_client(clients_.begin()->first);
  loop_.cancel(turn_timer_);
  if (!listener_.is_open()) return;
  loop_.cancel(stall_timer_);
  loop_.remove_fd(listener_.fd());
}

Error ApiServer::start() {
  const std::filesystem::path file(path_);
  if (file.has_parent_path()) {
    if (Error error = make_directory(file.parent_path())) return error;
  }
  if (Error error = open_socket()) return error;
  loop_.add_fd(listener_.fd(), [this] { accept_clients(); });
  stall_timer_ = loop_.every(std::min(limits_.stall, std::chrono::seconds(5)), [this] { drop_stalled(); });
  return {};
}

Error ApiServer::open_socket() {
  const std::string other = "another causewayd is running as " + std::filesystem::path(path_).stem().string();
  std::string holder;
  if (Error error = lock_.take(path_, holder)) {
    return holder.empty() ? error : other + " (" + path_ + ", " + holder + ")";
  }
  bool alive = false;
  if (Error error = listener_.open(path_, alive)) {
    return alive ? other + " (" + path_ + ")" : "control socket " + error.text();
  }
  return {};
}

void ApiServer::accept_clients() {
  while (true) {
    const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors: without room the same connection would wake us for ever.
      if ((errno == EMFILE || errno == ENFILE) && !clients_.empty()) drop_longest_silent();
      return;
    }
    if (clients_.size() >= limits_.clients) drop_longest_silent();
    Client& client = clients_[fd];
    client.id = ++last_id_;
    client.peer = peer_of(fd);
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
  if (!client.in.append({chunk.data(), static_cast<size_t>(count)})) return drop_client(fd);
  take_turn(fd, true);
}

// `first`: before those who have been answered for a while.
void ApiServer::take_turn(int fd, bool first) {
  Client& client = clients_.at(fd);
  if (std::exchange(client.in_turn, true)) return;
  turns_.insert(first ? turns_.begin() : turns_.end(), fd);
  if (turn_timer_ == 0) turn_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { take_turns(); });
}

// One step for each client in turn, as long as the loop's others can wait. Then it is theirs.
void ApiServer::take_turns() {
  const auto ends = Clock::now() + kTurn;
  turn_timer_ = 0;
  while (!turns_.empty() && Clock::now() < ends) {
    const int fd = turns_.front();
    turns_.pop_front();
    clients_.at(fd).in_turn = false;
    step(fd);
  }
  if (!turns_.empty() && turn_timer_ == 0) {
    turn_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { take_turns(); });
  }
}

// A slice of an answer, or the answer to one request, as long as the client takes the answers.
void ApiServer::step(int fd) {
  Client& client = clients_.at(fd);
  if (!send_pending(fd, client)) return;
  if (client.out.empty() && client.thinking_bytes == 0 && !client.answer_then_close && !client.owner) {
    if (client.rows) {
      if (!add_rows(client)) return drop_client(fd);
    } else if (!answer_next_line(client)) {
      refuse_hoards(client);
    }
  }
  settle(fd);
}

// What comes next for a client: it reads, it writes, it has its turn again, or it goes.
void ApiServer::settle(int fd) {
  drop_hoarders();
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (!send_pending(fd, client)) return;
  const bool waits = !client.out.empty();
  if (!waits && client.owner) return hand_over(fd);
  const bool thinks = client.thinking_bytes != 0;
  const bool has_more = client.rows || client.scanned < client.in.size();
  if (!waits && !thinks && (client.answer_then_close || (client.input_ended && !has_more))) return drop_client(fd);
  loop_.watch_readable(fd, !waits && !thinks && !has_more && !client.input_ended);
  if (waits) {
    loop_.watch_writable(fd, [this, fd] { take_turn(fd); });
  } else {
    loop_.watch_writable(fd, {});
    if (has_more && !thinks) take_turn(fd);
  }
}

// What a client may not pile up here.
void ApiServer::refuse_hoards(Client& client) {
  std::string why;
  if (client.in.size() > limits_.request_bytes) {
    why = "request larger than " + std::to_string(limits_.request_bytes) + " bytes";
  } else if (request_bytes() > limits_.unread_bytes) {
    why = "too many large requests at once";
  }
  if (why.empty()) return;
  client.out = api_line(api_error({why}));
  client.answer_then_close = true;
}

// False where no complete line is left.
bool ApiServer::answer_next_line(Client& client) {
  const std::string_view in = client.in.view();
  const size_t newline = in.find('\n', client.scanned);
  if (newline == std::string::npos) {
    client.scanned = in.size();
    return false;
  }
  client.scanned = 0;
  const std::string_view line = in.substr(0, newline);
  if (line.size() > kParsedHereBytes && line.size() <= limits_.request_bytes) {
    answer_large(client, newline + 1);
    return true;
  }
  ApiRequest request;
  const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
  if (line.size() > limits_.request_bytes) {
    request.error = "request larger than " + std::to_string(limits_.request_bytes) + " bytes";
  } else if (!blank) {
    request = parse_request(line);
  }
  client.in.drop_front(newline + 1);
  if (!blank) answer(client, std::move(request));
  return true;
}

// Its bytes go to the background, what has come behind them stays.
void ApiServer::answer_large(Client& client, size_t bytes) {
  const auto large = std::make_shared<RequestBuffer>(std::move(client.in));
  client.in = RequestBuffer();
  if (!client.in.append(large->view().substr(bytes))) client.input_ended = true;
  const auto parse = [this, large, bytes, peer = client.peer]() -> ApiReply::Act {
    const auto request = std::make_shared<ApiRequest>(parse_request(large->view().substr(0, bytes)));
    return [this, request, peer] { return reply_to(std::move(*request), peer); };
  };
  think(client, ApiReply::later_by(parse, bytes));
}

void ApiServer::answer(Client& client, ApiRequest request) {
  try {
    think(client, reply_to(std::move(request), client.peer));
  } catch (const std::exception& error) {
    // A field of a type the verb did not expect; the daemon serves on.
    think(client, {api_error({"bad request: " + std::string(error.what())})});
  }
}

ApiReply ApiServer::reply_to(ApiRequest request, const Peer& peer) {
  if (!request.error.empty()) return {api_error({request.error})};
  return handler_(std::move(request.fields), peer);
}

// Until the reply is there nothing else is done for the client.
void ApiServer::think(Client& client, ApiReply reply) {
  client.thinking_bytes = std::max<size_t>(reply.bytes, 1);
  const bool at_once = !reply.later;  // then its turn goes on
  await_reply(background_, std::move(reply), [this, id = client.id, at_once](ApiReply done) {
    const int fd = put_reply(id, std::move(done));
    if (!at_once && fd >= 0) take_turn(fd, true);
  });
}

// The descriptor of the client; -1: it didn't wait.
int ApiServer::put_reply(uint64_t id, ApiReply reply) {
  const auto found = std::ranges::find_if(clients_, [id](const auto& item) { return item.second.id == id; });
  if (found == clients_.end()) return -1;
  auto& [fd, client] = *found;
  client.thinking_bytes = 0;
  client.last_progress = Clock::now();
  if (reply.rows) {
    client.rows = std::move(reply.rows);
    client.frame = std::move(reply.frame);
    client.first_row = true;
    client.out = client.frame.before;
  } else {
    client.out = reply.line.empty() ? api_line(reply.whole) : std::move(reply.line);
    client.owner = std::move(reply.owner);
  }
  return fd;
}

// The next slice of rows; false where that can't be gone on with.
bool ApiServer::add_rows(Client& client) try {
  const auto ends = Clock::now() + kSlice;
  const auto add = [&client](const json& row) {
    if (!std::exchange(client.first_row, false)) client.out += client.frame.between;
    client.out += json_text(row);
  };
  bool more = true;
  while (more && client.out.size() < kSliceBytes && Clock::now() < ends) more = client.rows(add);
  if (more) return true;
  client.out += client.frame.after;
  client.rows = nullptr;
  return true;
} catch (const std::exception&) {
  return false;
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
  if (client.out.capacity() > 2 * kSliceBytes) client.out.shrink_to_fit();
  client.sent = 0;
  return true;
}

void ApiServer::hand_over(int fd) {
  const auto owner = std::move(clients_.at(fd).owner);
  loop_.remove_fd(fd);
  clients_.erase(fd);
  std::erase(turns_, fd);
  owner(FileDescriptor(fd));
}

void ApiServer::drop_client(int fd) {
  loop_.remove_fd(fd);
  clients_.erase(fd);
  std::erase(turns_, fd);
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
    const bool busy = !client.in.empty() || !client.out.empty() || client.rows;
    if (busy && client.thinking_bytes == 0 && client.last_progress < limit) stalled.push_back(fd);
  }
  for (const int fd : stalled) drop_client(fd);
}

size_t ApiServer::request_bytes() const {
  size_t bytes = 0;
  for (const auto& [fd, client] : clients_) bytes += client.in.size() + client.thinking_bytes;
  return bytes;
}

// The clients with the most of what nobody takes, until the rest is little enough.
void ApiServer::drop_hoarders() {
  size_t bytes = 0;
  for (const auto& [fd, client] : clients_) bytes += client.out.size();
  while (bytes > limits_.unread_bytes) {
    const auto most = std::ranges::max_element(
        clients_, [](const auto& a, const auto& b) { return a.second.out.size() < b.second.out.size(); });
    bytes -= most->second.out.size();
    drop_client(most->first);
  }
}

}  // namespace causeway
