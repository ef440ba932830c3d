// What comes in where ovs-appctl asks: requests, one behind the other, to the commands over a gateway with something of
// everything.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "control/unixctl/commands.h"
#include "control/unixctl/server.h"
#include "tests/fuzz/service.h"
#include "tests/fuzz/target.h"

using namespace causeway::test;
namespace unixctl = causeway::unixctl;

namespace {

struct Appctl {
  Service service;
  std::string path = "/tmp/causeway-fuzz-" + std::to_string(getpid()) + ".ctl";
  unixctl::Context context{.gateway = service.bed.gateway(),
                           .version = "0",
                           .port_numbers =
                               [](const std::string&) {
                                 return unixctl::PortNumbers{{"gnv4", 1}};
                               },
                           .ask = [this](auto request) { return service.daemon.handle(std::move(request)).whole; },
                           .stop = [] {}};
  unixctl::Server server{service.loop, [this](const std::string& command, const nlohmann::json& arguments) {
                           return unixctl::answer(context, command, arguments);
                         }};

  Appctl() {
    if (const causeway::Error error = server.start(path)) throw std::runtime_error(error.text());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64 * 1024) return 0;  // less than the socket's buffer
  static Appctl appctl;
  static unsigned inputs = 0;
  if (inputs++ % 64 == 0) appctl.service.start_afresh();
  const int fd = appctl.service.connect_to(appctl.path);
  if (send(fd, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) std::abort();
  shutdown(fd, SHUT_WR);
  char answer[4096];
  bool ended = false;
  const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (!ended && std::chrono::steady_clock::now() < patience_ends) {
    appctl.service.loop.run_once(std::chrono::milliseconds(1));
    for (ssize_t got = 1; got > 0 && !ended;) {
      got = recv(fd, answer, sizeof(answer), 0);
      ended = got == 0 || (got < 0 && errno == ECONNRESET);  // hung up on, with input unread
    }
  }
  close(fd);
  spdlog::set_level(spdlog::level::off);  // vlog/set
  if (!ended) {
    std::fputs("violated: who has asked all gets all answers, and the end\n", stderr);
    std::abort();
  }
  return 0;
}
