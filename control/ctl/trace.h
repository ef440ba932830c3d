// `causewayctl trace`: what would become of a frame.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "pmd/error.h"

namespace causeway {

struct TraceOptions {
  std::string port;
  // One of the three.
  std::string hex;
  std::string pcap;
  std::string flow;
  uint64_t number = 1;  // of the frame in `pcap`
  bool bytes = false;   // what leaves is shown whole
};

// The request. Fails where there is no frame to be made of the options.
Error trace_request(const TraceOptions& options, nlohmann::json& request);

// For people: a line a stage, and with `bytes` what leaves, in hex.
std::string render_trace(const nlohmann::json& result, bool bytes);

}  // namespace causeway
