// Lines on the control socket, to the real server and the real daemon behind it. Ports are in memory.
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "control/api.h"
#include "control/daemon.h"
#include "tests/fuzz/target.h"
#include "tests/pipeline/bed.h"

namespace causeway::test {
namespace {

struct Service {
  Bed bed{"version: 1"};
  EventLoop loop;
  Daemon daemon{bed.gateway(), load_yaml("version: 1").system, "/nonexistent/fuzz.yaml"};
  ApiServer server{loop, "/tmp/causeway-fuzz-" + std::to_string(getpid()) + ".sock",
                   [this](const nlohmann::json& request) { return daemon.handle(request); }};

  Service() {
    spdlog::set_level(spdlog::level::off);
    if (const std::string error = server.start(); !error.empty()) throw std::runtime_error(error);
  }
  // What earlier inputs have applied goes.
  void start_afresh() {
    for (const char* yaml : {"version: 1", every_.c_str()}) {
      if (!daemon.apply("fuzz.yaml", yaml).empty()) std::abort();
    }
  }

 private:
  std::string every_ = every_tunnel();
};

int connect_to(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  return fd;
}

}  // namespace
}  // namespace causeway::test

using namespace causeway::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64 * 1024) return 0;  // less than the socket's buffer
  static Service service;
  static unsigned inputs = 0;
  if (inputs++ % 64 == 0) service.start_afresh();
  const int fd = connect_to(service.server.path());
  if (send(fd, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) std::abort();
  shutdown(fd, SHUT_WR);
  size_t lines = 1;
  for (size_t i = 0; i < size; ++i) lines += data[i] == '\n' ? 1 : 0;
  char answer[4096];
  bool ended = false;
  for (size_t round = 0; round < 1000 + lines && !ended; ++round) {
    service.loop.run_once(std::chrono::nanoseconds(0));
    service.bed.run();
    for (ssize_t got = 1; got > 0 && !ended;) {
      got = recv(fd, answer, sizeof(answer), 0);
      ended = got == 0;
    }
  }
  close(fd);
  if (!ended) {
    std::fputs("violated: who has asked all gets all answers, and the end\n", stderr);
    std::abort();
  }
  return 0;
}
