// What `causewayctl top` shows and asks, without a terminal.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "control/ctl/top/lines.h"
#include "control/ctl/top/model.h"
#include "control/ctl/top/numbers.h"
#include "control/ctl/top/poller.h"
#include "control/ctl/top/view.h"
#include "pmd/file_descriptor.h"
#include "tests/catch.h"
#include "tests/unit/api/bed.h"

using nlohmann::json;
using namespace causeway::top;

namespace {

json columns_of(const std::vector<std::string>& texts, const std::vector<std::string>& counters) {
  json columns = json::array();
  for (const std::string& name : texts) columns.push_back({{"name", name}, {"kind", "text"}});
  for (const std::string& name : counters)
    columns.push_back({{"name", name}, {"kind", "counter"}, {"unit", "packets"}});
  return columns;
}

json counted(json row, int rx_packets, int rx_bytes, int tx_packets, int tx_bytes) {
  row.update({{"rx_packets", rx_packets}, {"rx_bytes", rx_bytes}, {"tx_packets", tx_packets}, {"tx_bytes", tx_bytes}});
  return row;
}

// The replies of a daemon that has run for `seconds`: 100 frames of 1,000 bytes a second go from lan1 to 172.31.0.2,
// one in ten dies, and 172.31.0.4 refuses.
std::vector<json> replies_after(int seconds) {
  const int n = 100 * seconds;
  const json control = {{"name", "gw1"}, {"version", "1.2"}, {"uptime_s", seconds}};
  const json worker = {{"id", 0},
                       {"core", nullptr},
                       {"queues", {"lan1:0"}},
                       {"rx_packets", n},
                       {"busy_cycles", 300 * n},
                       {"idle_cycles", 700 * n},
                       {"flow_cache", {{"entries", 3}, {"hits", 90 * seconds}, {"misses", 10 * seconds}}}};
  const auto port = [](const char* name, const char* state, json reason, json addresses) {
    return json{{"name", name},           {"kind", "packet"}, {"state", state}, {"reason", reason},
                {"addresses", addresses}, {"rx_drops", 0},    {"tx_drops", 0}};
  };
  json lan1 = counted(port("lan1", "up", nullptr, json::array()), n, 1000 * n, 0, 0);
  lan1["rx_drops"] = 10 * seconds;
  const json lan2 = counted(port("lan2", "missing", "no such interface", json::array()), 0, 0, 0, 0);
  const json up0 = counted(port("up0", "up", nullptr, {"172.31.0.1/24"}), 0, 0, 90 * seconds, 90000 * seconds);
  const auto remote = [](const char* address, const char* state) {
    return json{{"remote", address}, {"state", state}};
  };
  const json vx0 =
      counted({{"name", "vx0"},
               {"mode", "vxlan"},
               {"id", 7},
               {"state", "refused"},
               {"mtu", 1450},
               {"remote", {"172.31.0.2", "172.31.0.4"}},
               {"refusals", {{{"remote", "172.31.0.4"}, {"from", "172.31.0.4"}, {"reason", "port unreachable"}}}},
               {"per_remote",
                {counted(remote("172.31.0.2", "up"), 0, 0, 90 * seconds, 90000 * seconds),
                 counted(remote("172.31.0.4", "refused"), 0, 0, 0, 0)}}},
              0, 0, 90 * seconds, 90000 * seconds);
  const json bridge = {{"name", "br"}, {"interfaces", {"lan1", "lan2", "vx0"}}, {"macs", 2}, {"max_macs", 1024}};
  const std::vector<std::string> traffic = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"};
  auto port_counters = traffic;
  port_counters.insert(port_counters.end(), {"rx_drops", "tx_drops"});
  const auto reply = [seconds](json columns, json result) {
    return json{{"ok", true}, {"columns", columns}, {"result", result}, {"time_s", 5000.0 + seconds}};
  };
  return {
      reply(columns_of({"name"}, {}), control),
      reply(columns_of({"id"}, {"rx_packets", "busy_cycles", "idle_cycles", "flow_cache.hits", "flow_cache.misses"}),
            {worker}),
      reply(columns_of({"name", "interfaces"}, {}), {bridge}),
      reply(columns_of({"name", "state"}, port_counters), {lan1, lan2, up0}),
      reply(columns_of({"name", "mode", "state"}, traffic), {vx0}),
      reply({}, {{"drops", {{"too_big", 10 * seconds}, {"tx_full", 0}}}})};
}

Model model_of(const std::vector<int>& looks) {
  Model model;
  for (const int seconds : looks) model.take(replies_after(seconds));
  return model;
}

std::vector<std::string> texts_of(const std::vector<Line>& lines) {
  std::vector<std::string> texts;
  for (const Line& line : lines) {
    texts.push_back(line.text());
    texts.back().erase(texts.back().find_last_not_of(' ') + 1);
  }
  return texts;
}

void press(View& view, Key key) { view.press({key, 0}); }
void type(View& view, const std::string& text) {
  for (const char c : text) view.press({Key::character, c});
}

}  // namespace

