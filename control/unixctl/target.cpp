#include "control/unixctl/target.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace causeway::unixctl {

std::string run_directory(const std::string& database_socket) {
  const char* const wanted = std::getenv("OVS_RUNDIR");
  if (wanted != nullptr && wanted[0] != '\0') return wanted;
  const std::string beside = std::filesystem::path(database_socket).parent_path();
  return beside.empty() ? "." : beside;
}

Error Target::open(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  if (Error error = server_.start(path + "." + std::to_string(getpid()) + ".ctl")) return error;
  return pidfile_.make(path + ".pid");
}

}  // namespace causeway::unixctl
