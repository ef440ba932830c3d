#include "control/change/changes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "control/change/yaml_edit.h"
#include "control/process/state_changes.h"
#include "control/yaml/load.h"
#include "control/yaml/write.h"

namespace causeway {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using std::chrono::seconds;

constexpr const char* kHistoryFile = "changes";
constexpr uint64_t kMostPatience = 86400;  // seconds
constexpr size_t kMostAssignments = 1000;

std::shared_ptr<const std::string> text_in(json& request) {
  return std::make_shared<const std::string>(std::move(request.at("text").get_ref<std::string&>()));
}

// A number of a request, if there is one; what is thrown is an error of the request.
std::optional<uint64_t> number_in(const json& request, const char* key, uint64_t low, uint64_t high) {
  const auto found = request.find(key);
  if (found == request.end()) return std::nullopt;
  const bool negative = found->is_number_integer() && !found->is_number_unsigned() && found->get<int64_t>() < 0;
  const uint64_t number = found->is_number_integer() && !negative ? found->get<uint64_t>() : 0;
  if (!found->is_number_integer() || negative || number < low || number > high) {
    throw std::invalid_argument(fmt::format("{}: expected a number from {} to {}", key, low, high));
  }
  return number;
}

std::vector<std::string> texts_of(const std::vector<config::Operation>& operations) {
  std::vector<std::string> texts;
  texts.reserve(operations.size());
  for (const config::Operation& op : operations) texts.push_back(op.text);
  return texts;
}

std::string nothing_left(const ConfigReading& reading) {
  const config::Config& running = *reading.plan.before;
  return fmt::format(
      "{}: error: nothing would be left of what runs ({} ethernets, {} bridges, {} tunnels); if that is meant, say "
      "--empty",
      reading.label, running.ethernets.size(), running.bridges.size(), running.tunnels.size());
}

ConfigReading unreadable(const std::string& label, std::shared_ptr<const config::Config> before,
                         const std::vector<config::ConfigError>& errors) {
  ConfigReading reading{label, nullptr, {std::move(before), nullptr, {}}, {}, {}, {}};
  for (const config::ConfigError& error : errors) reading.errors.push_back(error.to_string());
  return reading;
}

ConfigReading read_file(const std::string& file, std::shared_ptr<const config::Config> before) {
  std::string what;
  // Others wait behind this, so it waits for nobody.
  std::string text =
      file.empty() ? std::string(config::kNoFile) : config::read_whole_file(file, what, std::chrono::milliseconds(0));
  if (!what.empty()) return unreadable(file, std::move(before), {{file, 0, 0, "", what}});
  return read_config(file, std::make_shared<const std::string>(std::move(text)), std::move(before));
}

// `assignments`: PATH=VALUE, one a line.
ConfigReading read_set(std::string_view assignments, std::shared_ptr<const config::Config> before) {
  const std::string label(to_string(ChangeVerb::set));
  std::vector<config::ConfigError> errors;
  config::YamlError impossible;
  auto document = config::YamlTree::parse(config::write_config(*before), impossible);
  if (!document) return unreadable(label, std::move(before), {{label, 0, 0, "", impossible.what}});
  YamlEdit edit(std::move(*document));
  size_t count = 0;
  do {
    const size_t end = std::min(assignments.find('\n'), assignments.size());
    const auto refused = count < kMostAssignments
                             ? edit.assign(assignments.substr(0, end))
                             : YamlEdit::Refusal{"", fmt::format("more than {} at once", kMostAssignments)};
    if (refused) errors.push_back({label, 0, 0, refused->key, refused->what});
    assignments.remove_prefix(std::min(end + 1, assignments.size()));
  } while (!assignments.empty() && ++count <= kMostAssignments);
  if (!errors.empty()) return unreadable(label, std::move(before), errors);
  auto wanted = edit.read(label, errors);
  if (!wanted) return unreadable(label, std::move(before), errors);
  return read_config(label, nullptr, std::move(*wanted), std::move(before));
}

std::string yaml_of(const Version& version) {
  return version.text != nullptr ? *version.text : config::write_config(*version.config);
}

// What is to be said besides, to people.
json notes_of(const json& result, const std::string& file) {
  json notes = json::array();
  const json& unconfirmed = result.at("unconfirmed");
  if (!unconfirmed.is_null()) {
    std::string note =
        fmt::format("goes back in {} s unless `causewayctl confirm` is said", unconfirmed.at("left_s").dump());
    if (!result.at("kept")) {
      note += "; without --state it doesn't outlive the daemon: a start has " + (file.empty() ? "no file" : file);
    }
    notes.push_back(std::move(note));
  } else if (result.at("saved") == false) {
    notes.push_back(
        fmt::format("{} says something else than what runs, and a restart begins with it; `causewayctl save` "
                    "makes it say this",
                    file));
  }
  return notes;
}

// null: there is no file.
json is_saved(StartupFile& file, const Version& running) {
  return file.path().empty() ? json() : json(file.says(running));
}

}  // namespace

