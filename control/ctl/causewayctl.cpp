// causewayctl: talks to a running causewayd, and checks files without one.
// Exit codes: 0 done, 1 failed, 2 bad usage or a bad file, 3 `check --strict` has warnings.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/client.h"
#include "control/api/socket_path.h"
#include "control/check/absent_interfaces.h"
#include "control/check/warnings.h"
#include "control/ctl/capture.h"
#include "control/ctl/changes.h"
#include "control/ctl/doctor.h"
#include "control/ctl/events.h"
#include "control/ctl/line/complete.h"
#include "control/ctl/line/frame_verbs.h"
#include "control/ctl/line/usage.h"
#include "control/ctl/render.h"
#include "control/ctl/show.h"
#include "control/ctl/top/top.h"
#include "control/ctl/trace.h"
#include "control/import/ovs.h"
#include "control/process/log.h"
#include "control/process/printable.h"
#include "control/yaml/load.h"
#include "control/yaml/value.h"

namespace causeway {

namespace {

using nlohmann::json;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadInput = 2;
constexpr int kWarned = 3;

struct Options {
  std::string name;
  std::string socket;
  bool json_output = false;

  bool per_worker = false;
  bool all = false;
  std::string file;
  bool strict = false;
  std::string bridge;  // of fdb, as are mac, port and vlan
  std::string mac;
  std::string port;
  std::optional<uint16_t> vlan;
  std::string database = "unix:/run/openvswitch/db.sock";  // of import
  std::string output;                                      // empty: stdout
  std::string log_level;                                   // empty: as it is
  ChangeOptions change;
  CaptureOptions capture;
  TraceOptions trace;
  ShowOptions show;
  EventsOptions events;
  top::Options top;
};

std::vector<std::string> lines_of(const std::vector<config::ConfigError>& errors) {
  std::vector<std::string> lines;
  for (const config::ConfigError& error : errors) lines.push_back(error.to_string());
  return lines;
}

void print_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) fmt::print(stderr, "{}\n", line);
}

// Programs read one stream and look for "errors" there; people have them on stderr.
void complain(bool json_output, const std::vector<std::string>& errors) {
  if (!json_output) return print_lines(errors);
  fmt::print("{}\n", json{{"errors", errors}}.dump(2, ' ', true, json::error_handler_t::replace));
}

// The daemon meant by the options; where none is named, the only one there is.
std::string choose_socket(const Options& options, std::string& error) {
  if (!options.socket.empty()) return options.socket;
  if (!options.name.empty()) return find_socket(options.name);
  std::vector<FoundSocket> alive;
  for (const FoundSocket& found : find_sockets()) {
    if (!ApiClient().connect(found.path)) alive.push_back(found);
  }
  if (alive.size() == 1) return alive.front().path;
  std::string list;
  if (alive.empty()) {
    for (const std::string& directory : socket_directories()) {
      const std::string why = distrust(directory);
      list += (list.empty() ? "" : ", ") + directory + (why.empty() ? "" : " (not looked into: " + why + ")");
    }
    error = "no causewayd is running (no socket that answers in " + list + ")";
  } else {
    for (const FoundSocket& found : alive) list += (list.empty() ? "" : ", ") + found.name;
    error = "several causewayds are running, choose one with -n: " + list;
  }
  return {};
}

// The reply itself; nullopt where it is of a failure, which is then said already.
std::optional<json> if_good(const Options& options, json reply) {
  if (!options.json_output) make_printable(reply);
  if (reply.value("ok", false)) return reply;
  std::vector<std::string> errors;
  for (const json& line : reply.value("errors", json::array({"refused without a reason"}))) {
    errors.push_back(line.is_string() ? line.get<std::string>() : line.dump());
  }
  complain(options.json_output, errors);
  return std::nullopt;
}

