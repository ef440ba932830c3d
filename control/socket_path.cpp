#include "control/socket_path.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

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

namespace {

bool can_hold_socket(const fs::path& directory) {
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
    std::error_code error;
    std::string path = directory + "/" + name + ".sock";
    if (fs::is_socket(path, error)) return path;
  }
  return default_socket_path(name);
}

std::vector<FoundSocket> find_sockets() {
  std::vector<FoundSocket> found;
  for (const std::string& directory : socket_directories()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      if (entry.path().extension() != ".sock" || !entry.is_socket(error)) continue;
      found.push_back({entry.path().stem().string(), entry.path().string()});
    }
  }
  return found;
}

}  // namespace causeway