Changes::Changes(EventLoop& loop, Configuration& configuration, std::string file)
    : loop_(loop),
      configuration_(configuration),
      file_(std::move(file)),
      startup_file_(std::make_shared<StartupFile>(file_)) {}

Changes::~Changes() { loop_.cancel(deadline_); }

void Changes::keep_in(const StateDirectory& state, Background& background) {
  state_ = &state;
  background_ = &background;
  if (!keeps()) return;
  taken_back_ = state.read(Unconfirmed::kFile).has_value();
  const auto text = state.read(kHistoryFile);
  if (!text) return;
  size_t strange = 0;
  history_ = History::read(*text, strange);
  if (strange != 0) spdlog::warn("{}/{}: lines that are no changes: {}", state.path(), kHistoryFile, strange);
  for (const Change& change : history_.all()) generation_ = std::max(generation_, change.generation);
}

std::vector<std::string> Changes::start(const std::string& label, const std::string& text,
                                        const std::optional<Unconfirmed>& unconfirmed) {
  ConfigReading reading = read_config(label, std::make_shared<const std::string>(text), configuration_.file().config);
  if (reading.plan.after == nullptr) return reading.errors;
  const auto errors = configuration_.change_to(reading);
  if (!errors.empty()) return placed_errors(reading, errors);
  ++generation_;
  previous_ = {};
  Request request{ChangeVerb::start, label};
  std::string note;
  if (unconfirmed) {
    spdlog::warn(
        "{}: was not confirmed when the daemon ended: this start has what ran before it, in the place of {}, and so "
        "has each until something is changed or saved",
        unconfirmed->change, label);
    request = {ChangeVerb::revert, unconfirmed->change};
    note = "by a start of the daemon";
  }
  record(request, {}, 0, true, note);
  do_later(ApiReply::later_by(
      [keep = keeper()]() -> ApiReply::Act {
        keep();
        return [] { return json(); };
      },
      0));
  return {};
}

ApiReply Changes::show_config() const {
  return ApiReply::later_by(
      [config = configuration_.file().config, completed = configuration_.is_completed()]() -> ApiReply::Act {
        config::Comments comments;
        if (completed) comments[""] = {"What Open vSwitch's database adds is not in here: it is no file's."};
        const std::string yaml = config::write_config(*config, comments);
        json lines = json::array();
        for (size_t begin = 0; begin < yaml.size();) {
          const size_t end = std::min(yaml.find('\n', begin), yaml.size());
          lines.push_back(yaml.substr(begin, end - begin));
          begin = end + 1;
        }
        return [line = api_line(api_ok({{"lines", std::move(lines)}}))] { return ApiReply::as_line(line); };
      },
      0);
}

ApiReply Changes::show() {
  return ApiReply::later_by(
      [history = history_, result = state_json(), file = startup_file_,
       running = configuration_.file()]() mutable -> ApiReply::Act {
        json list = json::array();
        for (const Change& change : history.all()) list.push_back(json_of(change));
        result["changes"] = std::move(list);
        result["file"] = file->path();
        result["saved"] = is_saved(*file, running);
        return [line = api_line(api_ok(std::move(result)))] { return ApiReply::as_line(line); };
      },
      0);
}

ApiReply Changes::plan(json request) const {
  std::string label = request.at("file");
  auto text = text_in(request);
  const size_t bytes = text->size();
  return ApiReply::later_by(
      [label, text, before = configuration_.file().config]() -> ApiReply::Act {
        const ConfigReading reading = read_config(label, text, before);
        const json reply =
            reading.plan.after == nullptr
                ? api_error(reading.errors)
                : api_ok({{"operations", texts_of(reading.plan.operations)}, {"warnings", reading.warnings}});
        return [line = api_line(reply)] { return ApiReply::as_line(line); };
      },
      bytes);
}

