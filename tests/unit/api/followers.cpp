// Clients that follow state changes (control/api/followers.h).
#include "control/api/followers.h"

#include <sys/socket.h>

#include "tests/unit/api/bed.h"

namespace causeway::test {
namespace {

void tell(int number) {
  state_changes().tell([&] {
    return StateChange{"link", "lan" + std::to_string(number), "up", "", "lan" + std::to_string(number) + ": link up"};
  });
}

// What came, each line as JSON; until nothing more does.
std::vector<json> take_lines(EventLoop& loop, int fd) {
  std::string received;
  std::vector<char> piece(1 << 16);
  for (int idle = 0; idle < 10;) {
    loop.run_once(0ms);
    const ssize_t count = recv(fd, piece.data(), piece.size(), MSG_DONTWAIT);
    idle = count > 0 ? 0 : idle + 1;
    if (count > 0) received.append(piece.data(), static_cast<size_t>(count));
  }
  std::vector<json> lines;
  for (size_t begin = 0, end = 0; (end = received.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(json::parse(received.substr(begin, end - begin)));
  }
  return lines;
}

struct Client {
  FileDescriptor end;
  explicit Client(Followers& followers) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    end = FileDescriptor(ends[0]);
    followers.begin().owner(FileDescriptor(ends[1]));
  }
};

}  // namespace

TEST_CASE("followers: each has each change, as a line of JSON") {
  EventLoop loop;
  Followers followers(loop);
  tell(0);
  const Client first(followers);
  tell(1);
  const Client second(followers);
  state_changes().tell([] { return StateChange{"neighbor", "up0", "lost", "172.31.0.2", "a \"word\"\nor two"}; });
  const std::vector<json> lines = take_lines(loop, first.end.get());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("object") == "lan1");
  CHECK_FALSE(lines[0].contains("peer"));
  json neighbor = lines[1];
  CHECK(neighbor.at("time").get<std::string>().size() == std::string("2026-01-31T12:00:00.123Z").size());
  neighbor.erase("time");
  CHECK(neighbor == json{{"kind", "neighbor"},
                         {"object", "up0"},
                         {"state", "lost"},
                         {"peer", "172.31.0.2"},
                         {"text", "a \"word\"\nor two"}});
  CHECK(take_lines(loop, second.end.get()).size() == 1);
}

TEST_CASE("followers: a slow one loses changes, is told how many, and holds up nobody") {
  constexpr int kChanges = 30'000;
  EventLoop loop;
  Followers followers(loop);
  const Client slow(followers);
  const Client quick(followers);
  size_t taken = 0;
  for (int i = 0; i < kChanges; ++i) {
    tell(i);
    if (i % 1000 == 999) taken += take_lines(loop, quick.end.get()).size();
  }
  CHECK(taken == kChanges);
  const std::vector<json> lines = take_lines(loop, slow.end.get());
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.back().at("lost").get<size_t>() + lines.size() - 1 == kChanges);
  CHECK(lines.front().at("object") == "lan0");
  CHECK(lines[lines.size() - 2].at("object") == "lan" + std::to_string(lines.size() - 2));
  tell(7);
  CHECK(take_lines(loop, slow.end.get()).size() == 1);
}

TEST_CASE("followers: nothing is made for nobody, and there are not too many") {
  EventLoop loop;
  Followers followers(loop);
  {
    std::vector<std::unique_ptr<Client>> all;
    for (size_t i = 0; i < Followers::kMost; ++i) all.push_back(std::make_unique<Client>(followers));
    CHECK(followers.begin().whole.at("errors").size() == 1);
  }
  for (size_t i = 0; i < 10 * Followers::kMost; ++i) loop.run_once(0ms);
  bool made = false;
  state_changes().tell([&] {
    made = true;
    return StateChange{};
  });
  CHECK_FALSE(made);
  const Client another(followers);
  tell(1);
  CHECK(take_lines(loop, another.end.get()).size() == 1);
}

}  // namespace causeway::test
