#include <string>

#include "control/ctl/rates.h"
#include "control/ctl/render.h"
#include "control/ctl/table.h"
#include "control/view/view.h"
#include "tests/catch.h"

using causeway::add_rates;
using causeway::Heading;
using causeway::render_columns;
using causeway::render_object;
using causeway::render_operations;
using causeway::render_show;
using causeway::render_stats;
using causeway::render_table;
using nlohmann::json;

namespace {

// What is shown of the daemon's answer to `show`.
std::string shown(const std::string& subject, const json& result) {
  return render_show(subject,
                     {{"columns", columns_json(*causeway::find_table(subject))}, {"ok", true}, {"result", result}});
}

}  // namespace

TEST_CASE("a table: columns in the order asked for, numbers to the right, gaps as dashes") {
  const json rows = json::parse(R"([
    {"name": "up0", "rx_packets": 7, "mac": "02:00:00:00:00:01", "mtu": null},
    {"name": "veth-long", "rx_packets": 1234567, "tx_packets": 18446744073709551615}])");
  CHECK(render_table(rows, {"name", "mtu", "rx_packets", "tx_packets", "mac", "never"}) ==
        "NAME       MTU  RX PACKETS            TX PACKETS  MAC\n"
        "up0          -           7                     -  02:00:00:00:00:01\n"
        "veth-long    -     1234567  18446744073709551615  -\n");
}

TEST_CASE("a table without columns named shows every key") {
  CHECK(render_table(json::parse(R"([{"b": true, "a": ["x", 2], "c": 0.25}])"), {}) ==
        "A    B      C\n"
        "x,2  yes  0.2\n");
}

TEST_CASE("nested objects become columns of their own") {
  const json rows = json::parse(R"([{"id": 0, "flow_cache": {"entries": 5, "hits": 60}}])");
  CHECK(shown("workers", rows) ==
        "ID  FLOW CACHE ENTRIES  FLOW CACHE HITS\n"
        " 0                   5               60\n");
}

TEST_CASE("rows that are not what they should be do no harm") {
  CHECK(render_table(json::array(), {"name"}) == "");
  CHECK(render_table(json::parse(R"([{}])"), {"name"}) == "");
  CHECK(render_table(json::parse(R"([{"name": ""}, {}])"), {"name"}) == "NAME\n-\n-\n");
}

TEST_CASE("flows: how many there are besides those shown") {
  const json flow = {{"worker", 0}, {"from", "p1"}, {"to", "p2"}};
  const std::string table = "WORKER  FROM  TO\n     0  p1    p2\n";
  CHECK(shown("flows", {{"cached", 1}, {"flows", {flow}}}) == table);
  CHECK(shown("flows", {{"cached", 70000}, {"flows", {flow}}}) == table + "1 of 70000 that are cached\n");
  CHECK(shown("flows", {{"cached", 3}, {"flows", json::array()}}) == "no flows\n");
}

TEST_CASE("what there is none of") {
  CHECK(shown("tunnels", json::array()) == "no tunnels\n");
  CHECK(shown("fdb", json::array()) == "no fdb entries\n");
}

TEST_CASE("an answer without columns shows every field; of a column, only what has a title is for the terminal") {
  const json rows = {{{"mtu", 1500}, {"cache", {{"hits", 7}}}, {"name", "up0"}}};
  CHECK(render_show("ports", {{"result", rows}}) == "CACHE HITS   MTU  NAME\n         7  1500  up0\n");
  const json columns = {
      {{"name", "name"}, {"title", "Port"}}, {{"name", "cache.hits"}, {"title", "HITS"}}, {{"name", "mtu"}}};
  CHECK(render_show("ports", {{"columns", columns}, {"result", rows}}) == "Port  HITS\nup0      7\n");
}

TEST_CASE("a result that is one row, and none at all") {
  CHECK(shown("control", {{"slices", 5}, {"buffers", {{"used", 2}}}}) ==
        "BUFFERS USED  SLICES\n           2       5\n");
  CHECK(shown("ports", {}) == "no ports\n");
}

TEST_CASE("stats: what died, most first, each with its meaning") {
  const json stats = json::parse(R"({"drops": {"unknown_vni": 3, "too_big": 20, "ip_checksum": 0}})");
  CHECK(render_stats(stats, false) ==
        "DROPS  REASON       MEANING\n"
        "   20  too_big      larger than the way out's MTU\n"
        "    3  unknown_vni  no tunnel with this VNI or key\n");
  CHECK(render_stats(stats, true).find("\n    0  ip_checksum  outer IPv4 header checksum wrong") != std::string::npos);
  CHECK(render_stats(json::parse(R"({"drops": {"too_big": 0}})"), false) == "no drops\n");
}

