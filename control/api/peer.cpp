#include "control/api/peer.h"

#include <pwd.h>
#include <sys/socket.h>

#include <array>

namespace causeway {
namespace {

constexpr uid_t kNobody = 65534;
constexpr const char* kServiceUser = "causeway";
constexpr uid_t kLastOfSystem = 999;  // SYS_UID_MAX of login.defs(5); above are people, who may be called anything

}  // namespace

Peer peer_of(int fd) {
  ucred told{};
  socklen_t bytes = sizeof(told);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &told, &bytes) != 0) return {.uid = kNobody, .pid = 0};
  return {.uid = told.uid, .pid = told.pid};
}

bool is_trusted(uid_t uid) {
  if (uid == 0 || uid == geteuid()) return true;
  return uid <= kLastOfSystem && user_name(uid) == kServiceUser;
}

std::string user_name(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> texts;
  if (getpwuid_r(uid, &entry, texts.data(), texts.size(), &found) != 0 || found == nullptr) return std::to_string(uid);
  return entry.pw_name;
}

}  // namespace causeway
