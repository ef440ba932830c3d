#include "pmd/kernel/interface_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>

#include "pmd/system_error.h"

namespace causeway {
namespace {

std::string& owner_name() {
  static std::string name = "a gateway";
  return name;
}

std::string lock_address(int interface_index) { return "causeway/interface/" + std::to_string(interface_index); }

// A socket with this abstract address; not valid: errno says why. EADDRINUSE: another has it.
FileDescriptor bind_abstract(const std::string& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const size_t bytes = std::min(address.size(), sizeof(name.sun_path) - 1);
  std::copy_n(address.begin(), bytes, &name.sun_path[1]);  // the 0 in front makes it abstract
  FileDescriptor fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + bytes);
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) return {};
  return fd;
}

// "gw1 (pid 123)". The addresses of all sockets of this network namespace stand in /proc (proc(5)).
std::string holder_of(const std::string& lock) {
  const std::string label = '@' + lock + ' ';
  std::ifstream sockets("/proc/thread-self/net/unix");
  for (std::string line; std::getline(sockets, line);) {
    if (const size_t at = line.find(label); at != std::string::npos) return line.substr(at + label.size());
  }
  return "another process";
}

}  // namespace

void set_lock_owner(std::string name) { owner_name() = std::move(name); }

InterfaceLock::InterfaceLock(FileDescriptor lock, int interface_index)
    : lock_(std::move(lock)),
      label_(bind_abstract(lock_address(interface_index) + ' ' + owner_name() + " (pid " + std::to_string(getpid()) +
                           ')')) {}

std::optional<InterfaceLock> InterfaceLock::take(int interface_index, OpenError& error) {
  const std::string address = lock_address(interface_index);
  FileDescriptor lock = bind_abstract(address);
  if (!lock.valid()) {
    const bool taken = errno == EADDRINUSE;
    error = OpenError{taken ? "in use by " + holder_of(address) + ": two gateways on one interface double every frame"
                            : system_error("the interface's lock"),
                      OpenError::Kind::failed};
    return std::nullopt;
  }
  return InterfaceLock(std::move(lock), interface_index);
}

}  // namespace causeway
