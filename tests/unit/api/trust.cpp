// Whose sockets causewayctl takes for a daemon's. As root: the others' are made by changing owners.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/api/client.h"
#include "control/api/socket_path.h"
#include "tests/catch.h"

using causeway::ApiClient;
using causeway::distrust;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kStranger = 65534;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = fs::temp_directory_path() / "causeway-trust-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

int listen_at(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a socket's folder: whose it is, and who can write there") {
  const Folder folder;
  const fs::path inner = folder.path / "causeway";
  REQUIRE(mkdir(inner.c_str(), 0755) == 0);
  CHECK(distrust(inner) == "");
  CHECK(distrust(folder.path / "nothing") == "");

  REQUIRE(chmod(inner.c_str(), 0777) == 0);
  CHECK(distrust(inner) == "everybody can write to it");
  REQUIRE(chmod(inner.c_str(), 01777) == 0);
  CHECK(distrust(inner) == "everybody can write to it");
  REQUIRE(chmod(inner.c_str(), 0755) == 0);

  REQUIRE(chmod(folder.path.c_str(), 0777) == 0);
  CHECK(distrust(inner) == "everybody can replace it");
  REQUIRE(chmod(folder.path.c_str(), 01777) == 0);
  CHECK(distrust(inner) == "");

  fs::create_directory_symlink(inner, folder.path / "link");
  CHECK(distrust(folder.path / "link") == "not a directory");
  if (geteuid() != 0) return;
  REQUIRE(chown(inner.c_str(), kStranger, kStranger) == 0);
  CHECK(distrust(inner) == "another user's");
}

TEST_CASE("sockets are looked for in folders to be trusted only") {
  const Folder folder;
  const fs::path inner = folder.path / "causeway";
  REQUIRE(mkdir(inner.c_str(), 0755) == 0);
  const std::string name = "trust-" + std::to_string(getpid());
  const std::string path = inner / (name + ".sock");
  close(listen_at(path));
  REQUIRE(setenv("XDG_RUNTIME_DIR", folder.path.c_str(), 1) == 0);
  const auto listed = [&] {
    bool found = false;
    for (const auto& socket : causeway::find_sockets()) found = found || socket.path == path;
    return found;
  };
  CHECK(causeway::find_socket(name) == path);
  CHECK(listed());
  REQUIRE(chmod(inner.c_str(), 0777) == 0);
  CHECK(causeway::find_socket(name) != path);
  CHECK_FALSE(listed());
  unsetenv("XDG_RUNTIME_DIR");
}

TEST_CASE("the client talks to root's daemons and its own, and tells others nothing") {
  if (geteuid() != 0) return;
  const Folder folder;
  const std::string path = folder.path / "gw.sock";
  const int own = listen_at(path);
  REQUIRE(listen(own, 5) == 0);
  CHECK(ApiClient().connect(path).text() == "");
  close(own);
  fs::remove(path);

  // The credentials are those of the one that listens.
  const int strangers = listen_at(path);
  const pid_t child = fork();
  if (child == 0) _exit(setuid(kStranger) == 0 && listen(strangers, 5) == 0 ? 0 : 1);
  int status = 1;
  waitpid(child, &status, 0);
  REQUIRE(status == 0);
  CHECK(ApiClient().connect(path) ==
        "control socket " + path + ": it is of another user (uid 65534), neither root's nor yours: not trusted");
  close(strangers);
}
