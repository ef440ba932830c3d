#include "control/sflow/collectors.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

namespace causeway::sflow {
namespace {

socklen_t fill(sockaddr_storage& out, const config::SflowTarget& target) {
  if (target.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    std::memcpy(&address.sin_addr, &target.address.bytes[12], sizeof address.sin_addr);
    std::memcpy(&out, &address, sizeof address);
    return sizeof address;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(target.port);
  std::memcpy(&address.sin6_addr, target.address.bytes.data(), sizeof address.sin6_addr);
  std::memcpy(&out, &address, sizeof address);
  return sizeof address;
}

FileDescriptor udp_socket(int family) {
  return FileDescriptor(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

// Not connected: a collector that refuses one datagram must not cost the next one.
Collectors::Collectors(const std::vector<config::SflowTarget>& targets) {
  for (const config::SflowTarget& target : targets) {
    Collector& collector = collectors_.emplace_back();
    collector.address_bytes = fill(collector.address, target);
    collector.socket = udp_socket(collector.address.ss_family);
  }
}

size_t Collectors::send(std::span<const uint8_t> datagram) {
  size_t sent = 0;
  for (const Collector& to : collectors_) {
    const ssize_t bytes = sendto(to.socket.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                                 reinterpret_cast<const sockaddr*>(&to.address), to.address_bytes);
    if (bytes >= 0) ++sent;
  }
  return sent;
}

IpAddress source_address_to(const config::SflowTarget& target) {
  sockaddr_storage address{};
  socklen_t bytes = fill(address, target);
  const FileDescriptor socket = udp_socket(address.ss_family);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) return {};
  bytes = sizeof address;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return {};
  if (address.ss_family == AF_INET) return IpAddress::v4(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  return IpAddress::v6(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

}  // namespace causeway::sflow
