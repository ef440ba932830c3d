#include "control/import/ovs.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

#include "control/import/underlays.h"
#include "control/ovsdb/columns.h"
#include "control/ovsdb/mapping/translate.h"
#include "control/ovsdb/mapping/tunnel_options.h"
#include "control/ovsdb/session.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/yaml/load.h"

namespace causeway {
namespace {

// Without the name that stands in front of it: "g0: " is said already.
std::string_view without_name(std::string_view line, std::string_view name) {
  const bool named = line.size() > name.size() && line.starts_with(name) && line.substr(name.size()).starts_with(": ");
  return named ? line.substr(name.size() + 2) : line;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

// An Interface that isn't there: at the top of the section where it would be.
void say_left_out(const ovsdb::Row& row, std::string_view error, OvsImport& imported) {
  const std::string name = ovsdb::text_of(row, "name").value_or("");
  const bool tunnel = ovsdb::tunnel_type_of(ovsdb::text_of(row, "type").value_or("")).has_value() ||
                      ovsdb::value_of(row, "options", "remote_ip") != nullptr;
  std::vector<std::string>& comments = imported.comments[tunnel ? "tunnels" : "ethernets"];
  for (const std::string_view line : lines_of(error)) {
    comments.push_back(fmt::format("{} is left out: {}", ovsdb::shown(name), without_name(line, name)));
  }
  ++imported.left_out;
}

void say_errors(const ovsdb::Database& rows, const ovsdb::Translation& made, const Underlays& underlays,
                OvsImport& imported) {
  if (made.errors.empty()) return;
  const ovsdb::TableRows& interfaces = rows.at("Interface");
  for (const auto& [uuid, error] : made.errors) {
    const ovsdb::Row& row = interfaces.at(uuid);
    const std::string name = ovsdb::text_of(row, "name").value_or("");
    if (underlays.uplinks.contains(name)) continue;
    if (underlays.config.ethernets.contains(name)) {
      imported.comments["ethernets." + name].emplace_back("a port of a bridge in Open vSwitch: an underlay is none");
      ++imported.left_out;
    } else {
      say_left_out(row, error, imported);
    }
  }
}

// Where a note belongs. A bridge and its own interface have the same name.
std::string place_of(const ovsdb::Note& note, std::string_view name, const config::Config& config) {
  const std::string key(name);
  if (note.key.starts_with("Bridge.") && config.bridges.contains(key)) return "bridges." + key;
  if (config.tunnels.contains(key)) return "tunnels." + key;
  if (config.ethernets.contains(key)) return "ethernets." + key;
  return "bridges";
}

void say_notes(const std::vector<ovsdb::Note>& notes, OvsImport& imported) {
  static constexpr std::string_view kPort = "port ";
  for (const ovsdb::Note& note : notes) {
    std::string_view text = note.text;
    if (text.starts_with(kPort)) text.remove_prefix(kPort.size());
    const std::string_view name = text.substr(0, text.find(':'));
    const std::string place = place_of(note, name, imported.config);
    imported.comments[place].emplace_back(place == "bridges" ? text : without_name(text, name));
  }
}

// A bridge is only there for its own interface's addresses where nothing else is in it: now its port has them.
void remove_own_ports(const Underlays& underlays, config::Config& config) {
  for (const std::string& name : underlays.own_ports) {
    config.ethernets.erase(name);
    config.bridges.erase(name);
  }
}

// The entry of the file that an error is about: "tunnels.g0.remote" -> "tunnels.g0".
std::string place_of(const std::string& key, const config::Config& config) {
  const std::string section = key.substr(0, key.find('.'));
  std::string place;
  const auto look = [&](const auto& entries, const char* of) {
    for (const auto& [name, entry] : entries) {
      const std::string candidate = fmt::format("{}.{}", section, name);
      if (section != of || !key.starts_with(candidate) || candidate.size() <= place.size()) continue;
      if (key.size() == candidate.size() || key[candidate.size()] == '.' || key[candidate.size()] == '[')
        place = candidate;
    }
  };
  look(config.ethernets, "ethernets");
  look(config.bridges, "bridges");
  look(config.tunnels, "tunnels");
  return place;
}

}  // namespace

OvsImport import_ovs(const ovsdb::Database& rows, const ImportHost& host) {
  // What the tunnels stand on shows once they are translated, and where they may lead once that is known.
  const Underlays underlays = underlays_of(ovsdb::translate(rows, {}, {}).config, host);
  const ovsdb::Host own{[&](const IpAddress& remote) {
    const auto route = host.route_to(remote);
    return route && route->interface == kLoopback ? std::optional(route->interface) : std::nullopt;
  }};
  ovsdb::Translation made = ovsdb::translate(rows, underlays.config, own, ovsdb::NoteDetail::rows);
  OvsImport imported{std::move(made.config), underlays.comments, 0};
  remove_own_ports(underlays, imported.config);
  for (auto& [name, tunnel] : imported.config.tunnels) {
    if (tunnel.remotes.front().is_v4()) tunnel.allow_zero_checksum = false;  // says nothing there
  }
  say_errors(rows, made, underlays, imported);
  say_notes(made.notes, imported);
  return imported;
}

std::string yaml_of(OvsImport imported) {
  std::string text = config::write_config(imported.config, imported.comments);
  std::vector<config::ConfigError> errors;
  if (config::load_config("causeway.yaml", text, errors)) return text;
  for (const config::ConfigError& error : errors) {
    imported.comments[place_of(error.key, imported.config)].push_back(fmt::format("not good yet: {}", error.what));
  }
  return config::write_config(imported.config, imported.comments);
}

Error read_ovs_database(const std::string& socket, std::chrono::milliseconds patience, ovsdb::Database& rows) {
  EventLoop loop;
  Background background(loop);
  bool complete = false;
  ovsdb::Session session(loop, background,
                         {.socket = socket, .lock = "", .tables = ovsdb::vswitch_tables(), .limits = {}},
                         {.changed =
                              [&](const ovsdb::Database& found, const ovsdb::RowChanges&) {
                                rows = found;
                                complete = true;
                                loop.stop();
                              },
                          .state_changed =
                              [&] {
                                if (!session.state().connected) loop.stop();
                              }});
  loop.after(patience, [&] { loop.stop(); });
  session.start();
  loop.run();
  if (complete) return {};
  const ovsdb::Session::State& state = session.state();
  return state.connected ? fmt::format("no answer within {} ms: {}", patience.count(), state.why_not) : state.why_not;
}

}  // namespace causeway