// Of `request` what all of them may say.
Changes::Order Changes::order_of(ChangeVerb verb, std::string label, json& request, const Peer& peer) {
  auto order = std::make_shared<Request>();
  order->verb = verb;
  order->label = std::move(label);
  if (request.contains("text")) order->text = text_in(request);
  if (peer.pid != getpid()) order->uid = peer.uid;
  order->empty = request.contains("empty") && request.at("empty").get<bool>();
  order->generation = number_in(request, "expect", 0, UINT64_MAX);
  if (const auto patience = number_in(request, "confirm", 1, kMostPatience)) order->patience = seconds(*patience);
  return order;
}

ApiReply Changes::apply(json request, const Peer& peer) {
  std::string file = request.at("file");
  request.at("text");
  return make(order_of(ChangeVerb::apply, std::move(file), request, peer));
}

ApiReply Changes::set(json request, const Peer& peer) {
  std::string label = request.at("text");
  std::ranges::replace(label, '\n', ' ');
  label.resize(std::min(label.size(), History::kMostTextBytes + 1));
  return make(order_of(ChangeVerb::set, std::move(label), request, peer));
}

ApiReply Changes::reload(bool empty, const Peer& peer) {
  json request{{"empty", empty}};
  return make(order_of(ChangeVerb::reload, file_, request, peer));
}

// Of what runs now, whatever somebody else does meanwhile.
ApiReply Changes::rollback(const json& request, const Peer& peer) {
  json all{{"empty", true}, {"expect", request.value("expect", json(generation_))}};
  return make(order_of(ChangeVerb::rollback, fmt::format("from generation {}", generation_), all, peer));
}

void Changes::go_back() {
  spdlog::warn("{}: was not confirmed in time: going back", confirmation_.change());
  json request{{"empty", true}};
  do_later(make(order_of(ChangeVerb::revert, confirmation_.change(), request, Peer{})));
}

Changes::Read Changes::reader_of(const Order& order) const {
  switch (order->verb) {
    case ChangeVerb::set:
      return [order](auto before) { return read_set(*order->text, std::move(before)); };
    case ChangeVerb::reload:
      return [order](auto before) { return read_file(order->label, std::move(before)); };
    case ChangeVerb::rollback:
    case ChangeVerb::revert:
      return [order, back = confirmation_.awaited() ? confirmation_.before() : previous_](auto before) {
        return read_config(std::string(to_string(order->verb)), back.text, *back.config, std::move(before));
      };
    default:
      return [order](auto before) { return read_config(order->label, order->text, std::move(before)); };
  }
}

Error Changes::refusal(const Request& request) const {
  if (request.generation && *request.generation != generation_) {
    return fmt::format(
        "is based on generation {}, but generation {} runs; `causewayctl show changes` has what came between",
        *request.generation, generation_);
  }
  const bool goes_back = request.verb == ChangeVerb::rollback || request.verb == ChangeVerb::revert;
  if (goes_back && !confirmation_.awaited() && previous_.config == nullptr) {
    return "there is nothing to go back to: nothing has changed since the start";
  }
  if (confirmation_.awaited() && !goes_back && !request.patience) {
    return fmt::format("{} awaits `causewayctl confirm`, or else `rollback`, for {} s still", confirmation_.change(),
                       std::chrono::ceil<seconds>(confirmation_.left(Confirmation::Clock::now())).count());
  }
  return {};
}

// What was not confirmed in time was after all, or another change has given it more.
bool Changes::is_put_off(const Request& request) const {
  const bool is_due = confirmation_.awaited() && confirmation_.left(Confirmation::Clock::now()) == 0ns;
  return request.verb == ChangeVerb::revert && !is_due;
}

ApiReply Changes::make(const Order& order) {
  if (is_put_off(*order)) return json();
  if (const Error why = refusal(*order)) {
    return refuse(*order, {fmt::format("{}: {}", to_string(order->verb), why.text())});
  }
  return ApiReply::later_by(
      [this, order, read = reader_of(order), before = configuration_.file().config]() -> ApiReply::Act {
        const auto reading = std::make_shared<ConfigReading>(read(before));
        return [this, order, reading] { return keep_and_change(order, reading); };
      },
      order->bytes());
}

