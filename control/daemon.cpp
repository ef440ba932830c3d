#include "control/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/config/address_text.h"
#include "control/gateway/apply.h"
#include "control/view/control_view.h"
#include "control/view/offloads_view.h"
#include "control/view/view.h"
#include "control/yaml/load.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr uint16_t kMaxVlan = 4094;

// What a bool of a request says; absent: false.
bool flag_of(const json& request, const char* key) { return request.contains(key) && request.at(key).get<bool>(); }

// A VLAN of a request, if there is one; `error` where it is none.
std::optional<uint16_t> vlan_in(const json& request, std::string& error) {
  const auto found = request.find("vlan");
  if (found == request.end()) return std::nullopt;
  if (found->is_number_integer() && *found >= 0 && *found <= kMaxVlan) return found->get<uint16_t>();
  error = fmt::format("vlan: {} is no VLAN (0 to {})", found->dump(-1, ' ', false, json::error_handler_t::replace),
                      kMaxVlan);
  return std::nullopt;
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

// What has failed is logged, too.
ApiReply refused(const std::string& verb, std::vector<std::string> errors) {
  for (const std::string& line : errors) spdlog::error("{}: {}", verb, line);
  return {api_error(std::move(errors))};
}

}  // namespace

Daemon::Daemon(const EventLoop& loop, Gateway& gateway, const config::System& system, std::string file)
    : loop_(loop), gateway_(gateway), file_(std::move(file)) {
  config::Config nothing;
  nothing.system = system;
  config_ = std::make_shared<const config::Config>(std::move(nothing));
}

std::vector<std::string> Daemon::apply(const std::string& label, const std::string& text) {
  ConfigReading reading = read_config(label, text, config_);
  if (reading.plan.after == nullptr) return reading.errors;
  return placed_errors(reading, change_to(reading));
}

std::vector<config::ApplyError> Daemon::change_to(ConfigReading& reading) {
  // Another change may have come between.
  if (reading.plan.before != config_) reading.plan = config::make_plan(config_, reading.plan.after);
  gateway_.try_devices(reading.plan.after->ethernets);
  auto errors = apply_operations(gateway_, reading.plan.operations);
  gateway_.end_trials();
  if (!errors.empty()) return errors;
  config_ = reading.plan.after;
  for (const std::string& line : reading.warnings) spdlog::warn("{}", line);
  return {};
}

ApiReply Daemon::reload(bool empty) {
  return ApiReply::later_by(
      [this, empty, file = file_, before = config_]() -> ApiReply::Act {
        std::string what;
        // Others wait behind this, so it waits for nobody.
        std::string text = config::read_whole_file(file, what, std::chrono::milliseconds(0));
        if (!what.empty()) {
          return [line = config::ConfigError{file, 0, 0, "", what}.to_string()] { return refused("reload", {line}); };
        }
        const auto reading = std::make_shared<ConfigReading>(read_config(file, std::move(text), before));
        return [this, reading, empty] { return apply_reading("reload", reading, empty); };
      },
      0);
}

ApiReply Daemon::plan(json request) const {
  std::string label = request.at("file");
  std::string text = std::move(request.at("text").get_ref<std::string&>());
  const size_t bytes = text.size();
  return ApiReply::later_by(
      [label, text = std::move(text), before = config_]() mutable -> ApiReply::Act {
        const ConfigReading reading = read_config(label, std::move(text), before);
        const json reply =
            reading.plan.after == nullptr
                ? api_error(reading.errors)
                : api_ok({{"operations", texts_of(reading.plan.operations)}, {"warnings", reading.warnings}});
        return [line = api_line(reply)] { return ApiReply::as_line(line); };
      },
      bytes);
}

ApiReply Daemon::apply_request(json request) {
  std::string label = request.at("file");
  std::string text = std::move(request.at("text").get_ref<std::string&>());
  const bool empty = flag_of(request, "empty");
  const size_t bytes = text.size();
  return ApiReply::later_by(
      [this, label, empty, text = std::move(text), before = config_]() mutable -> ApiReply::Act {
        const auto reading = std::make_shared<ConfigReading>(read_config(label, std::move(text), before));
        return [this, reading, empty] { return apply_reading("apply", reading, empty); };
      },
      bytes);
}

// The change itself; what is said of it may be long, and is left to the background again.
ApiReply Daemon::apply_reading(const std::string& verb, const Reading& reading, bool empty) {
  if (reading->plan.after == nullptr) return refused(verb, reading->errors);
  if (!empty && removes_everything(*reading)) return refused(verb, {nothing_left(*reading)});
  const std::vector<config::ApplyError> errors = change_to(*reading);
  return ApiReply::later_by(
      [verb, reading, errors]() -> ApiReply::Act {
        if (!errors.empty()) {
          return [reply = refused(verb, placed_errors(*reading, errors))] { return reply; };
        }
        const std::vector<std::string> texts = texts_of(reading->plan.operations);
        for (const std::string& line : texts) spdlog::info("{}: {}", verb, line);
        std::vector<std::string> warnings = reading->warnings;
        warnings.insert(warnings.end(), reading->absent.begin(), reading->absent.end());  // the log has those already
        const json reply = api_ok({{"operations", texts}, {"warnings", warnings}});
        return [line = api_line(reply)] { return ApiReply::as_line(line); };
      },
      reading->text.size());
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
  std::string error;
  const std::optional<uint16_t> wanted_vlan = vlan_in(request, error);
  if (!error.empty()) return api_error({error});
  if (action == "flush") return flush_fdb(bridge, port, wanted_vlan);
  const auto mac = parse_mac(request.value("mac", ""));
  if (!mac || mac->is_multicast() || mac->is_zero()) return api_error({"mac: not a station's MAC address"});
  if (bridge == nullptr) return api_error({"a bridge is needed"});
  const auto ends = gateway_.adjacencies_of(port);
  const Adjacency* const end = ends.empty() ? nullptr : gateway_.adjacencies().get(ends.front());
  const uint16_t vlan = end != nullptr ? end->vlan.tag : uint16_t{0};
  const config::StaticMac entry{*mac, port, wanted_vlan.value_or(vlan)};
  const std::string& name = gateway_.bridges().name_of(bridge->index);
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

json Daemon::flush_fdb(const Bridges::Bridge* bridge, const std::string& port, std::optional<uint16_t> vlan) {
  const auto ends = gateway_.adjacencies_of(port);
  if (!port.empty() && ends.empty()) return api_error({fmt::format("no such interface: {}", port)});
  const size_t removed = gateway_.fdb().remove_if([&](const Fdb::Entry& entry) {
    return !entry.is_static && (bridge == nullptr || entry.bridge == bridge->index) &&
           (port.empty() || std::ranges::find(ends, entry.exit) != ends.end()) &&
           (!vlan || vlan_of(entry.key) == *vlan);
  });
  return api_ok({{"removed", removed}});
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

ApiReply Daemon::handle(json request) {
  const std::string verb = request.at("verb");
  if (verb == "show" && request.at("what") == "control") return {api_ok(show_control(loop_.slices(), gateway_))};
  if (verb == "show") return show_reply(gateway_, request.at("what"));
  if (verb == "stats") return {api_ok(stats(gateway_, flag_of(request, "per_worker")))};
  if (verb == "plan") return plan(std::move(request));
  if (verb == "apply") return apply_request(std::move(request));
  if (verb == "reload") return reload(flag_of(request, "empty"));
  if (verb == "fdb") return {change_fdb(request)};
  if (verb == "offloads") return {test_offloads(request)};
  return {api_error({fmt::format("unknown verb: {}", verb)})};
}

}  // namespace causeway
