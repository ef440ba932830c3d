// Where the control socket of a daemon of some name lives.
#pragma once

#include <string>
#include <vector>

namespace causeway {

// /run/causeway, $XDG_RUNTIME_DIR/causeway, /tmp/causeway-UID: most wanted first.
std::vector<std::string> socket_directories();

// The daemon's choice: NAME.sock in the first of these directories that it can write or make.
std::string default_socket_path(const std::string& name);

// NAME.sock where it is already; where there is none, as default_socket_path.
std::string find_socket(const std::string& name);

// All sockets in these directories: names with their paths, in the order of the directories.
struct FoundSocket {
  std::string name;
  std::string path;
};
std::vector<FoundSocket> find_sockets();

}  // namespace causeway
