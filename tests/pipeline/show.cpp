// The tables of `show` over a gateway with something in each of them: rows are what the columns say.
#include <algorithm>

#include "control/api/subjects.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

constexpr const char* kYaml = R"(
version: 1
ethernets:
  lan0: {}
  lan1: {}
  lan2: {bindings: [{mac: 02:00:00:00:01:05, addresses: [10.0.0.5]}]}
  probe0: {}
  up0: {macaddress: 02:00:00:00:00:01, addresses: ["fd00:31::1/64"]}
tunnels: {vx0: {mode: vxlan, id: 300, local: "fd00:31::1", remote: "fd00:31::2"}}
bridges:
  br0: {interfaces: [lan0, lan1, vx0]}
  br1: {interfaces: [lan2], evpn: {vni: 100, local: "fd00:31::1"}}
mirrors: {m0: {select-all: true, output-port: probe0}}
)";

// Two hosts have talked.
struct Talk {
  Bed bed{kYaml};

  Talk() {
    for (int round = 0; round < 2; ++round) {
      bed.send("lan0", pipeline_frames()["eth.1-2"]);
      bed.send("lan1", pipeline_frames()["eth.2-1"]);
    }
  }
};

json rows_of(Bed& bed, std::string_view subject) {
  json rows = json::array();
  const RowStream stream = find_table(subject)->rows(bed.gateway());
  while (stream([&rows](const json& row) { rows.push_back(row); })) continue;
  return rows;
}

json::json_pointer place_of(std::string_view name) {
  std::string path = "/" + std::string(name);
  std::ranges::replace(path, '.', '/');
  return json::json_pointer(path);
}

}  // namespace

TEST_CASE("show: each row of each table has exactly the columns") {
  Talk talk;
  for (const ShowSubject& subject : kShowSubjects) {
    const std::vector<ColumnText> columns = find_table(subject.name)->columns;
    const json rows = rows_of(talk.bed, subject.name);
    CAPTURE(subject.name, rows.dump());
    CHECK_FALSE(rows.empty());
    for (json row : rows) {
      json expected;
      for (const ColumnText& column : columns) {
        CAPTURE(column.name);
        REQUIRE(row.contains(place_of(column.name)));
        const json& value = row.at(place_of(column.name));
        CHECK((column.kind == ColumnKind::text || value.is_number() || value.is_null()));
        set_field(row, column.name, "told");
        set_field(expected, column.name, "told");
      }
      CHECK(row == expected);
    }
  }
}

TEST_CASE("show: the reply on the socket has the columns beside the result") {
  Talk talk;
  for (const ShowSubject& subject : kShowSubjects) {
    CAPTURE(subject.name);
    const json columns = columns_json(*find_table(subject.name));
    const ApiReply reply = show_reply(talk.bed.gateway(), subject.name);
    if (!reply.rows) {
      CHECK(reply.whole.at("columns") == columns);
      CHECK(reply.whole.at("ok") == true);
      continue;
    }
    json empty = json::parse(reply.frame.before + reply.frame.after);
    CHECK(empty.at("time_s").is_number_float());
    empty.erase("time_s");
    CHECK(empty == json{{"ok", true}, {"columns", columns}, {"result", json::array()}});
  }
  CHECK(show(talk.bed.gateway(), "nothing").is_null());
  CHECK(show_reply(talk.bed.gateway(), "nothing").whole == api_error({"cannot show: nothing"}));
}

TEST_CASE("show: rows of a kind, and the results that are none") {
  Talk talk;
  const json flows = show(talk.bed.gateway(), "flows");
  CHECK(flows.at("cached") == 2);
  CHECK(flows.at("flows") == rows_of(talk.bed, "flows"));
  EventLoop::Slices slices;
  slices.count = 7;
  slices.longest = std::chrono::microseconds(1500);
  const json control = show({talk.bed.gateway(), slices}, "control");
  CHECK(control.at("slices") == 7);
  CHECK(control.at("longest_slice_ms") == 1.5);
  CHECK(control.at("buffers").at("all") == 4095);
}

}  // namespace causeway::test
