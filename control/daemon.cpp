#include "control/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/absent_interfaces.h"
#include "control/address_text.h"
#include "control/api.h"
#include "control/config_apply.h"
#include "control/config_diff.h"
#include "control/config_load.h"
#include "control/config_warnings.h"
#include "control/show.h"
#include "control/show_control.h"
#include "control/show_offloads.h"

namespace causeway {
namespace {

using nlohmann::json;

std::vector<std::string> lines_of(const std::vector<config::ConfigError>& errors) {
  std::vector<std::string> lines;
  for (const config::ConfigError& error : errors) lines.push_back(error.to_string());
  return lines;
}

std::vector<std::string> warnings_of(const config::Config& config, const std::string& label, std::string_view text) {
  return lines_of(config::placed(config::warnings_of(config), label, text));
}

}  // namespace

Daemon::Daemon(const EventLoop& loop, Gateway& gateway, config::System system, std::string file)
    : loop_(loop), gateway_(gateway), file_(std::move(file)) {
  config_.system = std::move(system);
}

// Without a name in it a file is called what the daemon is called, whatever its own name.
std::optional<config::Config> Daemon::load(const std::string& label, std::string_view text,
                                           std::vector<config::ConfigError>& errors) const {
  auto wanted = config::load_config(label, text, errors);
  if (wanted && !wanted->system.named) wanted->system.name = config_.system.name;
  return wanted;
}

std::vector<std::string> Daemon::apply(const std::string& label, std::string_view text) {
  std::vector<config::ConfigError> errors;
  auto wanted = load(label, text, errors);
  if (!wanted) return lines_of(errors);
  last_operations_.clear();
  for (const config::Operation& op : config::diff_config(config_, *wanted)) last_operations_.push_back(op.text);
  gateway_.try_devices(wanted->ethernets);
  std::vector<std::string> lines;
  for (const ApplyError& error : apply_config(gateway_, config_, *wanted)) {
    lines.push_back(config::error_at(label, text, error.key, error.what).to_string());
  }
  gateway_.end_trials();
  if (!lines.empty()) return lines;
  config_ = std::move(*wanted);
  last_warnings_ = warnings_of(config_, label, text);
  for (const std::string& line : last_warnings_) spdlog::warn("{}", line);
  // Those the log has already.
  std::ranges::move(lines_of(config::placed(absent_interfaces(config_), label, text)),
                    std::back_inserter(last_warnings_));
  return {};
}

std::vector<std::string> Daemon::reload() {
  std::string what;
  // Workers wait for this thread, so it waits for nobody.
  const std::string text = config::read_whole_file(file_, what, std::chrono::milliseconds(0));
  if (!what.empty()) return {config::ConfigError{file_, 0, 0, "", what}.to_string()};
  return apply(file_, text);
}

json Daemon::plan(const json& request) const {
  std::vector<config::ConfigError> errors;
  const std::string label = request.at("file");
  const std::string text = request.at("text");
  const auto wanted = load(label, text, errors);
  if (!wanted) return api_error(lines_of(errors));
  json operations = json::array();
  for (const config::Operation& op : config::diff_config(config_, *wanted)) operations.push_back(op.text);
  return api_ok({{"operations", operations}, {"warnings", warnings_of(*wanted, label, text)}});
}

json Daemon::apply_request(const json& request) {
  const std::string verb = request.at("verb");
  const std::vector<std::string> errors =
      verb == "reload" ? reload() : apply(request.at("file"), request.at("text").get<std::string>());
  for (const std::string& line : errors) spdlog::error("{}: {}", verb, line);
  if (!errors.empty()) return api_error(errors);
  for (const std::string& line : last_operations_) spdlog::info("{}: {}", verb, line);
  return api_ok({{"operations", last_operations_}, {"warnings", last_warnings_}});
}

json Daemon::change_fdb(const json& request) {
  const std::string action = request.at("action");
  const Bridges::Bridge* bridge = nullptr;
  if (request.contains("bridge")) {
    bridge = gateway_.bridges().find(request.at("bridge"));
    if (bridge == nullptr)
      return api_error({fmt::format("no such bridge: {}", request.at("bridge").get<std::string>())});
  }
  const std::string port = request.value("port", "");
  if (action == "flush") {
    const auto ends = gateway_.adjacencies_of(port);
    if (!port.empty() && ends.empty()) return api_error({fmt::format("no such interface: {}", port)});
    const int vlan = request.value("vlan", -1);
    const size_t removed = gateway_.fdb().remove_if([&](const Fdb::Entry& entry) {
      return !entry.is_static && (bridge == nullptr || entry.bridge == bridge->index) &&
             (port.empty() || std::ranges::find(ends, entry.exit) != ends.end()) &&
             (vlan < 0 || vlan_of(entry.key) == vlan);
    });
    return api_ok({{"removed", removed}});
  }
  const auto mac = parse_mac(request.value("mac", ""));
  if (!mac || mac->is_multicast() || mac->is_zero()) return api_error({"mac: not a station's MAC address"});
  if (bridge == nullptr) return api_error({"a bridge is needed"});
  const auto ends = gateway_.adjacencies_of(port);
  const Adjacency* const end = ends.empty() ? nullptr : gateway_.adjacencies().get(ends.front());
  const uint16_t vlan = end != nullptr ? end->vlan.tag : uint16_t{0};
  const config::StaticMac entry{*mac, port, request.value("vlan", vlan)};
  const std::string& name = gateway_.bridges().name_of(bridge->index);
  std::string error;
  if (action == "add") {
    error = bridge->members.contains(port) ? gateway_.add_static_mac(name, entry)
                                           : fmt::format("{} is no interface of {}", port, name);
  } else if (action == "del") {
    error = gateway_.remove_static_mac(name, entry);
  } else {
    error = fmt::format("unknown action: {}", action);
  }
  return error.empty() ? api_ok(json::object()) : api_error({error});
}

json Daemon::test_offloads(const json& request) {
  const std::string name = request.at("port");
  const Ports::Record* const record = gateway_.ports().find(name);
  if (record == nullptr || record->port == nullptr) return api_error({fmt::format("no such port: {}", name)});
  gateway_.test_offloads(name);
  if (record->verdicts.empty()) {
    const std::string why = untestable(*record->port, gateway_.pool());
    return api_error({fmt::format("{}: {}", name, why.empty() ? "there is no offload to test" : why)});
  }
  return api_ok(show_verdicts(*record));
}

json Daemon::handle(const json& request) {
  const std::string verb = request.at("verb");
  if (verb == "show") {
    if (request.at("what") == "control") return api_ok(show_control(loop_.slices(), gateway_));
    json shown = show(gateway_, request.at("what"));
    if (shown.is_null()) return api_error({fmt::format("cannot show: {}", request.at("what").get<std::string>())});
    return api_ok(std::move(shown));
  }
  if (verb == "stats") return api_ok(stats(gateway_, request.value("per_worker", false)));
  if (verb == "plan") return plan(request);
  if (verb == "apply" || verb == "reload") return apply_request(request);
  if (verb == "fdb") return change_fdb(request);
  if (verb == "offloads") return test_offloads(request);
  return api_error({fmt::format("unknown verb: {}", verb)});
}

}  // namespace causeway
