// Where the control socket of a daemon of some name lives.
#pragma once

#include <string>
#include <vector>

namespace causeway {

// /run/causeway, $XDG_RUNTIME_DIR/causeway, /tmp/causeway-UID: most wanted first.
std::vector<std::string> socket_directories();

// Why a socket in this directory may be anybody's; empty: only one to be trusted (control/api/peer.h)
// can have put it there.
std::string distrust(const std::string& directory);

// The daemon's choice: NAME.sock in the first of these directories that it can write or make.
std::string default_socket_path(const std::string& name);

// NAME.sock where it is already, in a directory to be trusted; where there is none, as default_socket_path.
std::string find_socket(const std::string& name);

// All sockets in those of these directories that are to be trusted: names with their paths, in the order of the
// directories.
struct FoundSocket {
  std::string name;
  std::string path;
};
std::vector<FoundSocket> find_sockets();

}  // namespace causeway
