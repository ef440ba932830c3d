#include "control/change/history.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "control/api/peer.h"
#include "control/api/reply.h"

namespace causeway {
namespace {

using nlohmann::json;
using std::chrono::system_clock;

constexpr std::array<std::string_view, 8> kVerbNames{"start",    "apply",   "reload", "set",
                                                     "rollback", "confirm", "revert", "save"};
constexpr std::string_view kDone = "done";
constexpr std::string_view kRefused = "refused";
constexpr const char* kItself = "causewayd";

void cut(std::string& text) {
  if (text.size() <= History::kMostTextBytes) return;
  text.resize(History::kMostTextBytes - 3);
  text += "...";
}

system_clock::time_point time_of(const std::string& text) {
  std::tm parts{};
  if (strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) throw std::invalid_argument("no time");
  return system_clock::from_time_t(timegm(&parts));
}

Change change_of(const json& line) {
  Change change;
  change.time = time_of(line.at("time"));
  change.generation = line.at("generation");
  if (!line.at("uid").is_null()) change.uid = line.at("uid").get<uid_t>();
  change.user = line.at("user");
  const auto* const verb = std::ranges::find(kVerbNames, line.at("verb").get_ref<const std::string&>());
  if (verb == kVerbNames.end()) throw std::invalid_argument("no verb");
  change.verb = static_cast<ChangeVerb>(verb - kVerbNames.begin());
  change.label = line.at("label");
  change.operations = line.at("operations");
  change.plan = line.at("plan").get<std::vector<std::string>>();
  change.done = line.at("result") == kDone;
  change.note = line.at("note");
  return change;
}

}  // namespace

std::string_view to_string(ChangeVerb verb) { return kVerbNames.at(static_cast<size_t>(verb)); }

std::string time_text(system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(system_clock::to_time_t(time)));
}

json json_of(const Change& change) {
  const std::string user = !change.user.empty() ? change.user : change.uid ? user_name(*change.uid) : kItself;
  return {{"time", time_text(change.time)},
          {"generation", change.generation},
          {"uid", change.uid ? json(*change.uid) : json()},
          {"user", user},
          {"verb", to_string(change.verb)},
          {"label", change.label},
          {"operations", change.operations},
          {"plan", change.plan},
          {"result", change.done ? kDone : kRefused},
          {"note", change.note}};
}

void History::add(Change change) {
  if (change.plan.size() > kMostPlanLines) change.plan.resize(kMostPlanLines);
  for (std::string& line : change.plan) cut(line);
  for (std::string* const text : {&change.user, &change.label, &change.note}) cut(*text);
  changes_.push_back(std::move(change));
  if (changes_.size() > kMost) changes_.pop_front();
}

std::string History::text() const {
  std::string text;
  for (const Change& change : changes_) text += api_line(json_of(change));
  return text;
}

History History::read(std::string_view text, size_t& strange) {
  History history;
  strange = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    try {
      history.add(change_of(json::parse(text.substr(0, end))));
    } catch (const std::exception&) {
      ++strange;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return history;
}

}  // namespace causeway
