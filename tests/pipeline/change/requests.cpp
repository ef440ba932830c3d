// Changes as people ask for them (control/change): with time to confirm them, back again, and never half.
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

#include "control/daemon.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/stopped_clock.h"
#include "tests/pipeline/change/state.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "causeway-changes-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file() const { return path + "/pipeline.yaml"; }  // as the daemon is called
};

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string with_ports(const std::string& ports) {
  return "version: 1 # " + ports + "\nethernets: {up0: {addresses: [172.31.0.1/24]}, " + ports +
         "}\nbridges: {br0: {interfaces: [lan0, g0]}}\ntunnels: {g0: {mode: geneve, id: 5, local: 172.31.0.1, remote: "
         "172.31.0.2}}\n";
}
const std::string kFirst = with_ports("lan0: {}");
const std::string kSecond = with_ports("lan0: {}, lan1: {}");
const std::string kThird = with_ports("lan0: {mtu: 2000}");

// A daemon's life; the state folder and the start-up file outlive it.
struct Life {
  const Folder& folder;
  Bed bed{"version: 1"};
  EventLoop loop;
  StateDirectory state;
  std::unique_ptr<Background> background = std::make_unique<Background>(loop);
  Daemon daemon{loop, bed.gateway(), load_yaml("version: 1").system, folder.file()};

  explicit Life(const Folder& where, bool keeps = true) : folder(where) {
    if (keeps) REQUIRE(!state.open(folder.path + "/state"));
    daemon.changes().keep_in(state, *background);
    // As main does it.
    const auto kept = keeps ? state.read(Unconfirmed::kFile) : std::nullopt;
    const auto unconfirmed = kept ? read_unconfirmed(*kept) : std::nullopt;
    const std::string text = unconfirmed ? unconfirmed->yaml : text_of_file(folder.file());
    REQUIRE(daemon.changes().start(folder.file(), text, unconfirmed).empty());
    settle();
  }
  ~Life() { background.reset(); }

  json ask(json request, const Peer& peer = {.uid = 0, .pid = 1}) {
    json answer;
    begin(std::move(request), answer, peer);
    until([&] { return !answer.is_null(); });
    bed.run();
    return answer;
  }
  // The answer comes by and by.
  void begin(json request, json& answer, const Peer& peer = {.uid = 0, .pid = 1}) {
    await_reply(*background, daemon.handle(std::move(request), peer),
                [&](const ApiReply& reply) { answer = reply.line.empty() ? reply.whole : json::parse(reply.line); });
  }
  template <typename Done>
  void until(Done is_done) {
    for (int i = 0; i < 20000 && !is_done(); ++i) loop.run_once(1ms);
    REQUIRE(is_done());
  }
  // What was asked for before is done by now.
  void settle() { ask({{"verb", "changes"}}); }
  json apply(const std::string& text, json more = json::object()) {
    more.update({{"verb", "apply"}, {"file", "new.yaml"}, {"text", text}});
    return ask(more);
  }
  json done(const json& reply) {
    INFO(reply.dump());
    REQUIRE(reply.at("ok") == true);
    return reply.at("result");
  }
  std::string error(const json& reply) {
    INFO(reply.dump());
    REQUIRE(reply.at("ok") == false);
    return reply.at("errors").at(0);
  }
  json changes() { return done(ask({{"verb", "changes"}})); }
  uint64_t generation() { return changes().at("generation"); }
  json last() { return changes().at("changes").back(); }
  const config::Config& runs() { return *daemon.configuration().file().config; }
  bool runs(const std::string& text) {
    config::Config wanted = load_yaml(text);
    wanted.system.name = runs().system.name;
    return runs() == wanted;
  }
  json shown() { return state_of(bed); }
  // The time is over, and nothing comes of it as long as the background has a pause.
  void begin_to_go_back(StoppedClock& clock) {
    clock.advance(60001ms);
    loop.run_once(1ms);
  }
};

