#include "control/ctl/show.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <iterator>
#include <set>
#include <thread>
#include <utility>

#include "control/api/subjects.h"
#include "control/api/verbs.h"
#include "control/ctl/changes.h"
#include "control/ctl/dot.h"
#include "control/ctl/rates.h"
#include "control/ctl/render.h"
#include "control/yaml/value.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr double kSampledSeconds = 2;  // for `flows --top`, unless --watch says otherwise
// No tables of the running state: they have verbs of their own.
constexpr std::string_view kConfig = "config";
constexpr std::string_view kChanges = "changes";

using Clock = std::chrono::steady_clock;
using Looks = std::vector<std::pair<std::string, json>>;  // subjects, and the replies about them

// `indent`: -1 for one line.
void print(const json& value, int indent = 2) {
  fmt::print("{}\n", value.dump(indent, ' ', true, json::error_handler_t::replace));
}

// In characters; 0: stdout is no terminal.
size_t terminal_width() {
  winsize size{};
  return isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::optional<Looks> look(const ShowOptions& options, const Ask& ask, const Complain& complain) {
  std::vector<std::string> subjects{"ports", "bridges", "tunnels"};
  if (!options.subject.empty()) subjects = {options.subject};
  Looks looks;
  for (const std::string& subject : subjects) {
    json request = {{"verb", "show"}, {"what", subject}};
    if (!options.name.empty()) request["name"] = options.name;
    if (options.top != 0) request["largest"] = true;
    auto reply = ask(request);
    if (!reply) return std::nullopt;
    if (!options.name.empty() && reply->at("result").empty()) {
      complain(fmt::format("{}: there is no {}", subject, config::quote(options.name)));
      return std::nullopt;
    }
    looks.emplace_back(subject, std::move(*reply));
  }
  return looks;
}

void print_looks(const ShowOptions& options, const Looks& looks) {
  if (options.json_output) {
    const auto result_of = [&](const json& reply) {
      return options.name.empty() ? reply.at("result") : reply.at("result").at(0);
    };
    json results = json::object();
    for (const auto& [subject, reply] : looks) results[subject] = result_of(reply);
    return print(options.subject.empty() ? results : results.front(), options.watch_s ? -1 : 2);
  }
  std::string text;
  for (const auto& [subject, reply] : looks) {
    if (!text.empty()) text += "\n";
    text += options.name.empty() ? render_show(subject, reply, terminal_width())
                                 : render_object(reply.at("result").at(0), reply.at("columns"));
  }
  fmt::print("{}{}", text, options.watch_s ? "\n" : "");
}

// Flows are counted from the first look on: one that wasn't there at the last had none until then. Unless there was no
// room for it: what it had is unknown then, and so is its rate.
void add_unseen(json& before, const json& now) {
  if (before.at("result").size() >= kMostFlows) return;
  std::set<std::string> seen;
  for (const json& row : before.at("result")) seen.insert(row.at("flow"));
  for (const json& row : now.at("result")) {
    if (!seen.contains(row.at("flow"))) before.at("result").push_back({{"flow", row.at("flow")}, {"packets", 0}});
  }
}

// By what came since the look before; those of which nobody knows come last.
void keep_largest(size_t most, json& reply) {
  auto& rows = reply.at("result").get_ref<json::array_t&>();
  const auto rate = [](const json& row) {
    const json& packets = row.at("packets_per_s");
    return packets.is_number() ? packets.get<double>() : -1;
  };
  std::erase_if(rows, [&](const json& row) { return rate(row) == 0; });
  std::ranges::stable_sort(rows, std::greater(), rate);
  if (rows.size() > most) rows.resize(most);
}

bool show_dot(const Ask& ask) {
  json rows[3];
  const char* const subjects[] = {"ports", "bridges", "tunnels"};
  for (size_t i = 0; i < std::size(subjects); ++i) {
    auto reply = ask({{"verb", "show"}, {"what", subjects[i]}});
    if (!reply) return false;
    rows[i] = std::move(reply->at("result"));
  }
  fmt::print("{}", topology_dot(rows[0], rows[1], rows[2]));
  return true;
}

bool show_config(const ShowOptions& options, const Ask& ask) {
  const auto reply = ask({{"verb", "config"}});
  if (!reply) return false;
  std::string yaml;
  for (const json& line : reply->at("result").at("lines")) yaml += line.get<std::string>() + "\n";
  if (options.json_output) {
    print({{"yaml", yaml}});
  } else {
    fmt::print("{}", yaml);
  }
  return true;
}

bool show_changes(const ShowOptions& options, const Ask& ask) {
  const auto reply = ask({{"verb", kChanges}});
  if (!reply) return false;
  const json& result = reply->at("result");
  if (options.json_output) {
    print(result);
  } else {
    fmt::print("{}", render_changes(result, terminal_width()));
  }
  return true;
}

}  // namespace

std::vector<std::string_view> show_subjects() {
  std::vector<std::string_view> names;
  for (const ShowSubject& subject : kShowSubjects) names.push_back(subject.name);
  names.insert(names.end(), {kConfig, kChanges});
  return names;
}

bool show(const ShowOptions& options, const Ask& ask, const Complain& complain) {
  if (options.dot) return show_dot(ask);
  if (options.subject == kConfig) return show_config(options, ask);
  if (options.subject == kChanges) return show_changes(options, ask);
  std::optional<Looks> before;
  while (true) {
    const auto looked_at = Clock::now();
    std::optional<Looks> now = look(options, ask, complain);
    if (!now) return false;
    Looks shown = *now;
    if (before && options.top != 0) add_unseen(before->front().second, now->front().second);
    for (size_t i = 0; before && i < shown.size(); ++i) add_rates(shown[i].second, (*before)[i].second);
    if (options.top == 0 || before) {
      if (options.top != 0) keep_largest(options.top, shown.front().second);
      print_looks(options, shown);
      if (!options.watch_s || std::fflush(stdout) != 0) return true;  // or nobody reads any more
    }
    before = std::move(now);
    std::this_thread::sleep_until(looked_at + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                                  options.watch_s.value_or(kSampledSeconds))));
  }
}

}  // namespace causeway
