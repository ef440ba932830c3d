// `causewayctl trace`: what would become of a frame.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/api/client.h"
#include "pmd/error.h"

namespace causeway {

struct TraceOptions {
  std::string port;
  // One of the four.
  std::string live;  // a port in the place of `port`: frames that come in there
  std::string hex;
  std::string pcap;
  std::string flow;
  uint64_t number = 1;  // of the frame in `pcap`
  uint64_t count = 1;   // of frames of `live`
  bool bytes = false;   // what leaves is shown whole
};

// The request. Fails where there is no frame to be made of the options.
Error trace_request(const TraceOptions& options, nlohmann::json& request);

// The capture of the frames that `live` means.
nlohmann::json live_request(const TraceOptions& options);

// After a good reply to it: calls `traced` with the reply to a trace of each frame, until there are no more. `ask`
// gives the result of a request, or nothing where it failed and that is said; then this ends without a word.
Error trace_live(ApiClient& client, const TraceOptions& options,
                 const std::function<std::optional<nlohmann::json>(const nlohmann::json& request)>& ask,
                 const std::function<void(const nlohmann::json& result)>& traced);

// For people: a line a stage, and with `bytes` what leaves, in hex.
std::string render_trace(const nlohmann::json& result, bool bytes);

}  // namespace causeway
