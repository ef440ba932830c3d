// The real control socket and the real daemon behind it. Ports are in memory.
#pragma once

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

#include "control/api/server.h"
#include "control/daemon.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {

struct Service {
  Bed bed{"version: 1"};
  EventLoop loop;
  Background background{loop};
  Daemon daemon{loop, bed.gateway(), load_yaml("version: 1").system, "/nonexistent/fuzz.yaml"};
  ApiServer server{
      loop, background, "/tmp/causeway-fuzz-" + std::to_string(getpid()) + ".sock",
      [this](nlohmann::json request, const Peer& peer) { return daemon.handle(std::move(request), peer); }};

  Service() {
    spdlog::set_level(spdlog::level::off);
    if (const Error error = server.start()) throw std::runtime_error(error.text());
  }
  // What earlier inputs have applied goes.
  void start_afresh() {
    for (const char* yaml : {"version: 1", every_.c_str()}) {
      if (!daemon.apply("fuzz.yaml", yaml).empty()) std::abort();
    }
  }

  int connect() const { return connect_to(server.path()); }
  static int connect_to(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
    return fd;
  }

 private:
  std::string every_ = every_tunnel();
};

}  // namespace causeway::test
