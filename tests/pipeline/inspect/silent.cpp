// Tunnels that send and hear nothing: what show and the log say of them.
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/stopped_clock.h"
#include "tests/support/log_lines.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

constexpr const char* kTopology = R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]
tunnels:
  gn0: {mode: geneve, id: 50, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, gn0]}
)";

class Quiet {
 public:
  // So many seconds, with a frame into the tunnel every few of them.
  void send_for(std::chrono::seconds time) {
    for (; time > 0s; time -= 3s) {
      bed.send("lan0", frame("eth.1-all"));
      pass(3s);
    }
  }
  void pass(std::chrono::seconds time) {
    clock_.advance(time);
    bed.gateway().tick();
  }
  void hear() { bed.send("up0", frame("refused.heard.gn0")); }
  std::string state() { return show(bed.gateway(), "tunnels").at(0).at("state"); }

 private:
  StoppedClock clock_;

 public:
  Bed bed{kTopology};
};

}  // namespace

TEST_CASE("silent: a tunnel that sends and hears nothing for half a minute, until it hears something") {
  LogLines log;
  Quiet tunnel;
  tunnel.send_for(24s);
  CHECK(tunnel.state() == "up");
  log.take();
  tunnel.send_for(15s);
  CHECK(tunnel.state() == "silent");
  CHECK(log.take() == Lines{"warning: gn0: silent: it sends to 172.31.0.2, and hears nothing from there"});
  tunnel.hear();
  tunnel.send_for(6s);
  CHECK(tunnel.state() == "up");
  tunnel.send_for(39s);
  CHECK(tunnel.state() == "silent");
}

TEST_CASE("silent: who hears something now and then is not") {
  Quiet tunnel;
  for (int i = 0; i < 4; ++i) {
    tunnel.send_for(21s);
    tunnel.hear();
    CHECK(tunnel.state() == "up");
  }
}

TEST_CASE("silent: who has little to say, and nobody who is to answer") {
  Quiet tunnel;
  tunnel.send_for(3s);
  for (int i = 0; i < 20; ++i) tunnel.pass(6s);
  CHECK(tunnel.state() == "up");
  tunnel.send_for(39s);
  CHECK(tunnel.state() == "silent");
  for (int i = 0; i < 6; ++i) tunnel.pass(6s);
  CHECK(tunnel.state() == "up");
}

}  // namespace causeway::test
