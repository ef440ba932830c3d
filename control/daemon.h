// The daemon's one configuration and what people ask of it: requests from the control socket, reloads.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/api/reply.h"
#include "control/check/reading.h"
#include "control/config/config.h"
#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"

namespace causeway {

class Daemon {
 public:
  // `file` is where reload() looks.
  Daemon(const EventLoop& loop, Gateway& gateway, const config::System& system, std::string file);

  // Makes the gateway what the text says; empty, or error lines, and then it is as before. `label` names the
  // file in them. At the start: it waits for all of it.
  std::vector<std::string> apply(const std::string& label, const std::string& text);
  // The file anew. `empty`: though it may have nothing in it.
  ApiReply reload(bool empty);
  // One request of the control socket (control/api/server.h).
  ApiReply handle(nlohmann::json request);

 private:
  using Reading = std::shared_ptr<ConfigReading>;

  ApiReply plan(nlohmann::json request) const;
  ApiReply apply_request(nlohmann::json request);
  ApiReply apply_reading(const std::string& verb, const Reading& reading, bool empty);
  std::vector<config::ApplyError> change_to(ConfigReading& reading);
  nlohmann::json change_fdb(const nlohmann::json& request);
  nlohmann::json flush_fdb(const Bridges::Bridge* bridge, const std::string& port, std::optional<uint16_t> vlan);
  nlohmann::json test_offloads(const nlohmann::json& request);

  const EventLoop& loop_;
  Gateway& gateway_;
  std::shared_ptr<const config::Config> config_;  // what runs; others may read it, so it is replaced, never changed
  std::string file_;
};

}  // namespace causeway