// The background does nothing more until its end.
class Pause {
 public:
  explicit Pause(Background& background) {
    background.run([over = over_.get_future().share()]() -> Background::Finish {
      over.wait();
      return [] {};
    });
  }
  ~Pause() { end(); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  void end() {
    if (!std::exchange(ended_, true)) over_.set_value();
  }

 private:
  std::promise<void> over_;
  bool ended_ = false;
};

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// spdlog's errors of what is refused on purpose are no news.
struct Quiet {
  Quiet() { spdlog::set_level(spdlog::level::off); }
  ~Quiet() { spdlog::set_level(spdlog::level::info); }
};

}  // namespace

TEST_CASE("changes: each has a generation, and one that is based on another is refused") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  CHECK(life.generation() == 1);
  CHECK(life.last().at("verb") == "start");
  const json result = life.done(life.apply(kSecond, {{"expect", 1}}));
  CHECK(result.at("generation") == 2);
  CHECK(result.at("operations") == json{"+ ethernet lan1 interface"});
  CHECK(life.error(life.apply(kThird, {{"expect", 1}})) ==
        "apply: is based on generation 1, but generation 2 runs; `causewayctl show changes` has what came between");
  CHECK(life.runs(kSecond));
  CHECK(life.last().at("result") == "refused");
  // Nothing to change is no change.
  CHECK(life.done(life.apply(kSecond)).at("generation") == 2);
  CHECK(life.error(life.ask({{"verb", "set"}, {"text", "ethernets.lan0.mtu=2000"}, {"expect", 7}}))
            .starts_with("set: is based on generation 7, but generation 2 runs"));
  CHECK(life.error(life.ask({{"verb", "rollback"}, {"expect", 1}})).starts_with("rollback: is based on generation 1"));
  for (const json& wrong : {json(-1), json("1"), json(1.5), json(true)}) {
    // The server makes an error of it.
    CHECK_THROWS_AS(life.apply(kThird, {{"expect", wrong}}), std::invalid_argument);
  }
}

TEST_CASE("changes: of two that are read at once, the second is planned against what the first has left") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  std::vector<json> answers;
  const auto begin = [&](const json& request) {
    await_reply(*life.background, life.daemon.handle(request, {}), [&](const ApiReply& reply) {
      answers.push_back(reply.line.empty() ? reply.whole : json::parse(reply.line));
    });
  };
  const auto applied = [](const std::string& text) {
    return json{{"verb", "apply"}, {"file", "new.yaml"}, {"text", text}};
  };
  begin(applied(kSecond));
  begin(applied(kFirst));
  begin({{"verb", "set"}, {"text", "tunnels.g0.ttl=9"}});
  begin({{"verb", "set"}, {"text", "tunnels.g0.id=6"}});
  begin({{"verb", "rollback"}});  // of what ran when it was asked for
  for (int i = 0; i < 20000 && answers.size() < 5; ++i) life.loop.run_once(1ms);
  REQUIRE(answers.size() == 5);
  CHECK(std::ranges::count(answers, true, [](const json& each) { return each.at("ok").get<bool>(); }) == 4);
  CHECK(life.generation() == 5);
  CHECK(life.runs().tunnels.at("g0").ttl == 9);
  CHECK(life.runs().tunnels.at("g0").id == 6);
  CHECK(!life.runs().ethernets.contains("lan1"));
  const auto ports = show(life.bed.gateway(), "ports");
  CHECK(ports.size() == 2);
}

TEST_CASE("changes: unconfirmed ones go back in their time, and not before") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  const json before = life.shown();
  StoppedClock clock;
  const json result = life.done(life.apply(kSecond, {{"confirm", 60}}));
  CHECK(result.at("unconfirmed").at("left_s") == 60);
  CHECK(life.runs(kSecond));
  clock.advance(59s);
  life.settle();
  CHECK(life.runs(kSecond));
  CHECK(life.changes().at("unconfirmed").at("left_s") == 1);
  clock.advance(1001ms);
  for (int i = 0; i < 20000 && !life.runs(kFirst); ++i) life.loop.run_once(1ms);
  life.settle();
  CHECK(life.runs(kFirst));
  CHECK(life.shown() == before);
  const json last = life.last();
  CHECK(last.at("verb") == "revert");
  CHECK(last.at("user") == "causewayd");
  CHECK(last.at("uid").is_null());
  CHECK(last.at("label") == "apply new.yaml");
  CHECK(life.changes().at("unconfirmed").is_null());
  CHECK(life.generation() == 3);
  CHECK(!life.state.read(Unconfirmed::kFile));
  clock.advance(1h);
  life.settle();
  CHECK(life.generation() == 3);
}

