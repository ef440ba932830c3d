#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "control/api.h"
#include "control/api_client.h"
#include "control/background.h"
#include "control/event_loop.h"
#include "tests/catch.h"

using causeway::ApiClient;
using causeway::ApiReply;
using causeway::ApiServer;
using causeway::Background;
using causeway::EventLoop;
using nlohmann::json;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

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

json echo(const json& request) {
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
    const auto deadline = steady_clock::now() + 5s;
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
  void swallow() {
    receive();
    received_.clear();
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
    REQUIRE(api.start().empty());
  }
};

std::string first_error(const json& reply) {
  return reply.is_object() && !reply.value("ok", true) ? reply["errors"][0].get<std::string>() : "(no error)";
}

}  // namespace

TEST_CASE("a request is answered, and the next on the same connection") {
  Server server;
  RawClient client(server.api.path());
  for (int i = 0; i < 3; ++i) {
    client.send_some(R"({"verb":"show","what":"ports"})"
                     "\n");
    CHECK(client.answer(server.loop) == json{{"ok", true}, {"result", {{"verb", "show"}, {"what", "ports"}}}});
  }
}

TEST_CASE("requests sent in one piece are answered in order") {
  Server server;
  RawClient client(server.api.path());
  client.send_some("{\"verb\":\"a\"}\n{\"verb\":\"b\"}\r\n\n{\"verb\":\"c\"}\n");
  for (const char* verb : {"a", "b", "c"}) CHECK(client.answer(server.loop)["result"]["verb"] == verb);
}

TEST_CASE("a request in many pieces is answered once complete") {
  Server server;
  RawClient client(server.api.path());
  for (const char byte : std::string_view("{\"verb\":\"show\"}")) {
    client.send_some(std::string_view(&byte, 1));
    server.loop.run_once(1ms);
  }
  client.send_some("\n");
  CHECK(client.answer(server.loop)["ok"] == true);
}

TEST_CASE("garbage is answered with an error, and the connection goes on") {
  Server server;
  RawClient client(server.api.path());
  client.send_some("\x16\x03\x01 GET / HTTP/1.1\n");
  CHECK(first_error(client.answer(server.loop)) == "malformed JSON: expected one object a line");
  client.send_some("[1,2]\n");
  CHECK(first_error(client.answer(server.loop)) == "expected an object with a string \"verb\"");
  client.send_some("{\"verb\":7}\n");
  CHECK(first_error(client.answer(server.loop)) == "expected an object with a string \"verb\"");
  client.send_some("{\"verb\":\"throw\"}\n");
  CHECK(first_error(client.answer(server.loop)).starts_with("bad request: "));
  client.send_some("{\"verb\":\"show\"}\n");
  CHECK(client.answer(server.loop)["ok"] == true);
}

TEST_CASE("invalid UTF-8 inside a string does not stop the answer") {
  Server server;
  RawClient client(server.api.path());
  client.send_some("{\"verb\":\"\xff\xfe\"}\n");
  CHECK(client.answer(server.loop).is_object());
}

