// What the device tests stand on: an EAL, a pool, network namespaces nobody else sees, and kernel hosts in them.
#pragma once

#include <fcntl.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/eal.h"
#include "pmd/port.h"

namespace causeway::test {

// A network namespace that lives as long as this object (or a thread or interface in it).
class Namespace {
 public:
  Namespace() {
    const int back = here();
    if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare");
    fd_ = here();
    command("ip link set lo up");
    if (setns(back, CLONE_NEWNET) != 0) throw std::runtime_error("setns");
    close(back);
  }
  ~Namespace() { close(fd_); }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  // Runs `work` with the calling thread inside.
  void inside(const std::function<void()>& work) const {
    const int back = here();
    setns(fd_, CLONE_NEWNET);
    work();
    setns(back, CLONE_NEWNET);
    close(back);
  }
  void run(const std::string& line) const {
    inside([&] { command(line); });
  }
  // As iproute2 takes it behind `netns`.
  std::string path() const { return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_); }

  static void command(const std::string& line) {
    if (std::system(line.c_str()) != 0) throw std::runtime_error(line);
  }

 private:
  static int here() { return open("/proc/thread-self/ns/net", O_RDONLY); }
  int fd_ = -1;
};

// The EAL and one pool, started by the first test that asks, for all.
inline rte_mempool* pool() {
  static rte_mempool* const shared = [] {
    bool hugepages = false;
    EalOptions options;
    options.name = "unit_pmd";
    options.memory_bytes = 128 << 20;
    if (const Error error = start_eal(options, hugepages)) throw std::runtime_error(error.text());
    return make_mempool("unit_pmd", 16383, 2048 + RTE_PKTMBUF_HEADROOM);
  }();
  return shared;
}

inline PortOptions port_options(const std::string& name) {
  PortOptions options;
  options.name = name;
  options.pool = pool();
  return options;
}

inline rte_mbuf* make_frame(const std::vector<uint8_t>& bytes) {
  rte_mbuf* frame = rte_pktmbuf_alloc(pool());
  std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(), bytes.size());
  return frame;
}

inline std::vector<uint8_t> from_hex(std::string_view hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

}  // namespace causeway::test
