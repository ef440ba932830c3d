// What people ask of the daemon: requests of the control socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/api/followers.h"
#include "control/api/peer.h"
#include "control/api/reply.h"
#include "control/capture/sessions.h"
#include "control/change/changes.h"
#include "control/change/configuration.h"
#include "control/config/config.h"
#include "control/doctor/recent_counts.h"
#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"
#include "control/process/log_limit.h"
#include "control/view/rows.h"

namespace causeway {

class Daemon {
 public:
  // `file` is what a start begins with; `version`: of Causeway, for who asks.
  Daemon(EventLoop& loop, Gateway& gateway, const config::System& system, std::string file, std::string version = {});

  // What it was asked to be (control/change).
  Configuration& configuration() noexcept { return configuration_; }
  Changes& changes() noexcept { return changes_; }
  // What answers `upgrade` (control/keep/upgrade.h).
  void upgrade_by(std::function<ApiReply()> begin) { begin_upgrade_ = std::move(begin); }
  // What the tables of `show` are made of, as of now.
  Running running() const;
  // Called every RecentCounts::kInterval.
  void count() { recent_counts_.next(gateway_); }
  // Called a few times a second.
  void tick() { forbidden_.tick(); }
  // One request of the control socket (control/api/server.h), and who asks.
  ApiReply handle(nlohmann::json request, const Peer& peer = {});

 private:
  nlohmann::json change_fdb(const nlohmann::json& request);
  nlohmann::json flush_fdb(const Bridges::Bridge* bridge, const std::string& port, std::optional<uint16_t> vlan);
  nlohmann::json test_offloads(const nlohmann::json& request);
  ApiReply for_admins(const std::string& verb, const Peer& peer, size_t bytes, ApiReply::Act act);
  // `user`: the name, empty where it isn't known.
  ApiReply forbid(const std::string& verb, const Peer& peer, const std::string& user);

  const EventLoop& loop_;
  Gateway& gateway_;
  Configuration configuration_;
  Changes changes_;
  CaptureSessions captures_;
  Followers followers_;
  std::function<ApiReply()> begin_upgrade_;
  std::string version_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  LogLimit forbidden_;  // who asked for what isn't his
  RecentCounts recent_counts_;
};

}  // namespace causeway
