// Two kernels that talk through two of our ports: whatever arrives at one is sent out of the other,
// as it is. The kernels' own TCP, UDP and checksums are the judges.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/frame/intent.h"
#include "pmd/port.h"
#include "tests/unit/pmd/bed.h"

namespace causeway::test {

// A frame as it came from a port, before it was sent on.
struct SeenFrame {
  std::vector<uint8_t> start;  // its first bytes, up to 128
  uint32_t bytes = 0;
  uint16_t segments = 0;
  uint64_t flags = 0;
  Intent intent{};
};

class Relay {
 public:
  Relay(PortIo& a, PortIo& b) : thread_([this, &a, &b] { loop(a, b); }) {}
  ~Relay() { stop(); }

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After stop(). Super-packets that came in at the first port.
  const std::vector<SeenFrame>& supers() const { return supers_; }
  uint64_t refused() const { return refused_; }

 private:
  void loop(PortIo& a, PortIo& b);
  void move(PortIo& from, PortIo& to, bool record);

  std::atomic<bool> stop_{false};
  std::vector<SeenFrame> supers_;
  uint64_t refused_ = 0;
  std::thread thread_;
};

// Sends `bytes` over TCP from a client in one namespace to a server in the other. True: all of them
// arrived as they were.
bool tcp_transfer(const Namespace& client, const Namespace& server, const std::string& server_address, size_t bytes);

// Sends one UDP GSO buffer of `segments` times `segment_bytes`; returns how many datagrams of exactly
// that size arrived.
size_t udp_gso_transfer(const Namespace& client, const Namespace& server, const std::string& server_address,
                        size_t segments, size_t segment_bytes);

}  // namespace causeway::test
