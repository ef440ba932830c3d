// What is watched of a database, and of which types it is (RFC 7047 section 3.2). Pure functions and plain data: any
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pmd/error.h"

namespace causeway::ovsdb {

// A table that the caller wants to know.
struct WatchedTable {
  std::string name;
  std::vector<std::string> columns;
  // Of these only what they were when the watching began, for what we write ourselves. Rows that come later have their
  // default values there. A table needs columns of the other kind, or the end of a row isn't told.
  std::vector<std::string> initial_only;
};

struct ColumnType {
  enum class Kind : uint8_t { atom, set, map };
  enum class Atom : uint8_t { integer, real, boolean, string, uuid };

  Kind kind = Kind::atom;
  Atom key = Atom::string;    // of a set or an atom: its only one
  Atom value = Atom::string;  // of a map
  bool one = true;            // holds one at most: what a change tells is the new value, not a difference
};

using TableColumns = std::map<std::string, ColumnType>;      // by column
using WatchedColumns = std::map<std::string, TableColumns>;  // by table; only what both the schema and the caller have

// Reads the answer to get_schema. Fails where it is no schema, or has nothing of what is wanted.
Error read_schema(const nlohmann::json& schema, const std::vector<WatchedTable>& wanted, WatchedColumns& columns);
// The <monitor-requests> of monitor (section 4.1.5), which monitor_cond takes as well.
nlohmann::json monitor_requests(const WatchedColumns& columns, const std::vector<WatchedTable>& wanted);
// What is wanted and not there, as "Table.column", for the log.
std::vector<std::string> missing_columns(const WatchedColumns& columns, const std::vector<WatchedTable>& wanted);

// A value as it is on the wire (section 5.1) as control/ovsdb/rows.h has it, sets in order; of a map with integers or
// UUIDs as keys, their text. Throws std::exception where it isn't of the type.
nlohmann::json read_value(const ColumnType& type, const nlohmann::json& wire);
nlohmann::json default_value(const ColumnType& type);
// The value after a "modify" of update2 or update3 (ovsdb-server(7), "Update Notification"): of what holds one at most
// the new value; else a difference: members of a set that are there go, others come; pairs of a map that are there go,
// a key with another value has that, other keys come. Throws as read_value() does.
nlohmann::json changed_value(const ColumnType& type, nlohmann::json value, const nlohmann::json& wire_difference);

}  // namespace causeway::ovsdb
