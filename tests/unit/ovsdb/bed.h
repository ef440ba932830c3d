// Sessions, and what they watch here: a part of the schema of ovs-vswitchd.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "control/ovsdb/session.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "tests/catch.h"

namespace causeway::ovsdb::test {

using nlohmann::json;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

inline std::vector<WatchedTable> watched_tables() {
  return {{"Open_vSwitch", {"bridges", "next_cfg", "external_ids"}, {"cur_cfg"}},
          {"Bridge", {"name", "ports", "fail_mode", "other_config"}, {}},
          {"Port", {"name", "interfaces", "tag", "trunks", "no_such_column"}, {}},
          {"Interface", {"name", "type", "options", "mtu_request"}, {"ofport", "error"}},
          {"QoS", {"queues", "type"}, {}},
          {"Queue", {"dscp"}, {}},
          {"No_such_table", {"name"}, {}}};
}

// These columns as ovsdb-server 3.1 describes them (schema 8.3.1).
inline json schema() {
  return json::parse(R"({"name": "Open_vSwitch", "version": "8.3.1", "tables": {
    "Open_vSwitch": {"columns": {
      "bridges": {"type": {"key": {"type": "uuid", "refTable": "Bridge"}, "min": 0, "max": "unlimited"}},
      "next_cfg": {"type": "integer"}, "cur_cfg": {"type": "integer"},
      "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}},
    "Bridge": {"columns": {
      "name": {"type": "string", "mutable": false},
      "ports": {"type": {"key": {"type": "uuid", "refTable": "Port"}, "min": 0, "max": "unlimited"}},
      "fail_mode": {"type": {"key": {"type": "string", "enum": ["set", ["standalone", "secure"]]}, "min": 0, "max": 1}},
      "other_config": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}},
    "Port": {"columns": {
      "name": {"type": "string"},
      "interfaces": {"type": {"key": {"type": "uuid", "refTable": "Interface"}, "min": 1, "max": "unlimited"}},
      "tag": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4095}, "min": 0, "max": 1}},
      "trunks": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4095}, "min": 0, "max": 4096}}}},
    "Interface": {"columns": {
      "name": {"type": "string"}, "type": {"type": "string"},
      "options": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
      "mtu_request": {"type": {"key": {"type": "integer", "minInteger": 1}, "min": 0, "max": 1}},
      "ofport": {"type": {"key": "integer", "min": 0, "max": 1}},
      "error": {"type": {"key": "string", "min": 0, "max": 1}}}},
    "QoS": {"columns": {
      "queues": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4294967295},
                          "value": {"type": "uuid", "refTable": "Queue"}, "min": 0, "max": "unlimited"}},
      "type": {"type": "string"}}},
    "Queue": {"columns": {
      "dscp": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 63}, "min": 0, "max": 1}}}}}})");
}

inline WatchedColumns watched_columns() {
  WatchedColumns columns;
  REQUIRE(read_schema(schema(), watched_tables(), columns).text().empty());
  return columns;
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "causeway-ovsdb-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string socket() const { return path / "db.sock"; }
};

// Runs the loop until it is so; a sanitizer on a busy machine takes its time.
inline bool until(EventLoop& loop, const std::function<bool()>& so) {
  const auto deadline = steady_clock::now() + 30s;
  while (!so() && steady_clock::now() < deadline) loop.run_once(5ms);
  return so();
}

inline void run_for(EventLoop& loop, std::chrono::milliseconds time) {
  const auto deadline = steady_clock::now() + time;
  while (steady_clock::now() < deadline) loop.run_once(2ms);
}

// A session and what it has told.
struct Watcher {
  int told = 0;
  Database last;
  std::vector<std::string> states;
  Session session;

  Watcher(EventLoop& loop, Background& background, const std::string& socket, Session::Limits limits = {},
          std::vector<WatchedTable> tables = watched_tables())
      : session(loop, background,
                {.socket = socket,
                 .database = "Open_vSwitch",
                 .lock = "ovs_vswitchd",
                 .tables = std::move(tables),
                 .limits = limits},
                {.changed =
                     [this](const Database& database, const RowChanges&) {
                       ++told;
                       last = database;
                     },
                 .state_changed = [this] { states.push_back(session.state().why_not); }}) {
    session.start();
  }
  bool ready(EventLoop& loop) {
    return until(loop, [this] { return session.state().ready() && told > 0; });
  }
};

// The one row of `table` with that name.
inline const Row& row_named(const Database& database, const std::string& table, const std::string& name) {
  for (const auto& [uuid, row] : database.at(table)) {
    if (row.at("name") == name) return row;
  }
  FAIL("no " << table << " " << name);
  std::abort();
}

}  // namespace causeway::ovsdb::test
