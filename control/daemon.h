// The daemon's one configuration and what people ask of it: requests from the control socket, reloads.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config.h"
#include "control/config_load.h"
#include "control/event_loop.h"
#include "control/gateway.h"

namespace causeway {

class Daemon {
 public:
  // `file` is where reload() looks.
  Daemon(const EventLoop& loop, Gateway& gateway, config::System system, std::string file);

  // Makes the gateway what the text says; empty, or error lines, and then it is as before. `label` names the
  // file in them.
  std::vector<std::string> apply(const std::string& label, std::string_view text);
  std::vector<std::string> reload();
  // One request of the control socket (control/api.h).
  nlohmann::json handle(const nlohmann::json& request);

 private:
  std::optional<config::Config> load(const std::string& label, std::string_view text,
                                     std::vector<config::ConfigError>& errors) const;
  nlohmann::json plan(const nlohmann::json& request) const;
  nlohmann::json apply_request(const nlohmann::json& request);
  nlohmann::json change_fdb(const nlohmann::json& request);
  nlohmann::json test_offloads(const nlohmann::json& request);

  const EventLoop& loop_;
  Gateway& gateway_;
  config::Config config_;  // what runs
  std::string file_;
  std::vector<std::string> last_operations_;  // of the last apply, one line each
  std::vector<std::string> last_warnings_;    // of what runs
};

}  // namespace causeway