TEST_CASE("changes: confirmed ones stay") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  {
    Life life(folder);
    CHECK(life.error(life.ask({{"verb", "confirm"}})) == "confirm: nothing awaits it");
    StoppedClock clock;
    life.done(life.apply(kSecond, {{"confirm", 60}}));
    CHECK(life.state.read(Unconfirmed::kFile));
    const json result = life.done(life.ask({{"verb", "confirm"}}));
    CHECK(result.at("generation") == 2);
    CHECK(result.at("unconfirmed").is_null());
    CHECK(!life.state.read(Unconfirmed::kFile));
    clock.advance(1h);
    life.settle();
    CHECK(life.runs(kSecond));
    CHECK(life.last().at("verb") == "confirm");
  }
  // It wasn't saved.
  Life next(folder);
  CHECK(next.runs(kFirst));
  CHECK(next.last().at("verb") == "start");
  CHECK(next.generation() == 3);
}

TEST_CASE("changes: a daemon that ends before the confirmation comes back with what ran before") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  {
    Life life(folder);
    life.done(life.apply(kThird));  // confirmed, not saved
    life.done(life.ask({{"verb", "set"}, {"text", "tunnels.g0.ttl=9"}, {"confirm", 60}}));
    life.done(life.apply(kSecond, {{"confirm", 60}}));
    write(folder.file(), kSecond);  // as people do it
  }
  // Each start, as long as nobody does anything: the file has what may have locked him out.
  for (int start = 0; start < 3; ++start) {
    Life next(folder);
    CHECK(next.runs(kThird));
    CHECK(next.last().at("verb") == "revert");
    CHECK(next.changes().at("saved") == false);
    CHECK(next.error(next.ask({{"verb", "confirm"}})) == "confirm: nothing awaits it");
    if (start == 1) {  // what goes back again is no change
      next.done(next.apply(kFirst, {{"confirm", 60}}));
      next.done(next.ask({{"verb", "rollback"}}));
    }
  }
  bool wants_file = false;
  {
    Life next(folder);
    SECTION("a change is one") { next.done(next.ask({{"verb", "set"}, {"text", "tunnels.g0.ttl=9"}})); }
    SECTION("the file is meant") {
      CHECK(next.done(next.ask({{"verb", "reload"}})).at("saved") == true);
      wants_file = true;
    }
    SECTION("one that is confirmed is one, too") {
      next.done(next.apply(kFirst, {{"confirm", 60}}));
      next.done(next.ask({{"verb", "confirm"}}));
    }
    SECTION("what runs is saved") { next.done(next.ask({{"verb", "save"}})); }
    CHECK(!next.state.read(Unconfirmed::kFile));
    wants_file = next.changes().at("saved") == false || wants_file;
  }
  Life next(folder);
  CHECK(next.runs(wants_file ? kSecond : kThird));
  CHECK(next.last().at("verb") == "start");
}

