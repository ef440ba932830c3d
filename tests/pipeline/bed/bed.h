// The whole gateway on one thread: real YAML, real control thread's code, a real worker turned by hand, and ports
// in memory.
#pragma once

#include <climits>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/gateway/apply.h"
#include "control/gateway/gateway.h"
#include "tests/catch.h"
#include "tests/pipeline/bed/memory_port.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

namespace causeway::test {

// scapy's, from tests/pipeline/frames/frames.py.
const Frames& pipeline_frames();

// An underlay up0, a port lan0 and a tunnel of every sort in one bridge; overlay_frames.py has the same addresses.
std::string every_tunnel();

// Everything that is counted. Control's drops and the worker's stand in one list.
struct Counts {
  std::array<uint64_t, kDropReasons> drops{};
  uint64_t rx = 0;
  uint64_t tx = 0;
  uint64_t rx_drops = 0;
  uint64_t tx_drops = 0;
  uint64_t to_control = 0;
  uint64_t from_control = 0;
  uint64_t coalesced = 0;  // frames that became a part of another

  uint64_t all_drops() const;
  uint64_t of(DropReason reason) const { return drops.at(static_cast<size_t>(reason)); }
  Counts operator-(const Counts& before) const;
};

// "ecn 1, too_big 2": what is not zero among the drops.
std::string to_text(const Counts& counts);

class Bed {
 public:
  // Throws std::runtime_error when the YAML is wrong or can't be applied.
  explicit Bed(const std::string& yaml, TxCapabilities capabilities = default_capabilities());
  ~Bed();  // the pool's end checks that no buffer is lost

  // What must not be lost between tests: a port without offloads that takes chains of mbufs.
  static TxCapabilities default_capabilities();
  // Diff and apply; the errors, none when it is done.
  std::vector<config::ApplyError> apply(const std::string& yaml);

  rte_mempool* pool() const { return pool_; }
  unsigned buffers() const { return pool_.available(); }
  Gateway& gateway() { return *gateway_; }
  Worker& worker() { return *gateway_->workers().front(); }
  MemoryPort& port(const std::string& name) { return *ports_.at(name); }
  bool has_port(const std::string& name) const { return ports_.contains(name); }
  // Openings of these ports fail with this text until it is taken away; `times` openings.
  void fail_opening(const std::string& name, const std::string& error, int times = 1,
                    OpenError::Kind kind = OpenError::Kind::wrong) {
    failing_[name] = {{error, kind}, times};
  }
  // There is no such interface until appear().
  void disappear(const std::string& name) {
    if (has_port(name)) port(name).vanish();
    fail_opening(name, "no such interface", INT_MAX, OpenError::Kind::absent);
  }
  void appear(const std::string& name) {
    failing_.erase(name);
    gateway().interfaces_changed();
  }
  // Capabilities of ports opened from now on.
  void set_capabilities(TxCapabilities capabilities) { capabilities_ = capabilities; }

  // Gives a frame to a port; nothing happens until run().
  void deliver(const std::string& port, const Bytes& bytes, const std::vector<uint16_t>& chain = {},
               uint64_t flags = 0);
  void deliver(const std::string& port, rte_mbuf* m) { this->port(port).deliver(m); }
  // Turns the worker and the control thread until neither has anything to do.
  void run();
  // The worker alone: the control thread is busy elsewhere.
  void run_worker();
  // What the worker's caches hold is to be looked at again.
  void begin_epoch();
  // Waits until the worker reports a source MAC again that it has just reported; a millisecond.
  void wait_a_tick();
  // deliver() and run() in one.
  void send(const std::string& port, const Bytes& bytes, const std::vector<uint16_t>& chain = {}, uint64_t flags = 0);
  // What came out of a port since the last call.
  std::vector<Sent> take(const std::string& port) { return this->port(port).take_sent(); }
  std::vector<Bytes> take_bytes(const std::string& port);
  // Nothing came out of any port since the last look.
  bool nothing_sent();
  Counts counts() const;

 private:
  std::unique_ptr<Port> open(const config::Ethernet& ethernet, const PortOptions& options, OpenError& error);

  struct Failing {
    OpenError error;
    int times = 0;
  };
  MbufPool pool_{4095};
  TxCapabilities capabilities_;
  std::map<std::string, MemoryPort*> ports_;  // the gateway's, alive or not
  std::map<std::string, Failing> failing_;
  std::map<std::string, std::weak_ptr<const bool>> devices_;  // by devargs: one port has it
  config::Config config_;
  std::unique_ptr<Gateway> gateway_;
};

// A configuration from YAML; throws std::runtime_error with the errors.
config::Config load_yaml(const std::string& yaml);

}  // namespace causeway::test
