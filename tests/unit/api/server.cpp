#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/api/client.h"
#include "tests/unit/api/bed.h"

namespace causeway::test {

TEST_CASE("a request is answered, and the next on the same connection") {
  Server server;
  RawClient client(server.api.path());
  for (int i = 0; i < 3; ++i) {
    client.send_some(R"({"verb":"show","what":"ports"})"
                     "\n");
    CHECK(client.answer(server.loop) == json{{"ok", true}, {"result", {{"verb", "show"}, {"what", "ports"}}}});
  }
}

TEST_CASE("whoever asks is known by the kernel's word") {
  Server server;
  RawClient client(server.api.path());
  client.send_some("{\"verb\":\"who\"}\n");
  CHECK(client.answer(server.loop)["result"] ==
        json{{"uid", geteuid()}, {"pid", getpid()}, {"user", user_name(geteuid())}});
  CHECK(user_name(4294967290U) == "4294967290");
  CHECK(user_name(0) == "root");
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

TEST_CASE("a connection that is handed over carries no more replies, and is its owner's alone") {
  Folder folder;
  EventLoop loop;
  Background background(loop);
  FileDescriptor taken;
  std::optional<RawClient> client;
  const auto handler = [&taken](const json&, const Peer&) {
    return ApiReply::handing_over(api_line(api_ok(std::string(5'000'000, 'x'))),
                                  [&taken](FileDescriptor client) { taken = std::move(client); });
  };
  {
    ApiServer api(loop, background, folder.socket(), handler);
    REQUIRE(api.start() == Error());
    RawClient gone(folder.socket());
    gone.send_some("{\"verb\":\"capture\"}\n");
    for (int i = 0; i < 20; ++i) loop.run_once(1ms);
    CHECK_FALSE(taken.valid());  // as long as the line isn't sent
    gone.hang_up();
    for (int i = 0; i < 20; ++i) loop.run_once(1ms);
    CHECK_FALSE(taken.valid());

    client.emplace(folder.socket());
    client->send_some("{\"verb\":\"capture\"}\n{\"verb\":\"capture\"}\n");
    CHECK(client->answer(loop)["ok"] == true);
    for (int i = 0; i < 20; ++i) loop.run_once(1ms);
    REQUIRE(taken.valid());
    CHECK(client->take().empty());
    CHECK(send(taken.get(), "bytes", 5, MSG_NOSIGNAL) == 5);
    CHECK(client->take() == "bytes");
  }
  // The server's end is not the connection's.
  CHECK(send(taken.get(), "more", 4, MSG_NOSIGNAL) == 4);
  CHECK(client->take() == "more");
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
    REQUIRE(first.start().text() == "");
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0660);
    ApiServer second(loop, background, path, echo);
    CHECK(second.start().text().starts_with("another causewayd is running as gw1 ("));
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
  CHECK(long_path.start().text().find("longer than 107 bytes") != std::string::npos);
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
      if (server->start().text().empty()) static_cast<void>(write(winners[1], "w", 1));
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
      [&loop](const json& request, const Peer&) {
        if (request["verb"] == "stop") loop.stop();
        return causeway::api_ok(request["verb"]);
      },
      limits);
  REQUIRE(server.start().text().empty());
  std::thread daemon([&loop] { loop.run(); });
  json small, large;
  ApiClient client, refused;
  const bool connected =
      client.connect(folder.socket()).text().empty() && refused.connect(folder.socket()).text().empty();
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

}  // namespace causeway::test
