#include "control/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/api/verbs.h"
#include "control/config/address_text.h"
#include "control/doctor/doctor.h"
#include "control/gateway/apply.h"
#include "control/process/state_changes.h"
#include "control/trace/reply.h"
#include "control/view/stats.h"
#include "control/view/view.h"
#include "control/yaml/load.h"
#include "control/yaml/write.h"

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

std::vector<config::ApplyError> errors_of(const std::vector<config::Operation>& operations,
                                          const std::vector<FailedOperation>& failed) {
  std::vector<config::ApplyError> errors;
  for (const FailedOperation& failure : failed) {
    errors.push_back({config::key_of(operations[failure.number]), failure.why});
  }
  return errors;
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

// [{offload, state: good or wrong, reason}].
json verdicts_json(const std::vector<OffloadVerdict>& verdicts) {
  json list = json::array();
  for (const OffloadVerdict& verdict : verdicts) {
    const bool good = verdict.wrong.empty();
    list.push_back({{"offload", verdict.offload}, {"state", good ? "good" : "wrong"}, {"reason", verdict.wrong}});
  }
  return list;
}

}  // namespace

Daemon::Daemon(EventLoop& loop, Gateway& gateway, const config::System& system, std::string file, std::string version)
    : loop_(loop),
      gateway_(gateway),
      captures_(loop, gateway),
      followers_(loop),
      file_(std::move(file)),
      version_(std::move(version)) {
  config::Config nothing;
  nothing.system = system;
  config_ = std::make_shared<config::Config>(nothing);
  file_config_ = std::make_shared<const config::Config>(std::move(nothing));
}

Running Daemon::running() const {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  return {gateway_, loop_.slices(), changes_, {config_->system.name, version_, uptime}};
}

std::vector<std::string> Daemon::apply(const std::string& label, const std::string& text) {
  ConfigReading reading = read_config(label, text, file_config_);
  if (reading.plan.after == nullptr) return reading.errors;
  return placed_errors(reading, change_to(reading));
}

std::vector<config::ApplyError> Daemon::change_to(ConfigReading& reading) {
  // Another change may have come between.
  if (reading.plan.before != file_config_) reading.plan = config::make_plan(file_config_, reading.plan.after);
  const auto wanted =
      completion_ ? completion_(*reading.plan.after) : std::make_shared<config::Config>(*reading.plan.after);
  const config::Plan all = completion_ ? config::make_plan(config_, wanted) : reading.plan;
  gateway_.try_devices(wanted->ethernets);
  auto errors = apply_operations(gateway_, all.operations);
  gateway_.end_trials();
  if (!errors.empty()) return errors;
  file_config_ = reading.plan.after;
  config_ = wanted;
  for (const std::string& line : reading.warnings) spdlog::warn("{}", line);
  return {};
}

std::vector<config::ApplyError> Daemon::complete_anew() {
  auto wanted = completion_(*file_config_);
  const config::Plan plan = config::make_plan(config_, wanted);
  gateway_.try_devices(wanted->ethernets);
  const std::vector<FailedOperation> failed = apply_each(gateway_, plan.operations);
  gateway_.end_trials();
  if (!failed.empty()) wanted = std::make_shared<config::Config>(without_failed(*wanted, plan.operations, failed));
  config_ = std::move(wanted);
  return errors_of(plan.operations, failed);
}

std::vector<config::ApplyError> Daemon::change_by(config::Patch& patch) {
  const std::vector<config::Operation> operations = config::diff_config(patch.before, patch.after);
  const std::vector<FailedOperation> failed = apply_each(gateway_, operations);
  std::vector<config::ApplyError> errors = errors_of(operations, failed);
  if (!failed.empty()) patch.after = without_failed(patch.after, operations, failed);
  config::apply_patch(patch, *config_);
  return errors;
}

ApiReply Daemon::reload(bool empty) {
  return ApiReply::later_by(
      [this, empty, file = file_, before = file_config_]() -> ApiReply::Act {
        std::string what;
        // Others wait behind this, so it waits for nobody.
        std::string text = file.empty() ? std::string(config::kNoFile)
                                        : config::read_whole_file(file, what, std::chrono::milliseconds(0));
        if (!what.empty()) {
          return
              [this, line = config::ConfigError{file, 0, 0, "", what}.to_string()] { return refuse("reload", {line}); };
        }
        const auto reading = std::make_shared<ConfigReading>(read_config(file, std::move(text), before));
        return [this, reading, empty] { return apply_reading("reload", reading, empty); };
      },
      0);
}