TEST_CASE("deep nesting is refused") {
  Server server;
  RawClient client(server.api.path());
  client.send_all(server.loop, "{\"verb\":" + std::string(100'000, '[') + "\n");
  CHECK(first_error(client.answer(server.loop)) == "request nested too deep");
}

TEST_CASE("a request over the limit is refused and the connection closed") {
  ApiServer::Limits limits;
  limits.request_bytes = 200'000;
  Server server(limits);
  RawClient client(server.api.path());
  client.send_all(server.loop, std::string(600'000, 'x'));
  CHECK(first_error(client.answer(server.loop)) == "request larger than 200000 bytes");
  CHECK(client.closed_by_server(server.loop));
  RawClient next(server.api.path());
  next.send_some("{\"verb\":\"show\"}\n");
  CHECK(next.answer(server.loop)["ok"] == true);
}

TEST_CASE("half requests of many clients together are bounded") {
  ApiServer::Limits limits;
  limits.unread_bytes = 500'000;
  Server server(limits);
  RawClient first(server.api.path()), second(server.api.path());
  first.send_all(server.loop, std::string(300'000, 'x'));
  second.send_all(server.loop, std::string(300'000, 'x'));
  CHECK(first_error(second.answer(server.loop)) == "too many large requests at once");
  CHECK(second.closed_by_server(server.loop));
}

TEST_CASE("a large request and a large answer go through whole") {
  Server server;
  RawClient client(server.api.path());
  const std::string text(5'000'000, 'y');
  client.send_all(server.loop, json{{"verb", "apply"}, {"text", text}}.dump() + "\n");
  CHECK(client.answer(server.loop)["result"]["text"] == text);
}

TEST_CASE("a client that does not read its answers is not read from, and the others are served") {
  Server server;
  RawClient deaf(server.api.path());
  const std::string request = "{\"verb\":\"big\",\"bytes\":4000000}\n";
  size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    taken += deaf.send_some(request);
    server.loop.run_once(0ms);
  }
  // What stays unanswered stands in the socket's buffer and one read's worth here.
  CHECK(taken < 2'000'000);
  RawClient other(server.api.path());
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);
  CHECK(deaf.answer(server.loop)["result"].get<std::string>().size() == 4'000'000);
}

TEST_CASE("a client that vanishes in the middle of anything does no harm") {
  Server server;
  for (const char* text : {"", "{\"verb\"", "{\"verb\":\"big\",\"bytes\":4000000}\n"}) {
    RawClient client(server.api.path());
    client.send_some(text);
    server.loop.run_once(1ms);
    server.loop.run_once(1ms);
    client.hang_up();
    for (int i = 0; i < 5; ++i) server.loop.run_once(1ms);
  }
  RawClient client(server.api.path());
  client.send_some("{\"verb\":\"show\"}\n");
  CHECK(client.answer(server.loop)["ok"] == true);
}

TEST_CASE("a client that ends its input still gets its answers") {
  Server server;
  RawClient client(server.api.path());
  client.send_some("{\"verb\":\"big\",\"bytes\":3000000}\n{\"verb\":\"b\"}\n{\"half");
  client.end_input();
  CHECK(client.answer(server.loop)["result"].get<std::string>().size() == 3'000'000);
  CHECK(client.answer(server.loop)["result"]["verb"] == "b");
  CHECK(client.closed_by_server(server.loop));
}

TEST_CASE("more clients than the limit push out the one that was silent longest") {
  ApiServer::Limits limits;
  limits.clients = 3;
  Server server(limits);
  RawClient silent(server.api.path());
  server.loop.run_once(1ms);
  std::vector<std::unique_ptr<RawClient>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(std::make_unique<RawClient>(server.api.path()));
    server.loop.run_once(1ms);
  }
  CHECK(silent.closed_by_server(server.loop));
  for (const auto& other : others) {
    other->send_some("{\"verb\":\"show\"}\n");
    CHECK(other->answer(server.loop)["ok"] == true);
  }
}

TEST_CASE("half a request that never ends is given up") {
  ApiServer::Limits limits;
  limits.stall = 0s;
  Server server(limits);
  RawClient client(server.api.path());
  client.send_some("{\"verb\"");
  CHECK(client.closed_by_server(server.loop));
}

TEST_CASE("the socket: its mode, a living daemon's, a dead one's, and none of these") {
  const Folder folder;
  EventLoop loop;
  Background background(loop);
  const std::string path = folder.path / "made" / "gw1.sock";
  struct stat status {};
  {
    ApiServer first(loop, background, path, echo);
    REQUIRE(first.start().empty());
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0660);
    ApiServer second(loop, background, path, echo);
    CHECK(second.start().starts_with("another causewayd is running as gw1 ("));
  }
  CHECK_FALSE(std::filesystem::exists(path));

  // What a daemon leaves that was killed: a bound socket nobody listens on.
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  close(dead);
  {
    ApiServer third(loop, background, path, echo);
    CHECK(third.start() == "");
  }

  std::ofstream(path) << "precious";
  ApiServer fourth(loop, background, path, echo);
  CHECK(fourth.start() == "control socket " + path + ": something else is there, not a socket");
  CHECK(std::filesystem::file_size(path) == 8);

  ApiServer long_path(loop, background, folder.path / std::string(200, 'x'), echo);
  CHECK(long_path.start().find("longer than 107 bytes") != std::string::npos);
}

TEST_CASE("the socket: the end of a daemon leaves the socket of a newer one alone") {
  const Folder folder;
  EventLoop loop;
  Background background(loop);
  auto stale = std::make_unique<ApiServer>(loop, background, folder.socket(), echo);
  REQUIRE(stale->start() == "");
  // Somebody who tidies up, a new mount over /run: a second one can start then.
  std::filesystem::remove(folder.socket());
  std::filesystem::remove(folder.socket() + ".lock");
  ApiServer newer(loop, background, folder.socket(), echo);
  REQUIRE(newer.start() == "");
  stale.reset();
  CHECK(std::filesystem::is_socket(folder.socket()));
  CHECK(std::filesystem::exists(folder.socket() + ".lock"));
  ApiServer third(loop, background, folder.socket(), echo);
  CHECK(third.start() ==
        "another causewayd is running as gw (" + folder.socket() + ", process " + std::to_string(getpid()) + ")");
}

TEST_CASE("the socket: of many that start at once over a dead one's, one wins") {
  const Folder folder;
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> starters;
    int ready[2];
    int winners[2];
    REQUIRE(pipe(ready) == 0);
    REQUIRE(pipe(winners) == 0);
    for (int i = 0; i < 8; ++i) {
      const pid_t pid = fork();
      REQUIRE(pid >= 0);
      if (pid != 0) {
        starters.push_back(pid);
        continue;
      }
      close(ready[1]);
      close(winners[0]);
      char byte = 0;
      static_cast<void>(read(ready[0], &byte, 1));  // until the parent closes it
      EventLoop loop;
      auto& background = *new Background(loop);
      auto* const server = new ApiServer(loop, background, folder.socket(), echo);  // not ended: as if killed
      if (server->start().empty()) static_cast<void>(write(winners[1], "w", 1));
      close(winners[1]);
      pause();
      _exit(0);
    }
    close(ready[0]);
    close(winners[1]);
    close(ready[1]);
    size_t won = 0;
    char byte = 0;
    while (read(winners[0], &byte, 1) == 1) ++won;  // until all have closed it
    close(winners[0]);
    CHECK(won == 1);
    for (const pid_t pid : starters) kill(pid, SIGKILL);
    for (const pid_t pid : starters) waitpid(pid, nullptr, 0);
    CHECK(std::filesystem::is_socket(folder.socket()));  // of a dead one, for the next round
  }
}

TEST_CASE("the client: no daemon, an answer, a refusal", "[threads]") {
  const Folder folder;
  ApiClient nobody;
  CHECK(nobody.connect(folder.socket()) == "no causewayd is running at " + folder.socket());

  ApiServer::Limits limits;
  limits.request_bytes = 100'000;
  EventLoop loop;
  Background background(loop);
  ApiServer server(
      loop, background, folder.socket(),
      [&loop](const json& request) {
        if (request["verb"] == "stop") loop.stop();
        return causeway::api_ok(request["verb"]);
      },
      limits);
  REQUIRE(server.start().empty());
  std::thread daemon([&loop] { loop.run(); });
  json small, large;
  ApiClient client, refused;
  const bool connected = client.connect(folder.socket()).empty() && refused.connect(folder.socket()).empty();
  if (connected) {
    small = client.ask({{"verb", "show"}});
    large = refused.ask({{"verb", "apply"}, {"text", std::string(5'000'000, 'z')}});
    client.ask({{"verb", "stop"}});
  }
  daemon.join();
  REQUIRE(connected);
  CHECK(small == json{{"ok", true}, {"result", "show"}});
  CHECK(first_error(large) == "request larger than 100000 bytes");
}

TEST_CASE("requests are flat, of few fields and short words, and cost no more than their length") {
  Server server;
  RawClient client(server.api.path());
  const auto refusal = [&](const std::string& line) {
    client.send_all(server.loop, line + "\n");
    return first_error(client.answer(server.loop));
  };
  std::string objects;
  for (int i = 0; i < 350'000; ++i) objects += "{},";
  const auto start = steady_clock::now();
  CHECK(refusal("{\"verb\":\"x\",\"a\":[" + objects + "0]}") == "request nested too deep");
  CHECK(refusal("[" + objects + "0]") == "expected an object with a string \"verb\"");
  std::string fields = "{\"verb\":\"x\"";
  for (int i = 0; i < 100'000; ++i) fields += ",\"f" + std::to_string(i) + "\":0";
  CHECK(refusal(fields + "}") == "request has too many fields");
  CHECK(steady_clock::now() - start < 5s);  // 1 MiB of objects was a minute once

  const std::string long_word(4097, 'x');
  CHECK(refusal("{\"verb\":\"x\",\"port\":\"" + long_word + "\"}") == "port: longer than 4096 bytes");
  CHECK(refusal("{\"verb\":\"x\",\"text\":\"" + long_word + "\"}") == "text: longer than 4096 bytes");
  CHECK(refusal("{\"verb\":\"x\",\"" + long_word + "\":1}") == "a field's name is longer than 4096 bytes");
  CHECK(refusal("{\"verb\":\"plan\",\"text\":\"" + long_word + "\"}") == "(no error)");
  CHECK(refusal("{\"verb\":\"x\"} {}") == "malformed JSON: expected one object a line");
}

TEST_CASE("a large request is parsed while others are answered, and the order of its client's answers stays") {
  Server server;
  RawClient large(server.api.path()), other(server.api.path());
  const std::string text(8'000'000, 'z');
  large.send_all(server.loop, json{{"verb", "apply"}, {"text", text}}.dump() + "\n{\"verb\":\"b\"}\n");
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);
  CHECK(large.answer(server.loop)["result"]["text"] == text);
  CHECK(large.answer(server.loop)["result"]["verb"] == "b");
}

namespace {

constexpr int kRows = 100'000;

// A server with a verb that takes its time, and one that answers with rows.
struct Thinker {
  Folder folder;
  EventLoop loop;
  Background background{loop};
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();
  int rows_made = 0;
  bool gate_was_open = false;
  ApiServer api{loop,
                background,
                folder.socket(),
                [this](const json& request) { return answer(request); },
                {.unread_bytes = 5'000'000}};

  Thinker() { REQUIRE(api.start().empty()); }
  ~Thinker() {
    if (!gate_was_open) gate.set_value();
  }
  void open_gate() {
    gate.set_value();
    gate_was_open = true;
  }
  ApiReply answer(const json& request) {
    if (request["verb"] == "think") {
      return ApiReply::later_by(
          [open = open]() -> ApiReply::Act {
            open.wait();
            return [] { return ApiReply(causeway::api_ok("thought")); };
          },
          100);
    }
    if (request["verb"] == "throw") {
      return ApiReply::later_by([]() -> ApiReply::Act { throw std::runtime_error("no"); }, 1);
    }
    if (request["verb"] == "rows") {
      return ApiReply::in_rows([this, row = 0](const auto& add) mutable {
        if (row == kRows) return false;
        ++rows_made;
        add({{"row", row++}});
        return true;
      });
    }
    if (request["verb"] == "no rows") return ApiReply::in_rows([](const auto&) { return false; });
    return {echo(request)};
  }
};

}  // namespace

TEST_CASE("what takes its time holds up its own client only", "[threads]") {
  Thinker server;
  RawClient slow(server.api.path()), other(server.api.path());
  slow.send_some("{\"verb\":\"think\"}\n{\"verb\":\"after\"}\n");
  for (int i = 0; i < 3; ++i) {
    other.send_some("{\"verb\":\"show\"}\n");
    CHECK(other.answer(server.loop)["ok"] == true);
  }
  server.open_gate();
  CHECK(slow.answer(server.loop)["result"] == "thought");
  CHECK(slow.answer(server.loop)["result"]["verb"] == "after");
  slow.send_some("{\"verb\":\"throw\"}\n");
  CHECK(first_error(slow.answer(server.loop)) == "bad request: no");
}

TEST_CASE("a client that goes while it is thought about does no harm", "[threads]") {
  Thinker server;
  {
    RawClient gone(server.api.path());
    gone.send_some("{\"verb\":\"think\"}\n");
    for (int i = 0; i < 5; ++i) server.loop.run_once(1ms);
  }
  server.open_gate();
  RawClient other(server.api.path());
  other.send_some("{\"verb\":\"think\"}\n");
  CHECK(other.answer(server.loop)["result"] == "thought");
}

TEST_CASE("a list in rows is one answer, made as it is taken, and others are answered meanwhile") {
  Thinker server;
  RawClient reader(server.api.path()), other(server.api.path());
  reader.send_some("{\"verb\":\"rows\"}\n{\"verb\":\"after\"}\n");
  for (int i = 0; i < 100; ++i) server.loop.run_once(1ms);
  CHECK(server.rows_made > 0);
  CHECK(server.rows_made < kRows / 2);  // what the socket holds, and a slice
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);

  const json reply = reader.answer(server.loop);
  REQUIRE(reply["ok"] == true);
  REQUIRE(reply["result"].size() == kRows);
  bool in_order = true;
  for (int i = 0; i < kRows; ++i) in_order = in_order && reply["result"][static_cast<size_t>(i)]["row"] == i;
  CHECK(in_order);
  CHECK(reader.answer(server.loop)["result"]["verb"] == "after");
  other.send_some("{\"verb\":\"no rows\"}\n");
  CHECK(other.answer(server.loop) == json{{"ok", true}, {"result", json::array()}});
}

TEST_CASE("a client that goes in the midst of a list does no harm") {
  Thinker server;
  {
    RawClient gone(server.api.path());
    gone.send_some("{\"verb\":\"rows\"}\n");
    for (int i = 0; i < 5; ++i) server.loop.run_once(1ms);
  }
  for (int i = 0; i < 20; ++i) server.loop.run_once(1ms);
  CHECK(server.rows_made < kRows);
  RawClient other(server.api.path());
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);
}

TEST_CASE("replies that nobody reads are bounded: who leaves most of them goes") {
  Thinker server;  // 5 MB
  std::vector<std::unique_ptr<RawClient>> deaf;
  for (const int bytes : {2'000'000, 3'500'000}) {
    deaf.push_back(std::make_unique<RawClient>(server.api.path()));
    deaf.back()->send_some("{\"verb\":\"big\",\"bytes\":" + std::to_string(bytes) + "}\n");
    for (int i = 0; i < 10; ++i) server.loop.run_once(1ms);
  }
  CHECK(deaf[1]->closed_by_server(server.loop));
  CHECK(deaf[0]->answer(server.loop)["result"].get<std::string>().size() == 2'000'000);
}

TEST_CASE("a small question is answered within two rounds of the loop, however many lists are under way") {
  Thinker server;
  std::vector<std::unique_ptr<RawClient>> readers;
  for (int i = 0; i < 50; ++i) {
    readers.push_back(std::make_unique<RawClient>(server.api.path()));
    std::string many;
    for (int n = 0; n < 1000; ++n) many += "{\"verb\":\"rows\"}\n";
    readers.back()->send_some(many);
  }
  RawClient other(server.api.path());
  for (int i = 0; i < 5; ++i) server.loop.run_once(0ms);
  int rounds_with_answer = 0;
  for (int i = 0; i < 10; ++i) {
    other.send_some("{\"verb\":\"show\"}\n");
    for (int round = 0; round < 2; ++round) server.loop.run_once(0ms);
    rounds_with_answer += other.has_answer() ? 1 : 0;
    for (const auto& reader : readers) reader->swallow();  // so that there is more to do for it
  }
  CHECK(rounds_with_answer == 10);
  CHECK(server.rows_made > 0);
}
