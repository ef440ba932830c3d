// Devices tried in other processes: here a script in place of the daemon, and what it does stands in the device's name.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "control/port/device_trials.h"
#include "tests/catch.h"

using namespace causeway;
using namespace std::chrono_literals;

namespace {

using Clock = DeviceTrials::Clock;

// Called with --try-device and the device: a shell's command.
struct Script {
  Script() {
    std::ofstream(path) << "#!/bin/sh\n[ \"$1\" = --try-device ] || exit 9\neval \"$2\"\n";
    chmod(path.c_str(), 0700);
  }
  ~Script() { std::filesystem::remove(path); }
  std::string path = std::filesystem::temp_directory_path() / ("unit_trials_" + std::to_string(getpid()));
};

// Until all are done, but no longer than that.
Clock::duration finish(DeviceTrials& trials, Clock::duration patience = 10s) {
  const auto start = Clock::now();
  while (trials.look(Clock::now()) && Clock::now() - start < patience) std::this_thread::sleep_for(1ms);
  return Clock::now() - start;
}

bool is_running(pid_t process) { return kill(process, 0) == 0; }

}  // namespace

TEST_CASE("trials: what a driver may do to the process that tries it") {
  const Script script;
  DeviceTrials trials(script.path);
  const std::string dies = "kill -SEGV $$";
  const std::string fails = "echo no such interface | tr -d '\\n'; exit 1";
  const std::string silent = "exit 3";
  for (const std::string& device : {std::string("true"), dies, fails, silent}) trials.start(device);
  CHECK(!trials.take("true"));
  CHECK(!trials.is_done("true"));
  finish(trials);
  CHECK(trials.is_done("true"));
  CHECK(trials.take("true") == "");
  CHECK(trials.take(dies) == "its driver ended the process that tried it: Segmentation fault");
  CHECK(trials.take(fails) == "no such interface");
  CHECK(trials.take(silent) == "its driver ended the process that tried it");
  CHECK(!trials.take("true"));  // once
}

TEST_CASE("trials: one that hangs is ended in time, and the others don't wait for it") {
  const Script script;
  DeviceTrials trials(script.path, 300ms);
  const std::string hangs = "trap '' TERM; echo $$ | tr -d '\\n' >&2; while :; do sleep 0.05; done";
  trials.start(hangs);
  trials.start("true");
  const auto start = Clock::now();
  while (!trials.is_done("true") && Clock::now() - start < 5s) trials.look(Clock::now());
  CHECK(trials.take("true") == "");
  CHECK(!trials.is_done(hangs));
  CHECK(finish(trials) < 5s);
  CHECK(trials.take(hangs) == "its driver didn't come back within 0.3 s");
}

TEST_CASE("trials: a process that is tried goes with the trials, and says no more than it may") {
  const Script script;
  const std::string file = script.path + ".pid";
  const std::string hangs = "echo $$ > " + file + "; head -c 200000 /dev/zero | tr '\\0' x; exec sleep 60";
  pid_t process = 0;
  {
    DeviceTrials trials(script.path);
    trials.start(hangs);
    for (int i = 0; i < 5000 && process == 0; ++i) {
      trials.look(Clock::now());
      std::ifstream(file) >> process;
      std::this_thread::sleep_for(1ms);
    }
    REQUIRE(process != 0);
    CHECK(is_running(process));
  }
  waitpid(process, nullptr, 0);
  CHECK(!is_running(process));
  std::filesystem::remove(file);
}

TEST_CASE("trials: a few at a time, and all in the end") {
  const Script script;
  DeviceTrials trials(script.path);
  for (size_t i = 0; i < 3 * DeviceTrials::kAtOnce; ++i) trials.start("exit 1 # " + std::to_string(i));
  finish(trials);
  for (size_t i = 0; i < 3 * DeviceTrials::kAtOnce; ++i)
    CHECK(trials.take("exit 1 # " + std::to_string(i)).has_value());
  CHECK(DeviceTrials("/nonexistent/program").look(Clock::now()) == false);
  DeviceTrials none("/nonexistent/program");
  none.start("true");
  finish(none);
  CHECK(none.take("true")->starts_with("no process to try it in: "));
}

TEST_CASE("trials: for what others have a hand in") {
  CHECK(DeviceTrials::needed("net_tap0"));
  CHECK(DeviceTrials::needed("vdev:net_af_packet0,iface=eth0"));
  CHECK(!DeviceTrials::needed("net_null0,copy=1"));
  CHECK(!DeviceTrials::needed("net_ring0"));
  CHECK(!DeviceTrials::needed("0000:18:00.0"));
  CHECK(!DeviceTrials::needed(""));
}
