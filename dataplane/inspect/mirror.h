// Frames copied for a port, a VLAN or a tunnel (`mirrors`). Mirrors are among those that look
// (dataplane/inspect/capture.h), so none costs nothing. Nothing leaves where it is looked at: the copies wait, a
// worker's apart, until the worker sends them behind its burst (dataplane/bridging/send_mirrored.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/flow/tables.h"
#include "dataplane/inspect/capture.h"

namespace causeway {

// What a mirror copies, and where to. The sets are by index; what is beyond their end is not in them.
struct MirrorChoice {
  std::vector<bool> ports_in;           // as the frames come in
  std::vector<bool> ports_out;          // as they go out
  std::vector<bool> tunnels_in;         // by adjacency, without the outer headers
  std::vector<bool> tunnels_out;        // the same
  std::vector<bool> vlans;              // empty: all
  std::vector<AdjacencyIndex> outputs;  // a copy to each
  uint16_t output_vlan = 0;             // not 0: flooded with this tag in the frame's own bridge, in place of `outputs`
  bool operator==(const MirrorChoice&) const = default;

  bool selects(const CapturePlace& place) const noexcept;
  bool selects_vlan(uint16_t vlan) const noexcept;
};

// Of one worker; one that waits is neither yet.
struct alignas(64) MirrorCounts {
  Counter sent;  // handed to the way out
  Counter lost;  // no buffer or room for the copy, or the way out was down, too narrow or full
};

struct Mirror {
  MirrorChoice choice;
  std::shared_ptr<std::vector<MirrorCounts>> counts;  // a worker each; they outlive a change of the mirror
};

struct MirroredCopy {
  rte_mbuf* frame = nullptr;
  uint16_t mirror = 0;  // its place in the list
  BridgeIndex bridge = kNoBridge;
};

class Mirrors {
 public:
  static constexpr size_t kRoom = 1024;  // copies of a worker that wait
  struct Waiting {
    size_t count = 0;
    bool sending = false;  // copies pass where originals do, and nobody mirrors a copy
    std::array<MirroredCopy, kRoom> copy;
  };

  // `tables` and `pool` outlive it.
  Mirrors(const Tables& tables, rte_mempool* pool, size_t workers, std::vector<Mirror> all);

  // The frames stay the caller's and as they are. The control thread (`writer` behind the workers) mirrors nothing.
  void look_at(size_t writer, std::span<rte_mbuf* const> frames, const CapturePlace& place) noexcept;
  // A worker's own, for whoever sends it.
  Waiting& waiting(size_t worker) noexcept { return *waiting_[worker]; }
  const std::vector<Mirror>& all() const noexcept { return all_; }
  // Whether frames are looked at as they go into tunnels.
  bool at_tunnels() const noexcept { return at_tunnels_; }

 private:
  // The end of the bridge that frames at `place` come from or go to; null: there is none any more.
  const Adjacency* end_at(const CapturePlace& place) const noexcept;
  void take(size_t worker, uint16_t mirror, rte_mbuf* frame, const Adjacency& end) noexcept;

  const Tables& tables_;
  rte_mempool* const pool_;
  const std::vector<Mirror> all_;
  std::vector<std::unique_ptr<Waiting>> waiting_;
  bool at_tunnels_ = false;
};

}  // namespace causeway
