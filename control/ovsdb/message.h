// Messages of a server of databases, as they come over the wire (RFC 7047 section 4). Pure functions: any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/ovsdb/replica.h"
#include "control/ovsdb/rows.h"
#include "control/ovsdb/schema.h"
#include "pmd/error.h"

namespace causeway::ovsdb {

// The call that watches a database. A server that doesn't know one is asked the next.
struct MonitorCall {
  const char* method;
  UpdateForm form;
  bool since;  // takes the last transaction known, and answers [found, last, updates]
};
constexpr MonitorCall kMonitorCalls[] = {
    {"monitor_cond_since", UpdateForm::update2, true},
    {"monitor_cond", UpdateForm::update2, false},
    {"monitor", UpdateForm::update, false},  // RFC 7047 has this one alone
};

// The dump that is waited for.
struct AwaitedDump {
  uint64_t id = 0;  // of the call; 0: none
  MonitorCall call = kMonitorCalls[0];
  std::shared_ptr<const WatchedColumns> columns;
};

struct Message {
  nlohmann::json fields;
  std::optional<Database> dump;  // what was waited for; taken out of `fields`
  Error error;                   // can't be read
};

Message read_message(const std::string& text, const AwaitedDump& awaited);

// The "error" of an answer, or of an operation: a string, or an object with details. Empty: there is none.
std::string error_text(const nlohmann::json& answer);

// The answer to `transact` (section 4.1.3): what the operations led to, or why nothing was done. Throws std::exception
// where it can't be read.
struct TransactResult {
  nlohmann::json results = nlohmann::json::array();  // one an operation
  Error error;
};
TransactResult read_transact_result(nlohmann::json answer);

}  // namespace causeway::ovsdb