// The same of the reply to a request. `client` is connected behind it.
std::optional<json> reply_to(const Options& options, const json& request, ApiClient& client) {
  std::string error;
  const std::string path = choose_socket(options, error);
  if (error.empty()) error = client.connect(path).text();
  if (!error.empty()) {
    complain(options.json_output, {"causewayctl: " + error});
    return std::nullopt;
  }
  return if_good(options, client.ask(request));
}

std::optional<json> reply_to(const Options& options, const json& request) {
  ApiClient client;
  return reply_to(options, request, client);
}

std::optional<json> ask(const Options& options, const json& request) {
  const auto reply = reply_to(options, request);
  return reply ? std::optional(reply->value("result", json())) : std::nullopt;
}

void print(const Options& options, const json& result, const std::string& for_people) {
  fmt::print("{}", options.json_output ? result.dump(2, ' ', true, json::error_handler_t::replace) + "\n" : for_people);
}

int stats(const Options& options) {
  const auto result = ask(options, {{"verb", "stats"}, {"per_worker", options.per_worker}});
  if (!result) return kFailed;
  print(options, *result, render_stats(*result, options.all));
  return kDone;
}

struct GoodFile {
  config::Config config;
  std::string text;
};

// Where the file is no good the reasons are told already.
std::optional<GoodFile> read_good_file(const Options& options) {
  std::string text;
  std::vector<config::ConfigError> errors;
  auto config = config::load_config_file(options.file, text, errors);
  if (config) return GoodFile{std::move(*config), std::move(text)};
  complain(options.json_output, lines_of(errors));
  return std::nullopt;
}

int check(const Options& options, const std::string&) {
  const auto file = read_good_file(options);
  if (!file) return kBadInput;
  auto found = config::warnings_of(file->config);
  const bool strictly_good = found.empty();  // an interface may come: that is this host's matter, not the file's
  std::ranges::move(absent_interfaces(file->config), std::back_inserter(found));
  const auto warnings = lines_of(config::placed(found, options.file, file->text));
  if (!options.json_output) print_lines(warnings);
  print(options, json{{"file", options.file}, {"valid", true}, {"warnings", warnings}},
        warnings.empty() ? options.file + ": good\n" : "");
  return options.strict && !strictly_good ? kWarned : kDone;
}

int change(const Options& options, const std::string& verb, const json& request) {
  const auto result = ask(options, request);
  if (!result) return kFailed;
  if (!options.json_output) print_lines(remarks_of(*result));
  print(options, *result, render_change(verb, *result));
  return kDone;
}

int change(const Options& options, const std::string& verb) {
  return change(options, verb, change_request(verb, options.change));
}

int plan_or_apply(const Options& options, const std::string& verb) {
  const auto file = read_good_file(options);
  if (!file) return kBadInput;
  json request = change_request(verb, options.change);
  request["file"] = options.file;
  request["text"] = file->text;
  return change(options, verb, request);
}

int capture(const Options& options) {
  json request;
  if (const Error error = capture_request(options.capture, request)) {
    complain(options.json_output, {"causewayctl: " + error.text()});
    return kBadInput;
  }
  ApiClient client;
  if (!reply_to(options, request, client)) return kFailed;
  if (const Error error = receive_capture(client, options.capture)) {
    complain(options.json_output, {"causewayctl: " + error.text()});
    return kFailed;
  }
  return kDone;
}

int trace_next(const Options& options) {
  ApiClient client;
  if (!reply_to(options, live_request(options.trace), client)) return kFailed;
  uint64_t traced = 0;
  const Error error = trace_live(
      client, options.trace, [&options](const json& request) { return ask(options, request); },
      [&](const json& result) {
        const bool first = traced++ == 0;
        if (!options.json_output) fmt::print("{}{}", first ? "" : "\n", render_trace(result, options.trace.bytes));
        if (options.json_output) fmt::print("{}\n", result.dump(-1, ' ', true, json::error_handler_t::replace));
        std::fflush(stdout);
      });
  if (error) complain(options.json_output, {"causewayctl: " + error.text()});
  return traced == options.trace.count ? kDone : kFailed;
}

