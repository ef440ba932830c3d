#include "control/api/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "pmd/system_error.h"

namespace causeway {
namespace {

// 0: nothing is there.
uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

enum class Occupant { nobody, dead, alive, other };

// Who answers at `address`. Asked without waiting: a daemon whose queue is full is alive.
Occupant occupant_of(const sockaddr_un& address) {
  struct stat status {};
  if (lstat(address.sun_path, &status) != 0) return Occupant::nobody;
  if (!S_ISSOCK(status.st_mode)) return Occupant::other;
  const FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int result = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return result != 0 && (errno == ECONNREFUSED || errno == ENOENT) ? Occupant::dead : Occupant::alive;
}

}  // namespace

Listener::~Listener() {
  // As long as it is open no other file gets its number.
  if (socket_.valid() && inode_of(path_) == inode_) unlink(path_.c_str());
}

Error Listener::open(const std::string& path, mode_t mode, bool& alive) {
  alive = false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return path + ": the path is longer than " + std::to_string(sizeof address.sun_path - 1) + " bytes";
  }
  std::ranges::copy(path, address.sun_path);
  switch (occupant_of(address)) {
    case Occupant::nobody:
      break;
    case Occupant::dead:
      unlink(path.c_str());
      break;
    case Occupant::alive:
      alive = true;
      return path + ": another process answers there";
    case Occupant::other:
      return path + ": something else is there, not a socket";
  }
  FileDescriptor wanted(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Nobody can connect before listen(), so the mode is right in time. A link that somebody has put there meanwhile is
  // not followed.
  if (!wanted.valid() || bind(wanted.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) != 0 || listen(wanted.get(), SOMAXCONN) != 0) {
    return system_error(path);
  }
  socket_ = std::move(wanted);
  path_ = path;
  inode_ = inode_of(path);
  return {};
}

}  // namespace causeway