TEST_CASE("changes: one that is confirmed late, but before it has gone back, stays") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  StoppedClock clock;
  life.done(life.apply(kSecond, {{"confirm", 60}}));
  Pause pause(*life.background);
  json other;
  SECTION("confirmed") {
    life.begin_to_go_back(clock);
    life.begin({{"verb", "confirm"}}, other);
    pause.end();
    life.until([&] { return !other.is_null(); });
    life.done(other);
    life.settle();
    CHECK(life.runs(kSecond));
    CHECK(life.changes().at("unconfirmed").is_null());
    CHECK(!life.state.read(Unconfirmed::kFile));
  }
  SECTION("another one has come, that has a time of its own") {
    life.begin({{"verb", "apply"}, {"file", "b.yaml"}, {"text", kThird}, {"confirm", 30}}, other);
    life.begin_to_go_back(clock);
    pause.end();
    life.until([&] { return !other.is_null(); });
    life.done(other);
    life.settle();
    CHECK(life.runs(kThird));
    CHECK(life.changes().at("unconfirmed").at("left_s") == 30);
    clock.advance(30001ms);
    life.until([&] { return life.runs(kFirst); });
  }
  SECTION("confirmed, and another one has come") {
    life.begin_to_go_back(clock);
    json confirmed;
    life.begin({{"verb", "confirm"}}, confirmed);
    life.begin({{"verb", "apply"}, {"file", "b.yaml"}, {"text", kThird}, {"confirm", 30}}, other);
    pause.end();
    life.until([&] { return !other.is_null(); });
    life.done(other);
    life.settle();
    CHECK(life.runs(kThird));
    clock.advance(30001ms);
    life.until([&] { return life.runs(kSecond); });
  }
}

TEST_CASE("changes: while what to go back to is written, nobody comes between") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  const bool behind_another = GENERATE(false, true);
  if (behind_another) life.done(life.apply(kSecond, {{"confirm", 60}}));
  json applied;
  life.begin({{"verb", "apply"}, {"file", "b.yaml"}, {"text", kThird}, {"confirm", 60}}, applied);
  bool is_read = false;
  life.background->run([&is_read]() -> Background::Finish { return [&is_read] { is_read = true; }; });
  Pause pause(*life.background);
  life.until([&] { return is_read; });
  CHECK(!life.runs(kThird));
  CHECK(life.daemon.changes().awaits_confirmation());
  json upgraded, confirmed, set;
  life.begin({{"verb", "upgrade"}}, upgraded);
  life.begin({{"verb", "confirm"}}, confirmed);
  life.begin({{"verb", "set"}, {"text", "tunnels.g0.ttl=9"}}, set);
  pause.end();
  life.until([&] { return !applied.is_null() && !upgraded.is_null() && !confirmed.is_null() && !set.is_null(); });
  life.done(applied);
  CHECK(life.error(upgraded) == "a change awaits its confirmation: `confirm` or `rollback` first");
  CHECK(life.error(confirmed) == (behind_another
                                      ? "confirm: another change is being made; both can be confirmed once it runs"
                                      : "confirm: nothing awaits it"));
  CHECK(life.error(set).find("awaits `causewayctl confirm`") != std::string::npos);
  CHECK(life.runs(kThird));
  life.settle();
  const auto kept = read_unconfirmed(life.state.read(Unconfirmed::kFile).value_or(""));
  REQUIRE(kept);
  CHECK(kept->change == "apply b.yaml");
  CHECK(kept->yaml == kFirst);
  life.done(life.ask({{"verb", "confirm"}}));
  CHECK(!life.state.read(Unconfirmed::kFile));
  CHECK(life.error(life.ask({{"verb", "upgrade"}})) == "this process can't");
}

TEST_CASE("changes: what awaits its confirmation is left alone by others, and may be tried again") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  StoppedClock clock;
  life.done(life.apply(kSecond, {{"confirm", 60}}));
  const std::string refused = "apply: apply new.yaml awaits `causewayctl confirm`, or else `rollback`, for 60 s still";
  CHECK(life.error(life.apply(kThird)) == refused);
  for (const char* const verb : {"reload", "save"}) {
    CHECK(life.error(life.ask({{"verb", verb}})).starts_with(std::string(verb) + ": apply new.yaml awaits"));
  }
  CHECK(
      life.error(life.ask({{"verb", "set"}, {"text", "tunnels.g0.ttl=9"}})).starts_with("set: apply new.yaml awaits"));
  clock.advance(50s);
  life.done(life.apply(kThird, {{"confirm", 30}}));
  CHECK(life.runs(kThird));
  clock.advance(20s);
  life.settle();
  CHECK(life.runs(kThird));

  SECTION("a rollback is what nobody waits for") {
    life.done(life.ask({{"verb", "rollback"}}));
    CHECK(life.runs(kFirst));
    CHECK(life.changes().at("unconfirmed").is_null());
    CHECK(!life.state.read(Unconfirmed::kFile));
    life.done(life.ask({{"verb", "rollback"}}));
    CHECK(life.runs(kThird));
  }
  SECTION("the time goes on") {
    clock.advance(10001ms);
    for (int i = 0; i < 20000 && !life.runs(kFirst); ++i) life.loop.run_once(1ms);
    CHECK(life.runs(kFirst));
  }
  SECTION("one that fails changes nothing of that") {
    life.bed.fail_opening("zz", "no such device");
    CHECK(life.error(life.apply(with_ports("lan0: {}, zz: {}"), {{"confirm", 500}})).ends_with("no such device"));
    CHECK(life.runs(kThird));
    CHECK(life.changes().at("unconfirmed").at("left_s") == 10);
    CHECK(life.state.read(Unconfirmed::kFile));
  }
}