int trace(const Options& options) {
  if (!options.trace.live.empty()) return trace_next(options);
  json request;
  if (const Error error = trace_request(options.trace, request)) {
    complain(options.json_output, {"causewayctl: " + error.text()});
    return kBadInput;
  }
  const auto result = ask(options, request);
  if (!result) return kFailed;
  print(options, *result, options.json_output ? "" : render_trace(*result, options.trace.bytes));
  return kDone;
}

int watch(const Options& options) {
  std::string error;
  if (options.json_output) error = "top is for people; programs have `causewayctl --json show --watch`";
  const std::string path = error.empty() ? choose_socket(options, error) : "";
  if (error.empty()) error = top::run(path, options.top).text();
  if (error.empty()) return kDone;
  complain(options.json_output, {"causewayctl: " + error});
  return kFailed;
}

int events(const Options& options) {
  ApiClient client;
  if (!reply_to(options, {{"verb", "events"}}, client)) return kFailed;
  const Error error = print_events(client, {options.events.count, options.json_output});
  if (!error) return kDone;
  complain(options.json_output, {"causewayctl: " + error.text()});
  return kFailed;
}

int upgrade(const Options& options) {
  ApiClient client;
  if (!reply_to(options, {{"verb", "upgrade"}}, client)) return kFailed;
  const auto reply = if_good(options, client.await_successor());
  if (!reply) return kFailed;
  print(options, reply->at("result"), fmt::format("process {} runs now\n", reply->at("result").at("pid").dump()));
  return kDone;
}

int change_fdb(const Options& options, const std::string& action) {
  json request{{"verb", "fdb"}, {"action", action}};
  if (!options.bridge.empty()) request["bridge"] = options.bridge;
  if (!options.mac.empty()) request["mac"] = options.mac;
  if (!options.port.empty()) request["port"] = options.port;
  if (options.vlan) request["vlan"] = *options.vlan;
  const auto result = ask(options, request);
  if (!result) return kFailed;
  if (options.json_output) print(options, *result, {});
  return kDone;
}

int test_offloads(const Options& options) {
  const auto result = ask(options, {{"verb", "offloads"}, {"port", options.port}});
  if (!result) return kFailed;
  print(options, *result, render_verdicts(*result));
  for (const json& verdict : *result) {
    if (verdict.value("state", "") != "good") return kFailed;
  }
  return kDone;
}

int log_level(const Options& options) {
  json request{{"verb", "log"}};
  if (!options.log_level.empty()) request["level"] = options.log_level;
  const auto result = ask(options, request);
  if (!result) return kFailed;
  print(options, *result, options.log_level.empty() ? result->value("level", "") + "\n" : "");
  return kDone;
}

int doctor(const Options& options) {
  const auto result = ask(options, {{"verb", "doctor"}});
  if (!result) return kFailed;
  print(options, *result, render_doctor(*result));
  return is_well(*result) ? kDone : kFailed;
}

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file.good();
}

int import_ovs(const Options& options) {
  static constexpr std::string_view kUnix = "unix:";
  static constexpr std::chrono::seconds kPatience{10};
  if (!options.database.starts_with(kUnix)) {
    complain(options.json_output, {fmt::format("causewayctl: --db: only UNIX sockets are read, unix:PATH, not {}",
                                               config::quote(options.database))});
    return kBadInput;
  }
  set_log_level("off");  // what goes wrong is told below
  ovsdb::Database rows;
  if (const Error error = read_ovs_database(options.database.substr(kUnix.size()), kPatience, rows)) {
    complain(options.json_output, {fmt::format("causewayctl: {}: {}", options.database, error.text())});
    return kFailed;
  }
  OvsImport imported = causeway::import_ovs(rows, this_host());
  const size_t left_out = imported.left_out;
  const std::string text = yaml_of(std::move(imported));
  if (options.output.empty()) {
    print(options, json{{"yaml", text}, {"left_out", left_out}}, text);
  } else if (!write_file(options.output, text)) {
    complain(options.json_output,
             {fmt::format("causewayctl: {}: cannot be written: {}", options.output, std::strerror(errno))});
    return kFailed;
  } else {
    print(options, json{{"file", options.output}, {"left_out", left_out}}, "");
  }
  if (left_out != 0 && !options.json_output) {
    print_lines({fmt::format("causewayctl: interfaces left out: {}; comments in the file say why", left_out)});
  }
  return kDone;
}

