// Sends what mirrors have copied (dataplane/inspect/mirror.h).
#pragma once

#include "dataplane/context.h"

namespace causeway {

// So many copies wait at most before they are sent in the middle of a worker's turn.
inline constexpr size_t kMirroredPerTurn = 256;

// What waits since the last call, if it is more than `least` copies. Flushes the originals first. Asked only while
// somebody looks (w.captures). What it sends captures see, and mirrors don't.
[[gnu::cold]] void send_mirrored(WorkerContext& w, size_t least) noexcept;

}  // namespace causeway
