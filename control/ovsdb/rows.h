// Rows of the database as we hold them (RFC 7047 section 5.1), whatever way they came: a set is a JSON array however
// many it has, a map a JSON object, a reference the text of the UUID.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace causeway::ovsdb {

// By column; one that the database doesn't have is missing.
using Row = std::map<std::string, nlohmann::json, std::less<>>;
using TableRows = std::map<std::string, Row, std::less<>>;  // by UUID
// By table: "Open_vSwitch", "Bridge", "Port", "Interface", "Mirror".
using Database = std::map<std::string, TableRows, std::less<>>;

// What rows were that have come, changed or gone since; none: they weren't there. By table and UUID.
using RowsBefore = std::map<std::string, std::map<std::string, std::optional<Row>, std::less<>>, std::less<>>;

struct RowChanges {
  bool all = false;  // a whole dump: of no row is it known whether it is as before
  RowsBefore before;
  bool none() const noexcept { return !all && before.empty(); }
};

}  // namespace causeway::ovsdb
