// A pidfile as Open vSwitch's tools believe it: the process' number, and a POSIX write lock (fcntl(2), F_SETLK) that
// it holds as long as it lives. A file without the lock is a dead process'.
#pragma once

#include <string>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway::unixctl {

class Pidfile {
 public:
  Pidfile() = default;
  ~Pidfile();  // removes it, unless somebody has put another one there
  Pidfile(const Pidfile&) = delete;
  Pidfile& operator=(const Pidfile&) = delete;

  // Takes the place of a dead process' file, of a living one's not. What went wrong begins with the path.
  Error make(const std::string& path);

 private:
  std::string path_;
  // POSIX locks are the process': who opens and closes the file anew, here or elsewhere, loses this one.
  FileDescriptor file_;
};

}  // namespace causeway::unixctl
