#include "control/view/rows.h"

#include <numeric>
#include <utility>

namespace causeway {

std::string_view to_string(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::text:
      return "text";
    case ColumnKind::gauge:
      return "gauge";
    case ColumnKind::counter:
      return "counter";
  }
  return "";
}

void set_field(nlohmann::json& row, std::string_view name, nlohmann::json value) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) {
    row[std::string(name)] = std::move(value);
  } else {
    set_field(row[std::string(name.substr(0, dot))], name.substr(dot + 1), std::move(value));
  }
}

RowStream Table::rows(const Running& running) const {
  std::vector<size_t> all(columns.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return [columns = columns, next = cells(running, all)](const auto& add) {
    return next([&](std::span<nlohmann::json> values) {
      nlohmann::json row = nlohmann::json::object();
      for (size_t i = 0; i < values.size(); ++i) set_field(row, columns[i].name, std::move(values[i]));
      add(row);
    });
  };
}

}  // namespace causeway
