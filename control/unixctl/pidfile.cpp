#include "control/unixctl/pidfile.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>

#include "control/process/open_file.h"
#include "pmd/system_error.h"

namespace causeway::unixctl {
namespace {

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// The living process whose file it is: its number, or 0 if it is in another PID namespace. None: it is nobody's.
std::optional<pid_t> holder_of(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct flock lock = whole_file();
  if (!file.valid() || fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

}  // namespace

Pidfile::~Pidfile() {
  if (file_.valid() && is_at(path_, file_.get())) unlink(path_.c_str());
}

// Locked and written under another name first: who finds it finds it complete.
Error Pidfile::make(const std::string& path) {
  if (const auto holder = holder_of(path)) return path + ": already running as process " + std::to_string(*holder);
  const std::string pid = std::to_string(getpid());
  const std::string unfinished = path + ".tmp" + pid;
  unlink(unfinished.c_str());  // of a dead process with our number
  FileDescriptor file(open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.valid()) return system_error(path);
  struct flock lock = whole_file();
  const std::string line = pid + "\n";
  if (fcntl(file.get(), F_SETLK, &lock) != 0 ||
      write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      rename(unfinished.c_str(), path.c_str()) != 0) {
    Error error = system_error(path);
    unlink(unfinished.c_str());
    return error;
  }
  path_ = path;
  file_ = std::move(file);
  return {};
}

}  // namespace causeway::unixctl