ApiReply Changes::keep_and_change(const Order& order, const Reading& reading) {
  if (is_put_off(*order)) return json();
  if (reading->plan.after == nullptr) return refuse(*order, reading->errors);
  // Another one came between, or will: it is written down already.
  if (keeping_ || reading->plan.before != configuration_.file().config) return make(order);
  if (const Error why = refusal(*order)) {
    return refuse(*order, {fmt::format("{}: {}", to_string(order->verb), why.text())});
  }
  if (!order->empty && removes_everything(*reading)) return refuse(*order, {nothing_left(*reading)});
  if (!order->patience || !keeps()) return change(order, reading);
  keeping_ = true;
  return ApiReply::later_by(
      [this, order, reading, state = state_,
       back = confirmation_.awaited() ? confirmation_.before() : configuration_.file()]() -> ApiReply::Act {
        const std::string what = fmt::format("{} {}", to_string(order->verb), order->label);
        const Error error = state->write(Unconfirmed::kFile, text_of(Unconfirmed{what, yaml_of(back)}));
        return [this, order, reading, error] {
          keeping_ = false;
          return error ? refuse(*order, {error.text()}) : change(order, reading);
        };
      },
      order->bytes());
}

// In one piece; what is said of it may be long, and is left to the background again.
ApiReply Changes::change(const Order& order, const Reading& reading) {
  const Version before = configuration_.file();
  auto errors = configuration_.change_to(*reading);
  if (!errors.empty()) return fail(order, reading, std::move(errors));
  const std::vector<config::Operation>& operations = reading->plan.operations;
  if (!operations.empty()) {
    ++generation_;
    previous_ = before;
  }
  settle(*order, operations.empty() ? Version{} : before);
  std::vector<std::string> first_lines;
  for (const config::Operation& op : operations) {
    if (first_lines.size() < History::kMostPlanLines) first_lines.push_back(op.text);
  }
  std::string note;
  if (confirmation_.awaited()) {
    const auto left = std::chrono::ceil<seconds>(confirmation_.left(Confirmation::Clock::now()));
    note = "to be confirmed by " + time_text(std::chrono::system_clock::now() + left);
  }
  ++outcomes_of(order->verb)->done;
  record(*order, std::move(first_lines), operations.size(), true, std::move(note));
  tell_outcome(order->verb, "done", fmt::format("operations: {}", operations.size()));
  return tell(*order, reading);
}

// Whether it is to be confirmed. `before`: without one nothing has changed.
void Changes::settle(const Request& request, const Version& before) {
  if (!request.patience) {
    if (!confirmation_.awaited()) taken_back_ = false;  // else it goes back, to where the start has begun
    confirmation_.end();
  } else if (before.config != nullptr || confirmation_.awaited()) {
    confirmation_.await(before, fmt::format("{} {}", to_string(request.verb), request.label),
                        Confirmation::Clock::now() + *request.patience);
  }
  watch_deadline();
}

ApiReply Changes::fail(const Order& order, const Reading& reading, std::vector<config::ApplyError> errors) {
  if (order->verb == ChangeVerb::revert) {
    confirmation_.try_later(Confirmation::Clock::now());
    watch_deadline();
  }
  return ApiReply::later_by(
      [this, order, reading, errors = std::move(errors)]() -> ApiReply::Act {
        return [this, order, lines = placed_errors(*reading, errors)] { return refuse(*order, lines); };
      },
      order->bytes());
}

ApiReply Changes::refuse(const Request& request, std::vector<std::string> errors) {
  if (auto* const outcomes = outcomes_of(request.verb)) ++outcomes->refused;
  for (const std::string& line : errors) spdlog::error("{}: {}", to_string(request.verb), line);
  tell_outcome(request.verb, "refused", errors.front());
  record(request, {}, 0, false, errors.front());
  return ApiReply::later_by(
      [keep = keeper(), reply = api_error(std::move(errors))]() -> ApiReply::Act {
        keep();
        return [reply] { return reply; };
      },
      0);
}

// `reading`: null where there is no plan.
ApiReply Changes::tell(const Request& request, const Reading& reading) {
  return ApiReply::later_by(
      [change = history_.all().back(), reading, keep = keeper(), result = state_json(), file = startup_file_,
       running = configuration_.file()]() mutable -> ApiReply::Act {
        keep();
        const std::string_view verb = to_string(change.verb);
        spdlog::info("{}: {}, by {}: operations: {}, generation {}", verb, change.label,
                     json_of(change).at("user").get<std::string>(), change.operations, change.generation);
        std::vector<std::string> texts;
        std::vector<std::string> warnings;
        if (reading != nullptr) {
          texts = texts_of(reading->plan.operations);
          warnings = reading->warnings;
          warnings.insert(warnings.end(), reading->absent.begin(), reading->absent.end());  // the log has the others
        }
        for (const std::string& line : texts) spdlog::info("{}: {}", verb, line);
        result["operations"] = texts;
        result["warnings"] = warnings;
        result["saved"] = is_saved(*file, running);
        result["notes"] = notes_of(result, file->path());
        if (change.verb == ChangeVerb::save && !change.note.empty()) result["notes"].push_back(change.note);
        return [line = api_line(api_ok(std::move(result)))] { return ApiReply::as_line(line); };
      },
      request.bytes());
}