TEST_CASE("changes: what can't go back yet is tried again") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kSecond);
  Life life(folder);
  StoppedClock clock;
  life.done(life.apply(kFirst, {{"confirm", 60}}));
  life.bed.fail_opening("lan1", "busy");
  clock.advance(60001ms);
  for (int i = 0; i < 20000 && life.last().at("result") != "refused"; ++i) life.settle();
  CHECK(life.runs(kFirst));
  CHECK(life.state.read(Unconfirmed::kFile));
  clock.advance(Confirmation::kPause + 1ms);
  for (int i = 0; i < 20000 && !life.runs(kSecond); ++i) life.loop.run_once(1ms);
  CHECK(life.runs(kSecond));
  CHECK(life.changes().at("unconfirmed").is_null());
}

TEST_CASE("changes: without a state folder a confirmation is awaited all the same, and that is said") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  {
    Life life(folder, false);
    StoppedClock clock;
    const json result = life.done(life.apply(kSecond, {{"confirm", 60}}));
    CHECK(result.at("kept") == false);
    CHECK(result.at("notes") ==
          json{"goes back in 60 s unless `causewayctl confirm` is said; without --state it doesn't "
               "outlive the daemon: a start has " +
               folder.file()});
    clock.advance(60001ms);
    for (int i = 0; i < 20000 && !life.runs(kFirst); ++i) life.loop.run_once(1ms);
    CHECK(life.runs(kFirst));
  }
  Life next(folder, false);
  CHECK(next.generation() == 1);
}

TEST_CASE("changes: where nothing can be kept, nothing is changed that counts on it") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  std::filesystem::create_directory(folder.path + "/state/unconfirmed");
  CHECK(life.error(life.apply(kSecond, {{"confirm", 60}})) == folder.path + "/state/unconfirmed: Is a directory");
  CHECK(life.runs(kFirst));
  life.done(life.apply(kSecond));
}

TEST_CASE("changes: rollback goes to what ran before, and back") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  CHECK(life.error(life.ask({{"verb", "rollback"}})) ==
        "rollback: there is nothing to go back to: nothing has changed since the start");
  const json first = life.shown();
  life.done(life.apply(kSecond));
  const json second = life.shown();
  life.done(life.apply(kSecond));  // changes nothing
  for (int i = 0; i < 3; ++i) {
    CHECK(life.done(life.ask({{"verb", "rollback"}})).at("operations") == json{"- ethernet lan1"});
    CHECK(life.shown() == first);
    life.done(life.ask({{"verb", "rollback"}}));
    CHECK(life.shown() == second);
  }
  life.done(life.apply("version: 1\n", {{"empty", true}}));
  life.done(life.ask({{"verb", "rollback"}}));
  CHECK(life.shown() == second);
  life.done(life.ask({{"verb", "rollback"}}));  // to nothing, since somebody wanted that
  CHECK(life.runs().ethernets.empty());
}

