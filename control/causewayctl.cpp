// causewayctl: talks to a running causewayd, and checks files without one.
// Exit codes: 0 done, 1 failed, 2 bad usage or a bad file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/api_client.h"
#include "control/config_load.h"
#include "control/ctl_show.h"
#include "control/socket_path.h"

namespace causeway {

namespace {

using nlohmann::json;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadInput = 2;

struct Options {
  std::string name;
  std::string socket;
  bool json_output = false;

  std::string subject;  // of show
  bool per_worker = false;
  bool all = false;
  std::string file;
  std::string bridge;  // of fdb, as are mac, port and vlan
  std::string mac;
  std::string port;
  std::optional<uint16_t> vlan;
};

int complain(const std::string& message) {
  fmt::print(stderr, "causewayctl: {}\n", message);
  return kFailed;
}

// The daemon meant by the options; where none is named, the only one there is.
std::string choose_socket(const Options& options, std::string& error) {
  if (!options.socket.empty()) return options.socket;
  if (!options.name.empty()) return find_socket(options.name);
  std::vector<FoundSocket> alive;
  for (const FoundSocket& found : find_sockets()) {
    if (ApiClient().connect(found.path).empty()) alive.push_back(found);
  }
  if (alive.size() == 1) return alive.front().path;
  std::string list;
  if (alive.empty()) {
    for (const std::string& directory : socket_directories()) list += (list.empty() ? "" : ", ") + directory;
    error = "no causewayd is running (no socket that answers in " + list + ")";
  } else {
    for (const FoundSocket& found : alive) list += (list.empty() ? "" : ", ") + found.name;
    error = "several causewayds are running, choose one with -n: " + list;
  }
  return {};
}

// The result of a request; nullopt where it failed, which is then said already.
std::optional<json> ask(const Options& options, const json& request) {
  std::string error;
  const std::string path = choose_socket(options, error);
  ApiClient client;
  if (error.empty()) error = client.connect(path);
  if (!error.empty()) {
    complain(error);
    return std::nullopt;
  }
  const json reply = client.ask(request);
  if (reply.value("ok", false)) return reply.value("result", json());
  for (const json& line : reply.value("errors", json::array({"refused without a reason"}))) {
    fmt::print(stderr, "{}\n", line.is_string() ? line.get<std::string>() : line.dump());
  }
  return std::nullopt;
}

void print(const Options& options, const json& result, const std::string& for_people) {
  fmt::print("{}", options.json_output ? result.dump(2) + "\n" : for_people);
}

int show(const Options& options) {
  std::vector<std::string> subjects{"ports", "bridges", "tunnels"};
  const bool one = !options.subject.empty();
  if (one) subjects = {options.subject};
  json results = json::object();
  std::string text;
  for (const std::string& subject : subjects) {
    const auto result = ask(options, {{"verb", "show"}, {"what", subject}});
    if (!result) return kFailed;
    text += (text.empty() ? "" : "\n") + render_show(subject, *result);
    results[subject] = *result;
  }
  print(options, one ? results[options.subject] : results, text);
  return kDone;
}

int stats(const Options& options) {
  const auto result = ask(options, {{"verb", "stats"}, {"per_worker", options.per_worker}});
  if (!result) return kFailed;
  print(options, *result, render_stats(*result, options.all));
  return kDone;
}

// Reads the file; where it is no good the reasons are on stderr already.
std::optional<std::string> read_good_file(const std::string& file) {
  std::ifstream input(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
  if (!input) {
    fmt::print(stderr, "{}: error: cannot read the file: {}\n", file, std::strerror(errno));
    return std::nullopt;
  }
  std::vector<config::ConfigError> errors;
  if (config::load_config(file, text, errors)) return text;
  for (const config::ConfigError& error : errors) fmt::print(stderr, "{}\n", error.to_string());
  return std::nullopt;
}

int check(const Options& options) {
  if (!read_good_file(options.file)) return kBadInput;
  print(options, json{{"file", options.file}, {"valid", true}}, options.file + ": good\n");
  return kDone;
}

int plan_or_apply(const Options& options, const std::string& verb) {
  const auto text = read_good_file(options.file);
  if (!text) return kBadInput;
  const auto result = ask(options, {{"verb", verb}, {"file", options.file}, {"text", *text}});
  if (!result) return kFailed;
  print(options, *result, render_operations(*result));
  return kDone;
}

int reload(const Options& options) {
  const auto result = ask(options, {{"verb", "reload"}});
  if (!result) return kFailed;
  print(options, *result, render_operations(*result));
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

struct CommandLine {
  CLI::App app{"Asks and changes a running causewayd.", "causewayctl"};
  Options options;
  int exit_code = kDone;

  CommandLine();
  void add_file_verb(const std::string& verb, const std::string& help, int (*run)(const Options&, const std::string&));
  void add_fdb_verbs();
};

CommandLine::CommandLine() {
  app.require_subcommand(1);
  app.fallthrough();
  auto* name = app.add_option("-n,--name", options.name, "the daemon of this name (system.name in its file)");
  app.add_option("--socket", options.socket, "the daemon at this socket")->excludes(name);
  app.add_flag("--json", options.json_output, "JSON instead of text");

  auto* show_verb = app.add_subcommand("show", "state; without a subject ports, bridges and tunnels");
  const auto subjects = show_subjects();
  show_verb->add_option("subject", options.subject, "what to show")
      ->check(CLI::IsMember(std::vector<std::string>(subjects.begin(), subjects.end())));
  show_verb->callback([this] { exit_code = show(options); });

  auto* stats_verb = app.add_subcommand("stats", "what was dropped, and why");
  stats_verb->add_flag("--per-worker", options.per_worker, "a column for each worker");
  stats_verb->add_flag("--all", options.all, "reasons nothing was dropped for, too");
  stats_verb->callback([this] { exit_code = stats(options); });

  add_file_verb("check", "is this file good? Asks no daemon",
                [](const Options& o, const std::string&) { return check(o); });
  add_file_verb("plan", "what `apply` of this file would do", plan_or_apply);
  add_file_verb("apply", "make the daemon what this file says, or leave it as it is", plan_or_apply);

  app.add_subcommand("reload", "apply the file the daemon was started with")->callback([this] {
    exit_code = reload(options);
  });
  add_fdb_verbs();

  auto* offloads = app.add_subcommand("offloads", "what devices do for us");
  offloads->require_subcommand(1);
  offloads->fallthrough();
  auto* test = offloads->add_subcommand("test", "does the device do what it claims? Fails if not");
  test->add_option("port", options.port)->required();
  test->callback([this] { exit_code = test_offloads(options); });
}

void CommandLine::add_file_verb(const std::string& verb, const std::string& help,
                                int (*run)(const Options&, const std::string&)) {
  auto* command = app.add_subcommand(verb, help);
  command->add_option("file", options.file, "YAML")->required();
  command->callback([this, run, verb] { exit_code = run(options, verb); });
}

void CommandLine::add_fdb_verbs() {
  auto* fdb = app.add_subcommand("fdb", "the MAC table by hand");
  fdb->require_subcommand(1);
  fdb->fallthrough();

  auto* flush = fdb->add_subcommand("flush", "forget what was learned");
  flush->add_option("bridge", options.bridge, "only in this bridge");
  flush->add_option("--port", options.port, "only behind this port");

  auto* add = fdb->add_subcommand("add", "a MAC address that is not learned and does not age");
  add->add_option("bridge", options.bridge)->required();
  add->add_option("mac", options.mac)->required();
  add->add_option("port", options.port, "an interface or a tunnel of the bridge")->required();

  auto* del = fdb->add_subcommand("del", "forget one MAC address");
  del->add_option("bridge", options.bridge)->required();
  del->add_option("mac", options.mac)->required();

  const std::pair<CLI::App*, const char*> verbs[] = {{flush, "only in this VLAN; 0: untagged"},
                                                     {add, "default: the port's tag if it has one, else 0: untagged"},
                                                     {del, "0, the default: untagged"}};
  for (const auto& [verb, vlan_help] : verbs) {
    verb->add_option("--vlan", options.vlan, vlan_help)->check(CLI::Range(0, 4094));
    verb->callback([this, verb = verb] { exit_code = change_fdb(options, verb->get_name()); });
  }
}

}  // namespace

}  // namespace causeway

int main(int argc, char** argv) {
  causeway::CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return line.app.exit(error) == 0 ? causeway::kDone : causeway::kBadInput;
  }
  return line.exit_code;
}
