#include "dataplane/bridging/host_path.h"

#include <utility>

#include "dataplane/egress/tx.h"

namespace causeway {

void send_to_host(WorkerContext& w, const PortEntry& underlay) noexcept {
  const uint16_t count = std::exchange(w.for_host_count, uint16_t{0});
  for (uint16_t i = 0; i < count; ++i) tx_enqueue(w, underlay.host_path, w.for_host[i]);
}

void send_from_host(WorkerContext& w, const PortEntry& host, Batch& batch) noexcept {
  const uint16_t count = std::exchange(batch.count, uint16_t{0});
  for (uint16_t i = 0; i < count; ++i) tx_enqueue(w, host.host_path, batch.frame[i]);
}

}  // namespace causeway
