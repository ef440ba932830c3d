// Who is at the other end of a connection of the control socket.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <string>

namespace causeway {

struct Peer {
  uid_t uid = geteuid();  // effective, when it connected (SO_PEERCRED, unix(7)); the default is the daemon itself
  pid_t pid = getpid();
};

// Of a connected UNIX socket. One that the kernel doesn't tell about is nobody's (uid 65534).
Peer peer_of(int fd);
// The user's name; the number where there is none.
std::string user_name(uid_t uid);

}  // namespace causeway
