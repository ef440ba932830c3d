#include "control/process/open_file.h"

#include <sys/stat.h>

namespace causeway {

bool is_at(const std::string& path, int fd) {
  struct stat there {};
  struct stat here {};
  return lstat(path.c_str(), &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
         there.st_ino == here.st_ino;
}

}  // namespace causeway
