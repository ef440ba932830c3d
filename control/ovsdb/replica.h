// The rows of a database as its server tells them: a dump, then what changed. Pure functions: any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "control/ovsdb/rows.h"
#include "control/ovsdb/schema.h"
#include "pmd/error.h"

namespace causeway::ovsdb {

// What a server calls its notifications, and so what is in them.
enum class UpdateForm : uint8_t {
  update,   // of monitor: RFC 7047 section 4.1.6, <table-updates>, whole rows
  update2,  // of monitor_cond and monitor_cond_since: ovsdb-server(7), <table-updates2>, differences
};

// Makes a database of what a monitor call answers: all tables watched, those without rows too; all columns watched,
// those that the server leaves out with their default values. `database` is undefined where it fails.
Error read_dump(const WatchedColumns& columns, UpdateForm form, const nlohmann::json& updates, Database& database);

// Applies what a notification tells. `before` gets each row that is another afterwards, as it was, unless it has that
// row already: what is told about columns of initial values alone changes nothing. All or nothing: where it fails both
// are as they were.
Error apply_updates(const WatchedColumns& columns, UpdateForm form, const nlohmann::json& updates, Database& database,
                    RowsBefore& before);

}  // namespace causeway::ovsdb
