// A name that ovs-appctl finds us by (its --target): NAME.PID.ctl, the socket, and NAME.pid, in the run directory.
#pragma once

#include <string>
#include <utility>

#include "control/process/event_loop.h"
#include "control/unixctl/pidfile.h"
#include "control/unixctl/server.h"
#include "pmd/error.h"

namespace causeway::unixctl {

// Where a database's server at this socket, and so Open vSwitch's tools, have such files: $OVS_RUNDIR if that is set,
// or beside the socket.
std::string run_directory(const std::string& database_socket);

class Target {
 public:
  // `loop` outlives it.
  Target(EventLoop& loop, Server::Handler handler) : server_(loop, std::move(handler)) {}

  // Once. What went wrong begins with a path.
  Error open(const std::string& directory, const std::string& name);

 private:
  Server server_;
  Pidfile pidfile_;  // comes last and goes first: who finds it finds the socket
};

}  // namespace causeway::unixctl