ApiReply Changes::confirm(const Peer& peer) {
  json nothing = json::object();
  const Order order = order_of(ChangeVerb::confirm, confirmation_.change(), nothing, peer);
  if (!confirmation_.awaited()) return refuse(*order, {"confirm: nothing awaits it"});
  // What is being written goes back behind both, and so would a start.
  if (keeping_) return refuse(*order, {"confirm: another change is being made; both can be confirmed once it runs"});
  confirmation_.end();
  taken_back_ = false;
  watch_deadline();
  record(*order, {}, 0, true, "");
  tell_outcome(order->verb, "done", order->label);
  return tell(*order, nullptr);
}

ApiReply Changes::save(const Peer& peer) {
  json nothing = json::object();
  const Order order = order_of(ChangeVerb::save, file_, nothing, peer);
  if (file_.empty()) return refuse(*order, {"save: there is no file that a start begins with"});
  if (const Error why = refusal(*order)) return refuse(*order, {"save: " + why.text()});
  return ApiReply::later_by(
      [this, order, file = startup_file_, running = configuration_.file()]() -> ApiReply::Act {
        auto comments = StartupFile::Comments::kept;
        const Error error = file->says(running) ? Error() : file->save(running, comments);
        return [this, order, error, comments] {
          if (error) return refuse(*order, {"save: " + error.text()});
          const bool kept = comments == StartupFile::Comments::kept;
          taken_back_ = false;
          record(*order, {}, 0, true, kept ? "" : "without comments");
          tell_outcome(order->verb, "done", order->label);
          return tell(*order, nullptr);
        };
      },
      0);
}

// null: of what changes nothing.
ChangeCounts::Outcomes* Changes::outcomes_of(ChangeVerb verb) {
  if (verb == ChangeVerb::confirm || verb == ChangeVerb::save) return nullptr;
  return verb == ChangeVerb::reload ? &counts_.reloads : &counts_.applies;
}

void Changes::record(const Request& request, std::vector<std::string> plan, size_t operations, bool done,
                     std::string note) {
  history_.add({.time = std::chrono::system_clock::now(),
                .generation = generation_,
                .uid = request.uid,
                .user = {},
                .verb = request.verb,
                .label = request.label,
                .operations = operations,
                .plan = std::move(plan),
                .done = done,
                .note = std::move(note)});
}

void Changes::tell_outcome(ChangeVerb verb, std::string_view state, const std::string& what) const {
  state_changes().tell([&] {
    return StateChange{to_string(verb), name(), state, "", fmt::format("{} {}: {}", to_string(verb), state, what)};
  });
}

// Writes down what has come of it all; for the background.
std::function<void()> Changes::keeper() const {
  if (!keeps()) return [] {};
  return [state = state_, history = history_, needed = awaits_confirmation() || taken_back_] {
    if (!needed) state->remove(Unconfirmed::kFile);
    if (const Error error = state->write(kHistoryFile, history.text())) spdlog::warn("{}", error.text());
  };
}

json Changes::state_json() const {
  json state{{"generation", generation_}, {"unconfirmed", json()}, {"kept", keeps()}};
  if (!confirmation_.awaited()) return state;
  const auto left = std::chrono::ceil<seconds>(confirmation_.left(Confirmation::Clock::now()));
  state["unconfirmed"] = {{"change", confirmation_.change()},
                          {"left_s", left.count()},
                          {"until", time_text(std::chrono::system_clock::now() + left)}};
  return state;
}

void Changes::watch_deadline() {
  loop_.cancel(std::exchange(deadline_, 0));
  if (!confirmation_.awaited()) return;
  deadline_ = loop_.after(confirmation_.left(Confirmation::Clock::now()), [this] { go_back(); });
}

void Changes::do_later(ApiReply reply) {
  if (background_ != nullptr) return await_reply(*background_, std::move(reply), [](const ApiReply&) {});
  while (reply.later) reply = reply.later()();
}

}  // namespace causeway
