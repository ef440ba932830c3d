#include "control/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/api/verbs.h"
#include "control/config/address_text.h"
#include "control/doctor/doctor.h"
#include "control/process/log.h"
#include "control/trace/reply.h"
#include "control/view/stats.h"
#include "control/view/view.h"

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

json log_level_reply(const json& request) {
  if (request.contains("level")) {
    const std::string before = log_level();
    const std::string wanted = request.at("level");
    if (!set_log_level(wanted)) return api_error({fmt::format("level: expected {}, not '{}'", kLogLevels, wanted)});
    // Whatever the two are, it is said.
    set_log_level("info");
    spdlog::info("log: level {}, was {}", wanted, before);
    set_log_level(wanted);
  }
  return api_ok({{"level", log_level()}});
}

bool is_restricted(const Verb& verb, const json& request) {
  return verb.restricted && (verb.restricted_with.empty() || request.contains(verb.restricted_with));
}

// Of the long part of a request.
size_t text_bytes(const json& request) {
  const auto text = request.find("text");
  return text != request.end() && text->is_string() ? text->get_ref<const std::string&>().size() : 0;
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
      configuration_(gateway, system),
      changes_(loop, configuration_, std::move(file)),
      captures_(loop, gateway),
      followers_(loop),
      version_(std::move(version)) {}

Running Daemon::running() const {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  return {gateway_, loop_.slices(), changes_.counts(), {configuration_.running().system.name, version_, uptime}};
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
    return entry.is_learnt() && (bridge == nullptr || entry.bridge == bridge->index) &&
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
      {"config", [](Daemon& daemon, json&, const Peer&) { return daemon.changes_.show_config(); }},
      {"stats",
       [](Daemon& daemon, json& request, const Peer&) {
         daemon.gateway_.take_drop_examples();
         json reply = api_ok(stats(daemon.gateway_, flag_of(request, "per_worker")));
         reply["time_s"] = reply_time_s();
         return ApiReply(std::move(reply));
       }},
      {"plan", [](Daemon& daemon, json& request, const Peer&) { return daemon.changes_.plan(std::move(request)); }},
      {"apply",
       [](Daemon& daemon, json& request, const Peer& peer) { return daemon.changes_.apply(std::move(request), peer); }},
      {"set",
       [](Daemon& daemon, json& request, const Peer& peer) { return daemon.changes_.set(std::move(request), peer); }},
      {"reload", [](Daemon& daemon, json& request,
                    const Peer& peer) { return daemon.changes_.reload(flag_of(request, "empty"), peer); }},
      {"upgrade",
       [](Daemon& daemon, json&, const Peer&) {
         // It would run on in the new program, and nobody there would know what to go back to.
         if (daemon.changes_.awaits_confirmation()) {
           return ApiReply(api_error({"a change awaits its confirmation: `confirm` or `rollback` first"}));
         }
         return daemon.begin_upgrade_ ? daemon.begin_upgrade_() : ApiReply(api_error({"this process can't"}));
       }},
      {"rollback",
       [](Daemon& daemon, json& request, const Peer& peer) { return daemon.changes_.rollback(request, peer); }},
      {"confirm", [](Daemon& daemon, json&, const Peer& peer) { return daemon.changes_.confirm(peer); }},
      {"save", [](Daemon& daemon, json&, const Peer& peer) { return daemon.changes_.save(peer); }},
      {"changes", [](Daemon& daemon, json&, const Peer&) { return daemon.changes_.show(); }},
      {"fdb", [](Daemon& daemon, json& request, const Peer&) { return ApiReply(daemon.change_fdb(request)); }},
      {"capture", [](Daemon& daemon, json& request, const Peer&) { return daemon.captures_.begin(request); }},
      {"events", [](Daemon& daemon, json&, const Peer&) { return daemon.followers_.begin(); }},
      {"offloads", [](Daemon& daemon, json& request, const Peer&) { return ApiReply(daemon.test_offloads(request)); }},
      {"log", [](Daemon&, json& request, const Peer&) { return ApiReply(log_level_reply(request)); }},
      {"doctor",
       [](Daemon& daemon, json&, const Peer&) {
         return doctor_reply(daemon.gateway_, daemon.recent_counts_, daemon.configuration_.file().config);
       }},
      {"trace",
       [](Daemon& daemon, json& request, const Peer&) { return ApiReply(trace_reply(daemon.gateway_, request)); }},
  };
  static_assert(std::ranges::equal(kHandlers, kVerbs, {}, &Handler::verb, &Verb::name));
  const std::string verb = request.at("verb");
  const auto* const found = std::ranges::find(kHandlers, verb, &Handler::verb);
  if (found == std::end(kHandlers)) return {api_error({fmt::format("unknown verb: {}", verb)})};
  const bool own = peer.uid == 0 || peer.uid == geteuid();
  if (own || !is_restricted(kVerbs[found - std::begin(kHandlers)], request)) return found->answer(*this, request, peer);
  const size_t bytes = text_bytes(request);
  return for_admins(verb, peer, bytes, [this, found, request = std::move(request), peer]() mutable {
    return found->answer(*this, request, peer);
  });
}

// Users' names are looked up in the background: another machine may have them. Where nobody is an admin, none is.
ApiReply Daemon::for_admins(const std::string& verb, const Peer& peer, size_t bytes, ApiReply::Act act) {
  auto running = configuration_.file().config;
  if (running->system.admins.empty()) return forbid(verb, peer, {});
  return ApiReply::later_by(
      [this, verb, peer, act = std::move(act), config = std::move(running)]() -> ApiReply::Act {
        const std::string user = user_name(peer.uid);
        const auto& admins = config->system.admins;
        if (std::ranges::find(admins, user) != admins.end()) return act;
        return [this, verb, peer, user] { return forbid(verb, peer, user); };
      },
      bytes);
}

ApiReply Daemon::forbid(const std::string& verb, const Peer& peer, const std::string& user) {
  const std::string who = fmt::format("uid {}{}", peer.uid, user.empty() ? "" : " (" + user + ")");
  const auto object = std::hash<std::string>()(verb) + peer.uid;
  forbidden_.event(spdlog::level::warn, 0, object,
                   [&] { return fmt::format("control socket: {} forbidden to {}, process {}", verb, who, peer.pid); });
  return {
      api_error({fmt::format("{}: only root, the daemon's own user and `system.admins` may; {} may look", verb, who)})};
}

}  // namespace causeway
