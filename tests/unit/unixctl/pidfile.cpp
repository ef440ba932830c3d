// The pidfile as Open vSwitch's tools look at it: from another process, which sees whose lock is on it.
#include "control/unixctl/pidfile.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

#include "tests/unit/api/bed.h"

namespace causeway::unixctl {
namespace {

// What another process comes to, a text without newlines.
std::string elsewhere(const std::function<std::string()>& act) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = act();
    const ssize_t written = write(ends[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char chunk[256];
  for (ssize_t count = 0; (count = read(ends[0], chunk, sizeof chunk)) > 0;) text.append(chunk, count);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  return text;
}

// The process that a write lock of all of the file keeps out.
std::string locker_of(const std::string& path) {
  return elsewhere([&path] {
    const int fd = open(path.c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0) return std::string("no file");
    return lock.l_type == F_UNLCK ? "nobody" : std::to_string(lock.l_pid);
  });
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a pidfile has our number and our lock, and goes with us") {
  const test::Folder folder;
  const std::string path = folder.path / "causewayd.pid";
  {
    Pidfile file;
    REQUIRE(file.make(path).text() == "");
    CHECK(text_of(path) == std::to_string(getpid()) + "\n");
    // Reading it, as above, from our own process would have taken the lock away: this is about other processes.
  }
  CHECK_FALSE(std::filesystem::exists(path));
  Pidfile file;
  REQUIRE(file.make(path).text() == "");
  CHECK(locker_of(path) == std::to_string(getpid()));
  // Nothing but the file itself is left in the folder.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a living process' pidfile stays, a dead one's is replaced") {
  const test::Folder folder;
  const std::string path = folder.path / "ovs-vswitchd.pid";
  std::ofstream(path) << "1\n";  // without a lock
  Pidfile file;
  REQUIRE(file.make(path).text() == "");
  CHECK(locker_of(path) == std::to_string(getpid()));
  CHECK(elsewhere([&path] { return Pidfile().make(path).text(); }) ==
        path + ": already running as process " + std::to_string(getpid()));
  CHECK(locker_of(path) == std::to_string(getpid()));
}

TEST_CASE("the end of one that somebody has replaced leaves the new one alone") {
  const test::Folder folder;
  const std::string path = folder.path / "causewayd.pid";
  {
    Pidfile file;
    REQUIRE(file.make(path).text() == "");
    std::filesystem::remove(path);
    std::ofstream(path) << "7\n";
  }
  CHECK(text_of(path) == "7\n");
}

TEST_CASE("a folder that can't be written is an error that names the file") {
  const test::Folder folder;
  const std::string path = folder.path / "missing" / "causewayd.pid";
  CHECK(Pidfile().make(path).text() == path + ": No such file or directory");
}

}  // namespace causeway::unixctl
