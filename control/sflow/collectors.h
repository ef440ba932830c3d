// Where datagrams go: a UDP socket a collector, which never waits. One that is absent, slow or out of reach loses
// datagrams and stops nothing.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <vector>

#include "control/config/config.h"
#include "pmd/file_descriptor.h"

namespace causeway::sflow {

class Collectors {
 public:
  explicit Collectors(const std::vector<config::SflowTarget>& targets);

  // Returns how many of them it could be sent to.
  size_t send(std::span<const uint8_t> datagram);
  size_t size() const { return collectors_.size(); }

 private:
  struct Collector {
    sockaddr_storage address{};
    socklen_t address_bytes = 0;
    FileDescriptor socket;
  };
  std::vector<Collector> collectors_;
};

// The host's own address that packets to `target` leave with; unspecified: there is no way to it now.
IpAddress source_address_to(const config::SflowTarget& target);

}  // namespace causeway::sflow