TEST_CASE("changes: save makes the start-up file say what runs, with comments where somebody wrote it") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  CHECK(life.changes().at("saved") == true);
  const json result = life.done(life.apply(kSecond));
  CHECK(result.at("saved") == false);
  CHECK(result.at("notes") ==
        json{folder.file() + " says something else than what runs, and a restart begins with it; `causewayctl "
                             "save` makes it say this"});
  CHECK(life.done(life.ask({{"verb", "save"}})).at("notes") == json::array());
  CHECK(text_of_file(folder.file()) == kSecond);
  CHECK(life.changes().at("saved") == true);
  CHECK(life.done(life.apply(kSecond)).at("notes") == json::array());

  life.done(life.ask({{"verb", "set"}, {"text", "ethernets.lan1.mtu=3000"}}));
  CHECK(life.changes().at("saved") == false);
  CHECK(life.done(life.ask({{"verb", "save"}})).at("notes") == json{"without comments"});
  const auto reloaded = life.done(life.ask({{"verb", "reload"}}));
  CHECK(reloaded.at("operations") == json::array());
  CHECK(reloaded.at("saved") == true);
  std::filesystem::remove(folder.file());
  std::filesystem::create_directory(folder.file());
  life.done(life.apply(kFirst));
  CHECK(life.error(life.ask({{"verb", "save"}})) == "save: " + folder.file() + ": Is a directory");
}

TEST_CASE("changes: set is planned as a file is, and errors name the path") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  const auto set = [&](const std::string& text) { return life.ask({{"verb", "set"}, {"text", text}}); };
  CHECK(life.done(set("tunnels.g0.remote=172.31.0.9")).at("operations") ==
        json{"~ tunnel g0: remote +172.31.0.9 -172.31.0.2"});
  const json two = life.done(set("ethernets.lan1={}\nbridges.br0.interfaces=[lan0, lan1, g0]"));
  CHECK(two.at("operations").size() == 2);
  CHECK(life.last().at("label") == "ethernets.lan1={} bridges.br0.interfaces=[lan0, lan1, g0]");
  const json before = life.shown();
  const uint64_t generation = life.generation();
  CHECK(life.error(set("tunnels.g0.id=x")).starts_with("set: error: tunnels.g0.id: "));
  CHECK(life.error(set("tunnels.g0=null")).starts_with("set: error: bridges.br0.interfaces[2]: "));
  CHECK(life.error(set("tunnels.g1=null")) == "set: error: tunnels.g1: is not there; did you mean 'g0'?");
  CHECK(life.error(set("")) == "set: error: expected PATH=VALUE, not ''");
  life.bed.fail_opening("zz", "no such device");
  CHECK(life.error(set("tunnels.g0.ttl=3\nethernets.zz={}")) == "set: error: ethernets.zz: no such device");
  CHECK(life.error(set("ethernets=null\nbridges=null\ntunnels=null")).starts_with("set: error: nothing would be left"));
  CHECK(life.generation() == generation);
  CHECK(life.shown() == before);
}

TEST_CASE("changes: wherever one fails, all is as it was, and it may be confirmed no more") {
  const Quiet quiet;
  const Folder folder;
  write(folder.file(), kFirst);
  Life life(folder);
  const json before = life.shown();
  // Each port that opens, in turn, in a change of nearly everything.
  const std::string ports = "lan0: {tap: {}}, a1: {}, a2: {}, a3: {}, b1: {tap: {}}";
  for (const char* const failing : {"lan0", "a1", "a2", "a3", "b1"}) {
    for (const bool confirmed : {false, true}) {
      CAPTURE(failing, confirmed);
      life.bed.fail_opening(failing, "no such device");
      const json more = confirmed ? json{{"confirm", 60}} : json::object();
      CHECK(life.error(life.apply(with_ports(ports), more)).ends_with(": no such device"));
      CHECK(life.shown() == before);
      CHECK(life.runs(kFirst));
      CHECK(life.changes().at("unconfirmed").is_null());
      CHECK(life.generation() == 1);
      CHECK(!life.state.read(Unconfirmed::kFile));
    }
  }
  life.done(life.apply(with_ports(ports)));
}

}  // namespace causeway::test
