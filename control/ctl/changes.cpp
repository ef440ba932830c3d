#include "control/ctl/changes.h"

#include <fmt/format.h>

#include <iterator>

#include "control/ctl/render.h"
#include "control/ctl/table.h"

namespace causeway {

using nlohmann::json;

namespace {

std::string lines_of(const std::vector<std::string>& assignments) {
  std::string text;
  for (const std::string& each : assignments) text += (text.empty() ? "" : "\n") + each;
  return text;
}

json row_of(const json& change) {
  json row = change;
  const json& plan = change.at("plan");
  const auto operations = change.at("operations").get<size_t>();
  std::string text = plan.empty() ? "" : plan.front().get<std::string>();
  if (operations > 1) text += fmt::format(" (and {} more)", operations - 1);
  row["plan"] = text.empty() ? json() : json(text);
  const std::string& note = change.at("note").get_ref<const std::string&>();
  if (!note.empty()) row["result"] = fmt::format("{}: {}", change.at("result").get<std::string>(), note);
  return row;
}

}  // namespace

json change_request(std::string_view verb, const ChangeOptions& options) {
  json request{{"verb", verb}, {"empty", options.empty}};
  if (options.confirm_s) request["confirm"] = *options.confirm_s;
  if (options.expect) request["expect"] = *options.expect;
  if (!options.assignments.empty()) request["text"] = lines_of(options.assignments);
  return request;
}

std::vector<std::string> remarks_of(const json& result) {
  std::vector<std::string> lines = result.value("warnings", std::vector<std::string>());
  for (const json& note : result.value("notes", json::array()))
    lines.push_back("causewayctl: " + note.get<std::string>());
  return lines;
}

std::string render_change(std::string_view verb, const json& result) {
  if (verb == "confirm") return fmt::format("generation {} is confirmed\n", result.at("generation").dump());
  if (verb == "save") return "saved\n";
  return render_operations(result);
}

std::string render_changes(const json& result, size_t width) {
  static const std::vector<Heading> kHeadings{
      {"time", "TIME"}, {"generation", "GENERATION"}, {"user", "USER"}, {"verb", "VERB"}, {"label", "WHAT"},
      {"plan", "PLAN"}, {"result", "RESULT"}};
  json rows = json::array();
  for (const json& change : result.at("changes")) rows.push_back(row_of(change));
  std::string text = rows.empty() ? "no changes\n" : render_columns(rows, kHeadings, width);
  text += fmt::format("generation {} runs", result.at("generation").dump());
  if (result.at("saved") == false) text += fmt::format(", not what {} says", result.at("file").get<std::string>());
  text += "\n";
  if (const json& unconfirmed = result.at("unconfirmed"); !unconfirmed.is_null()) {
    text += fmt::format("{} goes back in {} s unless it is confirmed\n", unconfirmed.at("change").get<std::string>(),
                        unconfirmed.at("left_s").dump());
  }
  return text;
}

}  // namespace causeway
