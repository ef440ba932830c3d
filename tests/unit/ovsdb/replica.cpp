#include "control/ovsdb/replica.h"

#include <string>

#include "tests/unit/ovsdb/bed.h"
#include "tests/unit/ovsdb/recorded.h"

namespace causeway::ovsdb::test {
namespace {

struct Replica {
  WatchedColumns columns = watched_columns();
  Database database;
  UpdateForm form;

  explicit Replica(UpdateForm form, const json& dump = json::object()) : form(form) {
    REQUIRE(read_dump(columns, form, dump, database).text().empty());
  }
  // Whether it changed something.
  bool apply(const json& updates) {
    const Database old = database;
    RowsBefore before;
    CHECK(apply_updates(columns, form, updates, database, before).text().empty());
    check_before(old, before);
    return !before.empty();
  }
  // What rows are said to have been leads from what there is now to what there was.
  void check_before(const Database& old, const RowsBefore& before) const {
    Database back = database;
    for (const auto& [table, rows] : before) {
      for (const auto& [uuid, row] : rows) {
        back.at(table).erase(uuid);
        if (row) back.at(table).emplace(uuid, *row);
      }
    }
    CHECK(back == old);
  }
  bool apply_recorded(const char* text) { return apply(json::parse(text).at("params").back()); }
  json row(const std::string& table, const std::string& uuid) const { return database.at(table).at(uuid); }
  std::string why_refused(const json& updates) {
    const Database before = database;
    RowsBefore rows;
    const Error error = apply_updates(columns, form, updates, database, rows);
    CHECK(database == before);
    CHECK(rows.empty());
    return error.text();
  }
};

}  // namespace

TEST_CASE("differences as ovsdb-server tells them lead to the rows that it has") {
  Replica replica(UpdateForm::update2);
  CHECK(replica.database.size() == 6);
  auto next = [&, i = 0]() mutable { return replica.apply_recorded(kUpdate3[i++]); };

  REQUIRE(next());  // the root row, all of it default values
  CHECK(replica.row("Open_vSwitch", "u1") ==
        json::parse(R"({"bridges":[],"cur_cfg":0,"external_ids":{},"next_cfg":0})"));
  REQUIRE(next());  // add-br
  CHECK(replica.row("Bridge", "u2") ==
        json::parse(R"({"fail_mode":["secure"],"name":"br0","other_config":{"a":"1","b":"2"},"ports":["u3"]})"));
  CHECK(replica.row("Port", "u3") == json::parse(R"({"interfaces":["u4"],"name":"br0","tag":[],"trunks":[]})"));
  CHECK(replica.row("Interface", "u4") ==
        json::parse(R"({"error":[],"mtu_request":[],"name":"br0","ofport":[],"options":{},"type":"internal"})"));
  REQUIRE(next());  // add-port
  CHECK(replica.row("Bridge", "u2")["ports"] == json{"u3", "u5"});
  CHECK(replica.row("Interface", "u6")["options"] == json::parse(R"({"key":"5","remote_ip":"10.0.0.1"})"));
  REQUIRE(next());  // tag=7 trunks=1,2
  CHECK(replica.row("Port", "u5")["tag"] == json::array({7}));
  CHECK(replica.row("Port", "u5")["trunks"] == json::array({1, 2}));
  REQUIRE(next());  // tag=8 trunks=2,3,4
  CHECK(replica.row("Port", "u5")["tag"] == json::array({8}));
  CHECK(replica.row("Port", "u5")["trunks"] == json::array({2, 3, 4}));
  REQUIRE(next());  // no tag
  CHECK(replica.row("Port", "u5")["tag"] == json::array());
  REQUIRE(next());  // another key, one more, one less
  CHECK(replica.row("Interface", "u6")["options"] == json::parse(R"({"csum":"true","key":"6"})"));
  CHECK(replica.row("Interface", "u6")["mtu_request"] == json::array({1400}));
  CHECK_FALSE(next());  // ofport, of which only initial values are watched
  REQUIRE(next());      // no fail_mode, no other_config
  CHECK(replica.row("Bridge", "u2")["fail_mode"] == json::array());
  CHECK(replica.row("Bridge", "u2")["other_config"] == json::object());
  REQUIRE(next());  // a map of integers to references
  CHECK(replica.row("QoS", "u7")["queues"] == json::parse(R"({"3":"u8"})"));
  REQUIRE(next());
  CHECK(replica.row("Open_vSwitch", "u1")["external_ids"] == json{{"x", "a\"b\\c{é"}});
  REQUIRE(next());  // del-br
  CHECK(replica.row("Open_vSwitch", "u1")["bridges"] == json::array());
  for (const char* table : {"Bridge", "Port", "Interface"}) CHECK(replica.database.at(table).empty());
  CHECK(replica.database.at("Queue").size() == 1);
}

TEST_CASE("whole rows as RFC 7047 has them lead to the same") {
  Replica replica(UpdateForm::update, json::parse(kUpdate[0]).at("result"));
  CHECK(replica.row("Open_vSwitch", "u5")["external_ids"] == json{{"x", "a\"b\\c{é"}});
  CHECK(replica.row("QoS", "u3")["queues"] == json::parse(R"({"3":"u4"})"));
  auto next = [&, i = 1]() mutable { return replica.apply_recorded(kUpdate[i++]); };
  REQUIRE(next());
  REQUIRE(next());
  CHECK(replica.row("Bridge", "u8")["ports"] == json{"u10", "u7"});  // in their texts' order
  CHECK(replica.row("Open_vSwitch", "u5")["cur_cfg"] == 0);
  REQUIRE(next());
  REQUIRE(next());
  CHECK(replica.row("Port", "u10")["tag"] == json::array({8}));
  CHECK(replica.row("Port", "u10")["trunks"] == json::array({2, 3, 4}));
  REQUIRE(next());
  CHECK(replica.row("Port", "u10")["tag"] == json::array());
  REQUIRE(next());
  CHECK(replica.row("Interface", "u9")["options"] == json::parse(R"({"csum":"true","key":"6"})"));
  CHECK_FALSE(next());
  REQUIRE(next());
  REQUIRE(next());
  REQUIRE(next());
  for (const char* table : {"Bridge", "Port", "Interface"}) CHECK(replica.database.at(table).empty());
}

TEST_CASE("a dump has all tables and columns watched, whatever the server leaves out") {
  const Replica replica(UpdateForm::update2, json::parse(kDump).at("result"));
  CHECK(replica.row("Open_vSwitch", "u1") ==
        json::parse(R"({"bridges":[],"cur_cfg":0,"external_ids":{"x":"a\"b\\c{é"},"next_cfg":0})"));
  CHECK(replica.row("Queue", "u3") == json::parse(R"({"dscp":[1]})"));
  CHECK(replica.database.at("Bridge").empty());
  CHECK_FALSE(replica.database.contains("No_such_table"));
}

