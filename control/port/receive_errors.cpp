#include "control/port/receive_errors.h"

#include <spdlog/spdlog.h>

namespace causeway {

using namespace std::chrono_literals;

uint64_t ReceiveErrors::step(const Ports& ports, Clock::time_point now) {
  if (now - looked_ < 1s) return 0;
  looked_ = now;
  uint64_t total = 0;
  for (const auto& [name, record] : ports.all()) {
    if (record.port == nullptr) continue;
    const uint64_t errors = record.port->device_stats().rx_errors;
    Seen& seen = seen_[name];
    if (errors < seen.errors) seen.errors = 0;  // opened anew
    const uint64_t more = errors - seen.errors;
    seen.errors = errors;
    total += more;
    seen.unlogged += more;
    if (seen.unlogged == 0 || now - seen.logged < 60s) continue;
    spdlog::warn("{}: {} frames could not be received{}", name, seen.unlogged,
                 std::string_view(record.port->kind()) == "packet"
                     ? ": broken, or super-packets of a kind that Linux can't describe to a program (SCTP, or tunnels "
                       "over 64 KB; ethtool -K and gso_max_size of the sender's interface end them)"
                     : "");
    seen.logged = now;
    seen.unlogged = 0;
  }
  return total;
}

}  // namespace causeway
