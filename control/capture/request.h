// Which frames a client wants to see: in words, as it asked, and as the indexes that workers compare.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/gateway/gateway.h"
#include "dataplane/inspect/capture.h"
#include "pmd/error.h"

namespace causeway {

// Of each frame as many bytes at most: the longest frame has fewer. tcpdump(8) has the same limit.
inline constexpr uint32_t kMostSnapBytes = 262144;

struct CaptureRequest {
  // Frames at these; where there is none of all three, at all ports.
  std::vector<std::string> ports;
  std::vector<std::string> tunnels;
  std::vector<std::string> bridges;
  CaptureChoice choice;
  uint64_t most_frames = 0;  // 0: any number

  bool of_all() const { return ports.empty() && tunnels.empty() && bridges.empty(); }
};

// The fields of a request of the control socket (control/api/verbs.h), but for the filter.
Error read_capture_request(const nlohmann::json& fields, CaptureRequest& request);
// What of it the gateway doesn't have.
Error missing_of(const CaptureRequest& request, const Gateway& gateway);
// Puts into the capture's sets what the request means now. Asked again when ports, members or VTEPs may have changed.
void mark(const CaptureRequest& request, const Gateway& gateway, Capture& capture);

}  // namespace causeway