TEST_CASE("top: numbers of five characters") {
  const std::pair<double, const char*> numbers[] = {
      {0, "0"},         {0.04, "0.0"},     {7.25, "7.2"},     {9.96, "10"},      {999.4, "999"},
      {999.6, "1.00k"}, {1234, "1.23k"},   {9994, "9.99k"},   {9996, "10.0k"},   {99949, "99.9k"},
      {99960, "100k"},  {999600, "1.00M"}, {45.6e6, "45.6M"}, {123.4e9, "123G"}, {4e12, "4.00T"}};
  for (const auto& [number, text] : numbers) CHECK(short_number(number) == text);
  CHECK(short_number({}) == "-");
  CHECK(percent(1, 3) == "33");
  CHECK(percent(0, 0) == "-");
  CHECK(percent({}, 3) == "-");
  CHECK(short_duration(59) == "59 s");
  CHECK(short_duration(3599) == "59 min");
  CHECK(short_duration(11520) == "3 h 12 min");
  CHECK(short_duration(183600) == "2 d 3 h");
}

TEST_CASE("top: a screen of 80 columns") {
  View view;
  const Model model = model_of({10, 12});
  const std::vector<std::string> expected = {
      "gw1  up 12 s  causeway 1.2        in 100 p/s 800k b/s   out 90 p/s 720k b/s",
      "workers  0: 30 %, 300 cycles/p",
      "drops    too_big 10/s",
      "wrong    lan2 missing   vx0 172.31.0.4 refused",
      "",
      "NAME            IN p/s  IN b/s  OUT p/s  OUT b/s  DROPS/s  STATE",
      "br                 100    800k       90     720k       10  2 MACs",
      "  lan1             100    800k        0        0       10  up",
      "  lan2               0       0        0        0        0  missing: no such int~",
      "  vx0                0       0       90     720k           refused: 172.31.0.4 ~",
      "    172.31.0.2       0       0       90     720k           up",
      "    172.31.0.4       0       0        0        0           refused: 172.31.0.4 ~",
      "up0                  0       0       90     720k        0  up  172.31.0.1/24",
      "",
      "q quit   / filter   s sort: name   Enter open   Tab workers"};
  const std::vector<Line> lines = view.draw(model, {15, 80}, "");
  std::vector<std::string> texts = texts_of(lines);
  // Its ends are at the margins.
  CHECK(lines[0].width() == 80);
  texts[0].replace(texts[0].find("1.2 "), 12, "1.2        ");
  CHECK(texts[0].substr(0, 26) == expected[0].substr(0, 26));
  texts[0] = expected[0];
  CHECK(texts == expected);
  CHECK(lines[6].selected);
  CHECK(lines[8].spans.back().style != Style::plain);
}

TEST_CASE("top: what doesn't fit goes, and nothing is wider than the screen") {
  const Model model = model_of({10, 12});
  View view;
  CHECK(texts_of(view.draw(model, {15, 140}, ""))[8].find("missing: no such interface") != std::string::npos);
  CHECK(texts_of(view.draw(model, {15, 140}, ""))[9].find("  vx0           vxlan 7 ") == 0);
  for (size_t columns = 1; columns < 140; ++columns) {
    for (const size_t rows : {1, 2, 5, 9, 30}) {
      const std::vector<Line> lines = view.draw(model, {rows, columns}, "");
      CHECK(lines.size() == rows);
      for (const Line& line : lines) CHECK(line.width() <= columns);
    }
  }
  // Bits are the last of the rates to go.
  const std::string heading = texts_of(view.draw(model, {15, 46}, ""))[5];
  CHECK(heading.find("IN b/s") != std::string::npos);
  CHECK(heading.find("IN p/s") == std::string::npos);
}

