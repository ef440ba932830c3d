#include "control/api/peer.h"

#include <pwd.h>
#include <sys/socket.h>

#include <array>

namespace causeway {
namespace {

constexpr uid_t kNobody = 65534;

}  // namespace

Peer peer_of(int fd) {
  ucred told{};
  socklen_t bytes = sizeof(told);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &told, &bytes) != 0) return {.uid = kNobody, .pid = 0};
  return {.uid = told.uid, .pid = told.pid};
}

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> texts;
  if (getpwuid_r(uid, &entry, texts.data(), texts.size(), &found) != 0 || found == nullptr) return std::to_string(uid);
  return entry.pw_name;
}

}  // namespace causeway
