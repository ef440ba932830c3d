#include "control/vswitch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kUnix = "unix:";
constexpr auto kLook = 500ms;
constexpr auto kRoutesPause = 1s;
constexpr auto kStatistics = 5s;  // other_config:stats-update-interval of ovs-vswitchd.conf.db(5)

std::string path_of(const std::string& socket) {
  return socket.starts_with(kUnix) ? socket.substr(kUnix.size()) : socket;
}

}  // namespace

Vswitch::Vswitch(EventLoop& loop, Background& background, Daemon& daemon, Gateway& gateway, const std::string& socket,
                 const std::string& version, std::function<void()> first_rows)
    : loop_(loop),
      daemon_(daemon),
      gateway_(gateway),
      session_(loop, background, {.socket = path_of(socket), .tables = vswitch_tables(), .limits = {}},
               {.changed = [this](const Database& rows, const RowChanges& changes) { rows_changed(rows, changes); },
                .state_changed =
                    [this] {
                      if (!session_.state().ready()) report_.forget();
                      unixctl_.stand_for_vswitchd(session_.state().locked);
                    }}),
      first_rows_(std::move(first_rows)),
      unixctl_(loop, unixctl::run_directory(path_of(socket)),
               {.gateway = gateway,
                .version = version,
                .port_numbers = [this](const std::string& bridge) { return report_.port_numbers(bridge); },
                .ask = [&daemon](nlohmann::json request) { return daemon.handle(std::move(request)).whole; },
                .stop = [&loop] { loop.stop(); }}) {
  daemon_.configuration().complete_with([this](const config::Config& file) { return complete(file); });
  loop.every(kLook, [this] { report(Report::Look::at_all); });
  loop.every(kStatistics, [this] { report(Report::Look::at_counters); });
  session_.start();
}

Host Vswitch::host() const {
  return {.interface_to = [this](const IpAddress& remote) {
    const auto route = rtnetlink_.route_to(remote);
    return route ? std::optional(route->interface) : std::nullopt;
  }};
}

// Before the first dump nothing is known, and nothing that runs is taken away for it.
std::shared_ptr<config::Config> Vswitch::complete(const config::Config& file) {
  if (!known_) return std::make_shared<config::Config>(file);
  Translation translation = translator_.translate_all(session_.database(), file, host());
  errors_ = std::move(translation.errors);
  notes_ = std::move(translation.notes);
  in_use_ = false;
  return std::make_shared<config::Config>(std::move(translation.config));
}

void Vswitch::host_networks_changed() {
  if (std::exchange(will_look_at_routes_, true)) return;
  look_at_routes();
  loop_.after(kRoutesPause, [this] {
    if (std::exchange(will_look_at_routes_, false)) look_at_routes();
  });
}

void Vswitch::look_at_routes() {
  if (!known_ || daemon_.configuration().running().tunnels.empty()) return;
  rows_changed(session_.database(), {.all = true, .before = {}});
  in_use_ = false;  // rows that are told as changed later may be among these
}

void Vswitch::rows_changed(const Database& rows, const RowChanges& changes) {
  const bool first = !std::exchange(known_, true);
  auto failed = change_ports(rows, changes);
  if (!failed) failed = change_all(rows);
  if (first) first_rows_();
  in_use_ = failed->empty();
  log_notes();
  for (const config::ApplyError& error : *failed) {
    spdlog::warn("ovsdb: {}: {}", error.key, error.what);
    const std::string name = error.key.substr(error.key.find('.') + 1);
    if (const std::string* const uuid = translator_.interface_named(name)) errors_.emplace(*uuid, error.what);
  }
  report(Report::Look::at_followed);
}

std::optional<std::vector<config::ApplyError>> Vswitch::change_ports(const Database& rows, const RowChanges& changes) {
  if (!in_use_ || changes.all) return std::nullopt;
  auto translated = translator_.translate_changes(rows, changes.before, *daemon_.configuration().file().config, host());
  if (!translated) return std::nullopt;
  for (const auto& [uuid, row] : table_of(translated->rows.before, "Interface")) errors_.erase(uuid);
  errors_.merge(translated->errors);
  notes_ = std::move(translated->notes);
  report_.follow(translated->rows);
  return daemon_.configuration().change_by(translated->config);
}

std::vector<config::ApplyError> Vswitch::change_all(const Database& rows) {
  report_.follow(rows);
  return daemon_.configuration().complete_anew();
}

void Vswitch::log_notes() {
  for (const Note& note : notes_) {
    if (noted_.insert(note.key).second) spdlog::info("ovsdb: {}", note.text);
  }
}

void Vswitch::report(Report::Look look) {
  if (!session_.state().ready() || !known_) return;
  const bool applied = look == Report::Look::at_followed;
  if (!applied && session_.unanswered() != 0) return;  // it is slow: what there is to say gets no less by waiting
  std::optional<int64_t> number;
  const TableRows& roots = table_of(session_.database(), "Open_vSwitch");
  if (applied && !roots.empty()) number = integer_of(roots.begin()->second, "next_cfg");
  auto operations = report_.operations(errors_, gateway_, look, number);
  if (operations.empty()) return;
  const Error error = session_.transact(std::move(operations), [this](const nlohmann::json&, const Error& refused) {
    if (!refused) return;
    spdlog::warn("ovsdb: the database refuses what it is told: {}", refused.text());
    report_.forget();
  });
  if (error) report_.forget();
}

}  // namespace causeway::ovsdb
