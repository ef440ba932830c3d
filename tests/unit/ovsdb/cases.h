// The cases of translate.txt: rows recorded from a real ovsdb-server (record.py), and what becomes of them.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/ovsdb/rows.h"

namespace causeway::ovsdb::test {

inline Database rows_of(const nlohmann::json& tables) {
  Database rows;
  for (const auto& [table, entries] : tables.items()) {
    for (const auto& [uuid, columns] : entries.items()) {
      for (const auto& [column, value] : columns.items()) rows[table][uuid][column] = value;
    }
  }
  return rows;
}

struct Case {
  std::string name;
  std::string rows;
  std::string expected;
};

inline std::vector<Case> recorded_cases() {
  std::vector<Case> cases;
  std::ifstream file(CAUSEWAY_SOURCE_ROOT "/tests/unit/ovsdb/translate.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) cases.push_back({line.substr(2), "", ""});
    if (line.starts_with('{')) cases.back().rows = line;
    if (line.starts_with("= ") || line.starts_with("! ") || line.starts_with("? "))
      cases.back().expected += line + '\n';
  }
  return cases;
}

}  // namespace causeway::ovsdb::test