TEST_CASE("stats per worker: a column each") {
  const json stats = json::parse(R"({"drops": {"tx_full": 5},
    "workers": [{"id": 0, "drops": {"tx_full": 5}}, {"id": 1, "drops": {}}]})");
  CHECK(render_stats(stats, false) ==
        "DROPS  WORKER 0  WORKER 1  REASON   MEANING\n"
        "    5         5         0  tx_full  transmit queue full\n");
}

TEST_CASE("operations, one a line") {
  CHECK(render_operations(json::parse(R"({"operations": ["add tunnel gnv0", "remove port veth1"]})")) ==
        "add tunnel gnv0\nremove port veth1\n");
  CHECK(render_operations(json::parse(R"(["add tunnel gnv0"])")) == "add tunnel gnv0\n");
  CHECK(render_operations(json::parse(R"({"operations": []})")) == "nothing to change\n");
}

TEST_CASE("a table that is too wide has its texts cut, where least is lost; numbers stay whole") {
  const json rows = {{{"name", "gnv0"}, {"remote", "172.31.0.2"}, {"mtu", 1450}},
                     {{"name", "vx0"}, {"remote", {"172.31.0.3", "172.31.0.4", "172.31.0.5"}}, {"mtu", 1450}}};
  const std::vector<Heading> columns = {{"name", "NAME"}, {"remote", "REMOTE"}, {"mtu", "MTU"}};
  const std::string whole =
      "NAME  REMOTE                             MTU\n"
      "gnv0  172.31.0.2                        1450\n"
      "vx0   172.31.0.3,172.31.0.4,172.31.0.5  1450\n";
  CHECK(render_columns(rows, columns) == whole);
  CHECK(render_columns(rows, columns, 44) == whole);
  CHECK(render_columns(rows, columns, 30) ==
        "NAME  REMOTE               MTU\n"
        "gnv0  172.31.0.2          1450\n"
        "vx0   172.31.0.3,172.31~  1450\n");
  CHECK(render_columns(rows, columns, 10) ==
        "NAME  REMOTE   MTU\n"
        "gnv0  172.3~  1450\n"
        "vx0   172.3~  1450\n");
}

TEST_CASE("one row, a line a column") {
  const json columns = {{{"name", "name"}, {"title", "NAME"}},
                        {{"name", "mtu"}, {"unit", "bytes"}},
                        {{"name", "cache.hits"}},
                        {{"name", "hops"}}};
  const json row = {{"name", "gnv0"},
                    {"mtu", 1450},
                    {"cache", {{"hits", nullptr}}},
                    {"hops", {{{"port", "up0"}, {"state", "reachable"}}, {{"port", "up1"}, {"state", "failed"}}}}};
  CHECK(render_object(row, columns) ==
        "name        gnv0\n"
        "mtu         1450 bytes\n"
        "cache.hits  -\n"
        "hops        port=up0 state=reachable\n"
        "            port=up1 state=failed\n");
}

TEST_CASE("rates: what counters have grown by, a second; none where a row is new or was reset") {
  const json columns = {{{"name", "name"}, {"kind", "text"}, {"title", "NAME"}},
                        {{"name", "rx"}, {"kind", "counter"}, {"title", "RX"}, {"unit", "packets"}},
                        {{"name", "cache.hits"}, {"kind", "counter"}, {"unit", "packets"}},
                        {{"name", "mtu"}, {"kind", "gauge"}, {"title", "MTU"}}};
  const auto row = [](const char* name, int rx) {
    return json{{"name", name}, {"rx", rx}, {"cache", {{"hits", 5}}}, {"mtu", 1500}};
  };
  json reply = {{"columns", columns}, {"result", {row("a", 301), row("b", 10), row("c", 7)}}, {"time_s", 1002.5}};
  add_rates(reply, {{"columns", columns}, {"result", {row("b", 50), row("a", 100)}}, {"time_s", 1000.5}});
  const json& rows = reply.at("result");
  CHECK(rows[0].at("rx") == 301);
  CHECK(rows[0].at("rx_per_s") == 100.5);
  CHECK(rows[0].at("cache").at("hits_per_s") == 0);
  CHECK(rows[1].at("rx_per_s").is_null());
  CHECK(rows[2].at("rx_per_s").is_null());
  CHECK(render_show("ports", reply) ==
        "NAME   RX/S   MTU\n"
        "a     100.5  1500\n"
        "b         -  1500\n"
        "c         -  1500\n");
  // One object, and what has no counters.
  json control = {{"columns", json::array({{{"name", "slices"}, {"kind", "counter"}}})},
                  {"result", {{"slices", 9}}},
                  {"time_s", 9}};
  const json before = {{"result", {{"slices", 5}}}, {"time_s", 5}};
  add_rates(control, before);
  CHECK(control.at("result") == json{{"slices", 9}, {"slices_per_s", 1.0}});
  json flows = {
      {"columns", json::array({{{"name", "worker"}, {"kind", "text"}}})}, {"result", {{"cached", 0}}}, {"time_s", 9}};
  const json same = flows;
  add_rates(flows, same);
  CHECK(flows == same);
}
