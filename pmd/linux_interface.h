// One Linux network interface, as ioctl(2) and rtnetlink show it: for the ports that stand on one.
// Control thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/wire/address.h"

namespace causeway {

// A descriptor that closes itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// "what: strerror(errno)".
std::string system_error(const std::string& what);

class LinuxInterface {
 public:
  // Finds the interface in the network namespace of the calling thread; later calls stay in that one.
  static std::optional<LinuxInterface> find(const std::string& name, std::string& error);

  // The interface of a TAP's descriptor, wherever it is by now: it may have moved to another network
  // namespace (a container's) and have another name there.
  static std::optional<LinuxInterface> of_tap(int tap_fd, std::string& error);

  const std::string& name() const noexcept { return name_; }  // when it was found
  int index() const noexcept { return index_; }
  bool gone() const noexcept;     // removed, renamed or moved to another namespace
  bool link_up() const noexcept;  // set up, and with a carrier
  uint16_t mtu() const noexcept;  // 0: the interface is gone
  MacAddress mac() const noexcept;
  bool has_address() const noexcept;  // of the host's own, link-local ones aside; in the calling thread's namespace
  uint64_t tx_dropped() const noexcept;

  // An empty string means done, anything else says why not.
  std::string set_up();
  std::string set_mtu(uint16_t mtu);
  std::string set_mac(const MacAddress& mac);

 private:
  // The descriptors stay in the namespace of the thread that constructs it.
  explicit LinuxInterface(std::string name);

  std::string name_;
  FileDescriptor socket_;
  FileDescriptor netlink_;
  int index_ = 0;
};

}  // namespace causeway