ApiReply Daemon::show_config() const {
  return ApiReply::later_by(
      [config = file_config_, completed = completion_ != nullptr]() -> ApiReply::Act {
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

ApiReply Daemon::plan(json request) const {
  std::string label = request.at("file");
  std::string text = std::move(request.at("text").get_ref<std::string&>());
  const size_t bytes = text.size();
  return ApiReply::later_by(
      [label, text = std::move(text), before = file_config_]() mutable -> ApiReply::Act {
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
      [this, label, empty, text = std::move(text), before = file_config_]() mutable -> ApiReply::Act {
        const auto reading = std::make_shared<ConfigReading>(read_config(label, std::move(text), before));
        return [this, reading, empty] { return apply_reading("apply", reading, empty); };
      },
      bytes);
}

// The change itself; what is said of it may be long, and is left to the background again.
ApiReply Daemon::apply_reading(const std::string& verb, const Reading& reading, bool empty) {
  if (reading->plan.after == nullptr) return refuse(verb, reading->errors);
  if (!empty && removes_everything(*reading)) return refuse(verb, {nothing_left(*reading)});
  const std::vector<config::ApplyError> errors = change_to(*reading);
  if (errors.empty()) {
    ++outcomes_of(verb).done;
    tell_outcome(verb, "done", fmt::format("operations: {}", reading->plan.operations.size()));
  }
  return ApiReply::later_by(
      [this, verb, reading, errors]() -> ApiReply::Act {
        if (!errors.empty()) {
          return [this, verb, lines = placed_errors(*reading, errors)] { return refuse(verb, lines); };
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

ApiReply Daemon::refuse(const std::string& verb, std::vector<std::string> errors) {
  ++outcomes_of(verb).refused;
  tell_outcome(verb, "refused", errors.front());
  return refused(verb, std::move(errors));
}

void Daemon::tell_outcome(std::string_view verb, std::string_view state, const std::string& what) const {
  state_changes().tell([&] {
    return StateChange{verb == "apply" ? "apply" : "reload", config_->system.name, state, "",
                       fmt::format("{} {}: {}", verb, state, what)};
  });
}

ChangeCounts::Outcomes& Daemon::outcomes_of(std::string_view verb) {
  return verb == "apply" ? changes_.applies : changes_.reloads;
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
  Error failed;
  if (action == "add") {
    failed = bridge->members.contains(port) ? gateway_.add_static_mac(name, entry)
                                            : Error(fmt::format("{} is no interface of {}", port, name));
  } else if (action == "del") {
    failed = gateway_.remove_static_mac(name, entry);
  } else {
    failed = fmt::format("unknown action: {}", action);
  }
  return failed ? api_error({failed.text()}) : api_ok(json::object());
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
  return api_ok(verdicts_json(record->verdicts));
}

ApiReply Daemon::handle(json request, const Peer& peer) {
  struct Handler {
    std::string_view verb;
    ApiReply (*answer)(Daemon& daemon, json& request, const Peer& peer);
  };
  static constexpr Handler kHandlers[] = {
      {"show",
       [](Daemon& daemon, json& request, const Peer&) {
         if (flag_of(request, "largest")) {
           daemon.gateway_.elephants().watch(Elephants::Clock::now());
           return largest_flows_reply(daemon.running());
         }
         return show_reply(daemon.running(), request.at("what").get<std::string>(), request.value("name", ""));
       }},
      {"config", [](Daemon& daemon, json&, const Peer&) { return daemon.show_config(); }},
      {"stats",
       [](Daemon& daemon, json& request, const Peer&) {
         daemon.gateway_.take_drop_examples();
         json reply = api_ok(stats(daemon.gateway_, flag_of(request, "per_worker")));
         reply["time_s"] = reply_time_s();
         return ApiReply(std::move(reply));
       }},
      {"plan", [](Daemon& daemon, json& request, const Peer&) { return daemon.plan(std::move(request)); }},
      {"apply", [](Daemon& daemon, json& request, const Peer&) { return daemon.apply_request(std::move(request)); }},
      {"reload", [](Daemon& daemon, json& request, const Peer&) { return daemon.reload(flag_of(request, "empty")); }},
      {"fdb", [](Daemon& daemon, json& request, const Peer&) { return ApiReply(daemon.change_fdb(request)); }},
      {"capture", [](Daemon& daemon, json& request, const Peer&) { return daemon.captures_.begin(request); }},
      {"events", [](Daemon& daemon, json&, const Peer&) { return daemon.followers_.begin(); }},
      {"offloads", [](Daemon& daemon, json& request, const Peer&) { return ApiReply(daemon.test_offloads(request)); }},
      {"doctor", [](Daemon& daemon, json&,
                    const Peer&) { return doctor_reply(daemon.gateway_, daemon.recent_counts_, daemon.file_config_); }},
      {"trace",
       [](Daemon& daemon, json& request, const Peer&) { return ApiReply(trace_reply(daemon.gateway_, request)); }},
  };
  static_assert(std::ranges::equal(kHandlers, kVerbs, {}, &Handler::verb, &Verb::name));
  const std::string verb = request.at("verb");
  const auto* const found = std::ranges::find(kHandlers, verb, &Handler::verb);
  if (found == std::end(kHandlers)) return {api_error({fmt::format("unknown verb: {}", verb)})};
  return found->answer(*this, request, peer);
}

}  // namespace causeway