TEST_CASE("top: the first look has no rates, nor has what is new or was reset") {
  Model model = model_of({10});
  CHECK_FALSE(model.items()[0].rates.in_packets);
  View view;
  CHECK(texts_of(view.draw(model, {15, 80}, ""))[1] == "workers  0: - %, - cycles/p");
  model.take(replies_after(12));
  CHECK(model.items()[0].below[2].below[0].rates.out_bits == 720000.0);
  model.take(replies_after(1));  // it was started anew
  CHECK_FALSE(model.items()[0].rates.in_packets);
  CHECK_THROWS_AS(model.take({json::object()}), std::exception);
}

TEST_CASE("top: keys") {
  const Model model = model_of({10, 12});
  const Size size{15, 80};
  View view;
  const auto drawn = [&] { return texts_of(view.draw(model, size, "")); };
  const auto selected = [&] {
    for (const Line& line : view.draw(model, size, "")) {
      if (line.selected) return line.text().substr(0, 14);
    }
    return std::string();
  };
  CHECK(selected() == "br            ");
  press(view, Key::down);
  press(view, Key::down);
  CHECK(selected() == "  lan2        ");
  // It is still chosen where it moves.
  type(view, "ssss");
  CHECK(drawn().back().find("sort: wrong") != std::string::npos);
  CHECK(selected() == "  lan2        ");
  CHECK(drawn()[7].find("  lan2") == 0);
  press(view, Key::end);
  CHECK(selected() == "up0           ");
  press(view, Key::page_up);
  CHECK(selected() == "br            ");

  type(view, "/31.0.2q");
  CHECK(drawn().back() == "filter: 31.0.2q_");
  press(view, Key::backspace);
  press(view, Key::enter);
  CHECK(drawn()[8].find("    172.31.0.2") == 0);
  CHECK(drawn()[9].empty());
  press(view, Key::down);
  press(view, Key::down);
  press(view, Key::enter);  // a VTEP is its tunnel's
  CHECK(drawn()[2] == "tunnel vx0");
  CHECK(drawn()[4] == "mode              vxlan");
  type(view, "q");
  CHECK_FALSE(view.ended());
  press(view, Key::escape);
  CHECK(drawn()[7].find("  lan2") == 0);

  press(view, Key::tab);
  CHECK(drawn()[6].find(" 0     -      30       300     100      3      90  lan1:0") == 0);
  press(view, Key::tab);
  CHECK(drawn()[6] == "     10    120  too_big  larger than the way out's MTU");
  CHECK(view.draw(model, size, "3 s old: it has gone").back().spans[0].style == Style::wrong);
  type(view, "q");
  CHECK(view.ended());
}

TEST_CASE("top: while a look is under way there is nothing new to show, and nothing to do but to read") {
  const causeway::test::Folder folder;
  const causeway::FileDescriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(folder.socket(), address.sun_path);
  REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);

  constexpr std::chrono::milliseconds kInterval(100);
  Poller poller(folder.socket(), kInterval);
  Model model;
  Poller::Clock::time_point now{std::chrono::hours(1)};
  CHECK(poller.due() <= now);
  CHECK_FALSE(poller.step(now, model));
  causeway::FileDescriptor daemon(accept(listener.get(), nullptr, nullptr));
  const auto say = [&](std::string_view text) {
    REQUIRE(send(daemon.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    now += 3 * kInterval;
    return poller.step(now, model);
  };
  const auto replies = replies_after(10);
  for (const json& reply : replies) {
    const std::string line = reply.dump() + "\n";
    CHECK_FALSE(say(line.substr(0, line.size() / 2)));
    CHECK(poller.fd() >= 0);
    CHECK(poller.due() == Poller::Clock::time_point::max());
    CHECK(say(line.substr(line.size() / 2)) == (&reply == &replies.back()));
  }
  CHECK(poller.trouble(now).empty());
  CHECK(poller.due() == now + kInterval);

  // It goes: that is seen when it is asked again, and not before.
  daemon = causeway::FileDescriptor();
  CHECK(poller.fd() == -1);
  CHECK_FALSE(poller.step(now, model));
  CHECK(poller.step(now + kInterval, model));
  CHECK(poller.trouble(now + kInterval).find("closed the connection") != std::string::npos);
}