struct CommandLine {
  CLI::App app{"Asks and changes a running causewayd.", "causewayctl"};
  Options options;
  double watch_s = 1;  // of show
  int exit_code = kDone;

  CommandLine();
  CLI::App& add_file_verb(const std::string& verb, const std::string& help,
                          int (*run)(const Options&, const std::string&));
  void add_change_verbs();
  void add_show_verb();
  void add_fdb_verbs();
  void add_import_verbs();
  void add_log_verb();
};

CommandLine::CommandLine() {
  app.require_subcommand(1);
  app.fallthrough();
  auto* name = app.add_option("-n,--name", options.name, "the daemon of this name (system.name in its file)")
                   ->type_name("DAEMON");
  app.add_option("--socket", options.socket, "the daemon at this socket")->excludes(name);
  app.add_flag("--json", options.json_output, "JSON instead of text, errors too: {\"errors\": [...]}");
  app.set_version_flag("--version", "causewayctl " CAUSEWAY_VERSION);

  add_show_verb();
  auto* stats_verb = app.add_subcommand("stats", "what was dropped, and why");
  stats_verb->add_flag("--per-worker", options.per_worker, "a column for each worker");
  stats_verb->add_flag("--all", options.all, "reasons nothing was dropped for, too");
  stats_verb->callback([this] { exit_code = stats(options); });

  auto* doctor_verb =
      app.add_subcommand("doctor", "what is wrong or will be, and what mends it; fails if something is");
  doctor_verb->callback([this] { exit_code = doctor(options); });

  add_file_verb("check", "is this file good, and can it carry? Asks no daemon", check)
      .add_flag("--strict", options.strict, "exit code 3 if there are warnings");
  add_file_verb("plan", "what `apply` of this file would do", plan_or_apply);
  add_change_verbs();
  app.add_subcommand("upgrade", "start the program anew, as it is on the disk now; frames go on")->callback([this] {
    exit_code = upgrade(options);
  });
  auto* events_verb = app.add_subcommand("events", "what changes by itself or because somebody asked, as it comes");
  events_verb->add_option("-c,--count", options.events.count, "so many lines, then end")->check(CLI::PositiveNumber);
  events_verb->callback([this] { exit_code = events(options); });
  auto* top_verb = app.add_subcommand("top", "what passes, what dies and what is wrong, alive in the terminal");
  top_verb->add_option("--interval", options.top.interval_s, "seconds from one look to the next; default: 1")
      ->check(CLI::Range(0.1, 86400.0));
  top_verb->callback([this] { exit_code = watch(options); });
  add_capture_verb(app, options.capture).callback([this] { exit_code = capture(options); });
  add_trace_verb(app, options.trace).callback([this] { exit_code = trace(options); });
  add_fdb_verbs();
  add_import_verbs();
  add_log_verb();

  auto* offloads = app.add_subcommand("offloads", "what devices do for us");
  offloads->require_subcommand(1);
  offloads->fallthrough();
  auto* test = offloads->add_subcommand("test", "does the device do what it claims? Fails if not");
  test->add_option("port", options.port)->required()->type_name("PORT");
  test->callback([this] { exit_code = test_offloads(options); });
}

CLI::App& CommandLine::add_file_verb(const std::string& verb, const std::string& help,
                                     int (*run)(const Options&, const std::string&)) {
  auto* command = app.add_subcommand(verb, help);
  command->add_option("file", options.file, "YAML")->required();
  command->callback([this, run, verb] { exit_code = run(options, verb); });
  return *command;
}

