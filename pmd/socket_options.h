// Options of sockets. False, and errno: the kernel refuses.
#pragma once

#include <linux/filter.h>
#include <sys/socket.h>

namespace causeway {

template <typename Value>
bool set_option(int fd, int level, int option, const Value& value) noexcept {
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

// A filter of the socket's own takes no packet (packet(7), socket(7)).
inline bool take_nothing(int fd) noexcept {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &nothing};
  return set_option(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

}  // namespace causeway
