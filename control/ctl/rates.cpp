#include "control/ctl/rates.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace causeway {
namespace {

using nlohmann::json;

json::json_pointer place_of(std::string name) {
  std::ranges::replace(name, '.', '/');
  return json::json_pointer("/" + name);
}

// The rows of a result, which may be one.
template <class Json>
std::vector<Json*> rows_of(Json& reply) {
  std::vector<Json*> rows;
  auto& result = reply.at("result");
  if (!result.is_array()) return {&result};
  for (auto& row : result) rows.push_back(&row);
  return rows;
}

// What names a row: its first column, unless it is the only row there is.
std::string name_of(const json& row, const json& columns) {
  const json& first = columns.at(0);
  return first.at("kind") == "text" ? row.at(place_of(first.at("name"))).dump() : "";
}

json rate(const json& now, const json& before, double seconds) {
  if (!now.is_number() || !before.is_number() || now < before || seconds <= 0) return {};
  return std::round((now.get<double>() - before.get<double>()) / seconds * 10) / 10;
}

}  // namespace

void add_rates(json& reply, const json& before) {
  const double seconds = reply.at("time_s").get<double>() - before.at("time_s").get<double>();
  json columns = json::array();
  std::vector<std::string> counters;
  for (json& column : reply.at("columns")) {
    columns.push_back(column);
    if (column.at("kind") != "counter") continue;
    counters.push_back(column.at("name"));
    json& total = columns.back();
    json per_second = {
        {"name", counters.back() + "_per_s"}, {"kind", "gauge"}, {"unit", total.value("unit", "") + "/s"}};
    if (total.contains("title")) per_second["title"] = total.at("title").get<std::string>() + "/S";
    total.erase("title");
    columns.push_back(std::move(per_second));
  }
  if (counters.empty()) return;
  std::map<std::string, const json*> known;
  for (const json* const row : rows_of(before)) known[name_of(*row, columns)] = row;
  for (json* const row : rows_of(reply)) {
    const auto same = known.find(name_of(*row, columns));
    for (const std::string& counter : counters) {
      const auto place = place_of(counter);
      (*row)[place_of(counter + "_per_s")] =
          same == known.end() ? json() : rate(row->at(place), same->second->at(place), seconds);
    }
  }
  reply["columns"] = std::move(columns);
}

}  // namespace causeway
