// A lock file beside a control socket, held as long as its daemon lives (flock(2)): who has it may replace the socket.
// Without it two daemons that start at once would each find the other's socket dead, or not there yet.
#pragma once

#include <string>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class SocketLock {
 public:
  SocketLock() = default;
  SocketLock(const SocketLock&) = delete;
  SocketLock& operator=(const SocketLock&) = delete;
  // The file goes, too, unless somebody has put another one there.
  ~SocketLock();

  // `holder`: the process that has it, if it fails for that.
  Error take(const std::string& socket_path, std::string& holder);

 private:
  std::string path_;
  FileDescriptor file_;
};

}  // namespace causeway