TEST_CASE("columns and tables that nobody asked for are left alone") {
  Replica replica(UpdateForm::update2);
  CHECK(
      replica.apply(json::parse(R"({"Other":{"u1":{"insert":{"a":["b"]}}},"Queue":{"u1":{"insert":{"other":{}}}}})")));
  CHECK(replica.row("Queue", "u1") == json::parse(R"({"dscp":[]})"));
}

TEST_CASE("updates that make no sense change nothing, not even in part") {
  Replica replica(UpdateForm::update2);
  for (const char* text : {kUpdate3[0], kUpdate3[1], kUpdate3[2]}) replica.apply_recorded(text);
  const std::string type = "an update that can't be read: a value is not of its column's type";
  const auto refused = [&](const char* text) { return replica.why_refused(json::parse(text)); };
  CHECK(refused(R"({"Bridge":{"u2":{"delete":null}},"Port":{"u5":{"modify":{"tag":"x"}}}})") == type);
  CHECK(refused(R"({"Port":{"u5":{"modify":{"trunks":["set",[1,"2"]]}}}})") == type);
  CHECK(refused(R"({"Port":{"u5":{"modify":{"trunks":["set",1]}}}})") == type);
  CHECK(refused(R"({"Port":{"u5":{"modify":{"name":["set",[]]}}}})") == type);
  CHECK(refused(R"({"Port":{"u5":{"modify":{"interfaces":["uuid",1]}}}})") == type);
  CHECK(refused(R"({"Interface":{"u6":{"modify":{"options":["map",[["a",1]]]}}}})") == type);
  CHECK(refused(R"({"Interface":{"u6":{"modify":{"options":"a"}}}})") == type);
  CHECK_FALSE(refused(R"({"Interface":{"u6":{"modify":{"options":["map",[["a"]]]}}}})").empty());
  CHECK_FALSE(refused(R"({"Interface":{"u6":{"modify":{"options":["map",[7]]}}}})").empty());
  CHECK_FALSE(refused(R"({"Port":{"gone":{"modify":{"tag":1}}}})").empty());
  CHECK_FALSE(refused(R"({"Port":{"u5":{"turn":{}}}})").empty());
  CHECK_FALSE(refused(R"({"Port":{"u5":{"insert":[]}}})").empty());
  CHECK_FALSE(refused(R"({"Port":{"u5":null}})").empty());
  CHECK_FALSE(refused(R"({"Port":[1]})").empty());
  CHECK_FALSE(refused(R"([])").empty());
}

TEST_CASE("a schema says what can be asked for") {
  const WatchedColumns columns = watched_columns();
  CHECK(missing_columns(columns, watched_tables()) ==
        std::vector<std::string>{"Port.no_such_column", "No_such_table.name"});
  const json requests = monitor_requests(columns, watched_tables());
  CHECK(requests.size() == 6);
  CHECK(requests["Port"] == json::parse(R"([{"columns":["name","interfaces","tag","trunks"]}])"));
  CHECK(requests["Interface"] ==
        json::parse(R"([{"columns":["name","type","options","mtu_request"]},{"columns":["ofport","error"],
                        "select":{"initial":true,"insert":false,"delete":false,"modify":false}}])"));

  WatchedColumns none;
  CHECK(read_schema(schema(), {{"Bridge", {"x"}, {}}}, none).text() == "the schema has nothing of what is wanted");
  for (const char* text : {"{}", "[]", "7", R"({"tables":7})", R"({"tables":{"Bridge":{}}})",
                           R"({"tables":{"Bridge":{"columns":{"name":{}}}}})",
                           R"({"tables":{"Bridge":{"columns":{"name":{"type":"color"}}}}})",
                           R"({"tables":{"Bridge":{"columns":{"name":{"type":{"min":0}}}}}})"}) {
    CHECK_FALSE(read_schema(json::parse(text), watched_tables(), none).text().empty());
  }
}

}  // namespace causeway::ovsdb::test
