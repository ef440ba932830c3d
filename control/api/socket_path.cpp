#include "control/api/socket_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "control/api/peer.h"

namespace causeway {

namespace fs = std::filesystem;

std::vector<std::string> socket_directories() {
  std::vector<std::string> directories{"/run/causeway"};
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && runtime[0] == '/') {
    directories.push_back(std::string(runtime) + "/causeway");
  }
  directories.push_back("/tmp/causeway-" + std::to_string(geteuid()));
  return directories;
}

std::string distrust(const std::string& directory) {
  struct stat status {};
  if (lstat(directory.c_str(), &status) != 0) return {};  // nothing is there
  if (!S_ISDIR(status.st_mode)) return "not a directory";
  if (!is_trusted(status.st_uid)) return "another user's";
  if ((status.st_mode & S_IWOTH) != 0) return "everybody can write to it";
  struct stat above {};
  const std::string parent = fs::path(directory).parent_path();
  if (stat(parent.c_str(), &above) != 0) return "in a directory that cannot be looked at";
  // Without the sticky bit anybody could rename it, and put another one in its place.
  if ((above.st_mode & S_IWOTH) != 0 && (above.st_mode & S_ISVTX) == 0) return "everybody can replace it";
  return {};
}

namespace {

bool can_hold_socket(const fs::path& directory) {
  if (!distrust(directory).empty()) return false;
  if (access(directory.c_str(), W_OK | X_OK) == 0) return true;
  std::error_code error;
  return !fs::exists(directory, error) && access(directory.parent_path().c_str(), W_OK | X_OK) == 0;
}

}  // namespace

std::string default_socket_path(const std::string& name) {
  const auto directories = socket_directories();
  const auto chosen = std::find_if(directories.begin(), directories.end(), can_hold_socket);
  return (chosen == directories.end() ? directories.back() : *chosen) + "/" + name + ".sock";
}

std::string find_socket(const std::string& name) {
  for (const std::string& directory : socket_directories()) {
    if (!distrust(directory).empty()) continue;
    std::error_code error;
    std::string path = directory + "/" + name + ".sock";
    if (fs::is_socket(path, error)) return path;
  }
  return default_socket_path(name);
}

std::vector<FoundSocket> find_sockets() {
  std::vector<FoundSocket> found;
  for (const std::string& directory : socket_directories()) {
    if (!distrust(directory).empty()) continue;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      if (entry.path().extension() != ".sock" || !entry.is_socket(error)) continue;
      found.push_back({entry.path().stem().string(), entry.path().string()});
    }
  }
  return found;
}

}  // namespace causeway
