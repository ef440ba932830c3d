// The daemon's one configuration and what people ask of it: requests from the control socket, reloads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/followers.h"
#include "control/api/peer.h"
#include "control/api/reply.h"
#include "control/capture/sessions.h"
#include "control/check/reading.h"
#include "control/config/config.h"
#include "control/config/patch.h"
#include "control/doctor/recent_counts.h"
#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"
#include "control/view/rows.h"

namespace causeway {

class Daemon {
 public:
  // `file` is where reload() looks; `version`: of Causeway, for who asks.
  Daemon(EventLoop& loop, Gateway& gateway, const config::System& system, std::string file, std::string version = {});

  // Makes the gateway what the text says; empty, or error lines, and then it is as before. `label` names the
  // file in them. At the start: it waits for all of it.
  std::vector<std::string> apply(const std::string& label, const std::string& text);
  // Makes, of what the file says, all that is to run; the file's things may be counted on to be in it.
  using Completion = std::function<std::shared_ptr<config::Config>(const config::Config& file)>;
  // From now on the configuration is the file's, and what somebody else adds to it (control/ovsdb).
  void complete_with(Completion completion) { completion_ = std::move(completion); }
  // What is added has changed. Each change is made by itself: those that fail are returned, and are tried again with
  // the next one.
  std::vector<config::ApplyError> complete_anew();
  // The same where all that has changed is a part without devices of DPDK's, and nothing failed the last time.
  std::vector<config::ApplyError> change_by(config::Patch& patch);
  const config::Config& config() const { return *config_; }  // what runs
  const config::Config& file_config() const { return *file_config_; }
  // The file anew. `empty`: though it may have nothing in it.
  ApiReply reload(bool empty);
  // What the tables of `show` are made of, as of now.
  Running running() const;
  // Called every RecentCounts::kInterval.
  void count() { recent_counts_.next(gateway_); }
  // One request of the control socket (control/api/server.h), and who asks.
  ApiReply handle(nlohmann::json request, const Peer& peer = {});

 private:
  using Reading = std::shared_ptr<ConfigReading>;

  ApiReply show_config() const;
  ApiReply plan(nlohmann::json request) const;
  ApiReply apply_request(nlohmann::json request);
  ApiReply apply_reading(const std::string& verb, const Reading& reading, bool empty);
  ApiReply refuse(const std::string& verb, std::vector<std::string> errors);
  void tell_outcome(std::string_view verb, std::string_view state, const std::string& what) const;
  ChangeCounts::Outcomes& outcomes_of(std::string_view verb);
  std::vector<config::ApplyError> change_to(ConfigReading& reading);
  nlohmann::json change_fdb(const nlohmann::json& request);
  nlohmann::json flush_fdb(const Bridges::Bridge* bridge, const std::string& port, std::optional<uint16_t> vlan);
  nlohmann::json test_offloads(const nlohmann::json& request);

  const EventLoop& loop_;
  Gateway& gateway_;
  CaptureSessions captures_;
  Followers followers_;
  // What the file says. Others may read it, so it is replaced, never changed.
  std::shared_ptr<const config::Config> file_config_;
  std::shared_ptr<config::Config> config_;  // what runs
  Completion completion_;
  std::string file_;
  std::string version_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  ChangeCounts changes_;
  RecentCounts recent_counts_;
};

}  // namespace causeway
