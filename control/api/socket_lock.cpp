#include "control/api/socket_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "control/process/open_file.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

// Its process. Who has just locked the file is about to write that.
std::string holder_of(int fd) {
  std::array<char, 16> pid{};
  ssize_t bytes = 0;
  for (int tries = 0; tries < 20 && bytes <= 0; ++tries) {
    if (tries != 0) usleep(10'000);
    bytes = pread(fd, pid.data(), pid.size(), 0);
  }
  return {pid.data(), static_cast<size_t>(std::max<ssize_t>(bytes, 0))};
}

}  // namespace

SocketLock::~SocketLock() {
  if (file_.valid() && is_at(path_, file_.get())) unlink(path_.c_str());
}

Error SocketLock::take(const std::string& socket_path, std::string& holder) {
  const std::string path = socket_path + ".lock";
  if (path == path_) return {};  // it has it
  while (true) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return system_error("lock file " + path);
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error("lock file " + path);
      holder = "process " + holder_of(file.get());
      return "lock file " + path + ": held by " + holder;
    }
    // Between our open and our lock the last holder may have removed it: then the next one locks another file.
    if (!is_at(path, file.get())) continue;
    const std::string pid = std::to_string(getpid());
    if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), pid.data(), pid.size(), 0) < 0) {
      return system_error("lock file " + path);
    }
    path_ = path;
    file_ = std::move(file);
    return {};
  }
}

}  // namespace causeway