void CommandLine::add_change_verbs() {
  auto& apply = add_file_verb("apply", "make the daemon what this file says, or leave it as it is", plan_or_apply);
  const auto add_verb = [this](const std::string& verb, const std::string& help) {
    auto* command = app.add_subcommand(verb, help);
    command->callback([this, verb] { exit_code = change(options, verb); });
    return command;
  };
  auto* reload = add_verb("reload", "apply the file the daemon was started with");
  auto* set = add_verb("set", "change what runs: set tunnels.gnv0.remote=172.31.0.9 ...");
  set->add_option("assignments", options.change.assignments, "the value is YAML, null takes the key away")
      ->required()
      ->type_name("PATH=VALUE")
      ->check([](const std::string& text) {
        return text.find('\n') == std::string::npos ? std::string() : std::string("expected one line");
      });
  auto* rollback = add_verb("rollback", "back to what ran before the last change");
  add_verb("confirm", "keep what `--confirm` would take back");
  add_verb("save", "make the file that the daemon was started with say what runs");
  for (CLI::App* const verb : {&apply, reload, set}) {
    verb->add_flag("--empty", options.change.empty, "even where it leaves nothing of what runs");
  }
  for (CLI::App* const verb : {&apply, set}) {
    verb->add_option("--confirm", options.change.confirm_s, "it goes back after so many seconds unless confirmed")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86400));
  }
  for (CLI::App* const verb : {&apply, set, rollback}) {
    verb->add_option("--expect", options.change.expect, "only if this generation runs: see show changes")
        ->type_name("GENERATION");
  }
}

void CommandLine::add_show_verb() {
  ShowOptions& wanted = options.show;
  auto* verb = app.add_subcommand("show", "state; without a subject ports, bridges and tunnels");
  auto* subject = verb->add_option("subject", wanted.subject, joined(show_subjects()))->type_name("SUBJECT");
  subject->check([](const std::string& word) {
    const auto subjects = show_subjects();
    if (std::ranges::find(subjects, word) != subjects.end()) return std::string();
    const std::string meant = did_you_mean(word, subjects);
    return fmt::format("cannot show {}{}", config::quote(word), meant.empty() ? ", only " + joined(subjects) : meant);
  });
  verb->add_option("name", wanted.name, "of a port, bridge or tunnel: everything known of it")->type_name("NAME");
  auto* watch = verb->add_option("--watch", watch_s, "again every SECONDS, 1 unless said otherwise, with rates");
  watch->expected(0, 1)->type_name("[SECONDS]")->check(CLI::Range(0.1, 86400.0));
  auto* top = verb->add_option("--top", wanted.top, "of flows: so many, those with the most packets in two seconds");
  top->check(CLI::PositiveNumber)->needs(subject);
  auto* dot = verb->add_flag("--dot", wanted.dot, "the topology for Graphviz: show --dot | dot -Tsvg");
  dot->excludes(watch)->excludes(subject);
  verb->callback([this, watch] {
    if (options.show.top != 0 && (options.show.subject != "flows" || !options.show.name.empty())) {
      throw CLI::ValidationError("--top", "only of flows: show flows --top N");
    }
    options.show.json_output = options.json_output;
    if (watch->count() != 0) options.show.watch_s = watch_s;
    const auto asked = [this](const json& request) { return reply_to(options, request); };
    const auto complained = [this](const std::string& why) { complain(options.json_output, {"causewayctl: " + why}); };
    exit_code = show(options.show, asked, complained) ? kDone : kFailed;
  });
}

