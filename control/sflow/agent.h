// The sFlow agent: gives workers their samplers, makes sFlow's samples of what they pick and of the ports' counters,
// and sends them. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/offload/elephants.h"
#include "control/port/ports.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "control/sflow/collectors.h"
#include "control/sflow/datagram.h"
#include "control/tunnel/tunnels.h"
#include "dataplane/inspect/flow_sampler.h"
#include "dataplane/worker.h"

namespace causeway {

// Since it was last begun; a change of the settings counts on.
struct SflowCounts {
  uint64_t samples = 0;           // of frames, put into datagrams
  uint64_t lost_samples = 0;      // a worker's ring was full
  uint64_t datagrams = 0;         // sent, to each collector
  uint64_t unsent_datagrams = 0;  // that the host's kernel didn't take
};

class SflowAgent {
 public:
  using Clock = std::chrono::steady_clock;
  // Of whom it tells; all outlive it.
  struct Subjects {
    const std::vector<std::unique_ptr<Worker>>& workers;
    Publisher& publisher;
    const Ports& ports;
    const Tunnels& tunnels;
    const Adjacencies& adjacencies;
    const Elephants& elephants;
  };

  SflowAgent(const Subjects& subjects, uint64_t seed);
  ~SflowAgent();
  SflowAgent(const SflowAgent&) = delete;
  SflowAgent& operator=(const SflowAgent&) = delete;

  // Null: none.
  void set(const config::Sflow* settings);
  // Takes a bounded number of samples from the workers. Returns how many that were.
  size_t serve();
  // A few times a second: counters whose time has come, and what waits in the datagram.
  void tick(Clock::time_point now);
  // None: it is off.
  std::optional<SflowCounts> counts() const;

 private:
  // Of a port, since it was first told of.
  struct Sent {
    uint32_t flows = 0;
    uint32_t counters = 0;
    Clock::time_point poll_at{};
  };
  using Samplers = std::vector<std::shared_ptr<FlowSampler>>;

  void replace_samplers(Samplers samplers);
  void tell(const FlowSample& sample);
  void tell(const std::string& name, const Ports::Record& record, Sent& sent);
  std::optional<sflow::TunnelEnd> end_of(AdjacencyIndex index, uint32_t frame_bytes, bool egress) const;
  uint32_t interface_of(PortIndex port);
  uint32_t output_of(AdjacencyIndex to);
  uint64_t lost() const;
  void add(const sflow::Datagram::Bytes& sample);
  void flush();

  Subjects subjects_;
  uint64_t seed_;
  std::optional<config::Sflow> settings_;
  std::optional<sflow::Collectors> collectors_;
  Samplers samplers_;  // one a worker
  IpAddress agent_;    // unspecified: not known yet
  sflow::Datagram datagram_;
  std::map<PortIndex, Sent> sent_;
  std::map<PortIndex, uint32_t> interfaces_;  // asked for since the last tick
  SflowCounts counts_;
  uint64_t lost_before_ = 0;  // by samplers that are gone
  uint32_t sequence_ = 0;
  Clock::time_point began_{};
};

}  // namespace causeway
