// `causewayctl capture`: asks for frames, and puts the pcapng file that comes where it belongs.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/api/client.h"
#include "pmd/error.h"

namespace causeway {

struct CaptureOptions {
  std::vector<std::string> ports;
  std::vector<std::string> tunnels;
  std::vector<std::string> bridges;
  bool dead = false;   // --drops
  std::string reason;  // of them; empty: any
  bool in = false;
  bool out = false;
  bool inner = false;
  bool outer = false;
  std::string filter;
  uint64_t count = 0;       // 0: until somebody ends it
  uint32_t snap_bytes = 0;  // 0: all of a frame
  std::string file;         // "-": stdout; empty: lines for people
};

// The request. Fails where libpcap can't make anything of the filter, and says why.
Error capture_request(const CaptureOptions& options, nlohmann::json& request);

// After a good reply: until the daemon has no more, or SIGINT or SIGTERM ends it. How much it was is said on stderr.
Error receive_capture(ApiClient& client, const CaptureOptions& options);

}  // namespace causeway