void CommandLine::add_fdb_verbs() {
  auto* fdb = app.add_subcommand("fdb", "the MAC table by hand");
  fdb->require_subcommand(1);
  fdb->fallthrough();

  auto* flush = fdb->add_subcommand("flush", "forget what was learned");
  flush->add_option("bridge", options.bridge, "only in this bridge")->type_name("BRIDGE");
  flush->add_option("--port", options.port, "only behind this port")->type_name("INTERFACE");

  auto* add = fdb->add_subcommand("add", "a MAC address that is not learned and does not age");
  add->add_option("bridge", options.bridge)->required()->type_name("BRIDGE");
  add->add_option("mac", options.mac)->required();
  add->add_option("port", options.port, "an interface or a tunnel of the bridge")->required()->type_name("INTERFACE");

  auto* del = fdb->add_subcommand("del", "forget one MAC address");
  del->add_option("bridge", options.bridge)->required()->type_name("BRIDGE");
  del->add_option("mac", options.mac)->required();

  const std::pair<CLI::App*, const char*> verbs[] = {{flush, "only in this VLAN; 0: untagged"},
                                                     {add, "default: the port's tag if it has one, else 0: untagged"},
                                                     {del, "0, the default: untagged"}};
  for (const auto& [verb, vlan_help] : verbs) {
    verb->add_option("--vlan", options.vlan, vlan_help)->check(CLI::Range(0, 4094));
    verb->callback([this, verb = verb] { exit_code = change_fdb(options, verb->get_name()); });
  }
}

void CommandLine::add_import_verbs() {
  auto* verb = app.add_subcommand("import", "a file that does what another switch does");
  verb->require_subcommand(1);
  verb->fallthrough();
  auto* ovs = verb->add_subcommand("ovs", "of Open vSwitch's database, which is only read");
  ovs->add_option("--db", options.database, "its server's socket")->capture_default_str();
  ovs->add_option("-o,--output", options.output, "the file; default: stdout");
  ovs->callback([this] { exit_code = import_ovs(options); });
}

void CommandLine::add_log_verb() {
  auto* log = app.add_subcommand("log", "what the daemon logs");
  log->require_subcommand(1);
  log->fallthrough();
  auto* level = log->add_subcommand("level", "how much it logs; with LEVEL, from now on so much");
  level->add_option("level", options.log_level, kLogLevels);
  level->callback([this] { exit_code = log_level(options); });
}

// For shells: what may come next, a line each.
int complete(CommandLine& line, std::span<char*> words) {
  const auto names_of = [&line](const LineTarget& target, std::string_view subject) {
    line.options.name = target.name;
    line.options.socket = target.socket;
    std::vector<std::string> names;
    const auto rows = ask(line.options, {{"verb", "show"}, {"what", subject}});
    if (!rows || !rows->is_array()) return names;
    for (const json& row : *rows) {
      if (row.contains("name")) names.push_back(row.at("name"));
    }
    return names;
  };
  const std::vector<std::string> texts(words.begin(), words.end());
  for (const std::string& word : completions(line.app, texts, names_of)) fmt::print("{}\n", word);
  return kDone;
}

int refuse(const CommandLine& line, const CLI::ParseError& error, std::span<char*> arguments) {
  // It may stand behind what was not understood.
  const bool json_output =
      std::ranges::any_of(arguments, [](const char* argument) { return std::string_view(argument) == "--json"; });
  std::vector<std::string> errors{"causewayctl: " + usage_error(line.app, error)};
  if (!json_output) errors.emplace_back("`causewayctl --help` lists what there is");
  complain(json_output, errors);
  return kBadInput;
}

}  // namespace

}  // namespace causeway

int main(int argc, char** argv) {
  causeway::CommandLine line;
  const std::span<char*> words(argv + 1, static_cast<size_t>(std::max(argc, 1) - 1));
  try {
    if (!words.empty() && std::string_view(words[0]) == "complete") return complete(line, words.subspan(1));
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return line.app.exit(error);  // --help, --version
    return causeway::refuse(line, error, {argv, static_cast<size_t>(argc)});
  } catch (const nlohmann::json::exception& error) {
    causeway::complain(line.options.json_output, {std::string("causewayctl: unreadable answer: ") + error.what()});
    return causeway::kFailed;
  }
  return line.exit_code;
}
