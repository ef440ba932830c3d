#include "control/port/device_trials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "control/process/spawn_settings.h"
#include "pmd/eal.h"
#include "pmd/ethdev/devargs.h"
#include "pmd/ethdev/ethdev_attach.h"

namespace causeway {
namespace {

constexpr size_t kMostSaid = 4096;  // bytes

// None of our descriptors but its output.
void inherit_output_alone(posix_spawn_file_actions_t& files, int output) {
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
}

std::string verdict_of(int status, const std::string& said) {
  if (WIFSIGNALED(status)) {
    return fmt::format("its driver ended the process that tried it: {}", strsignal(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == 0) return {};
  return said.empty() ? "its driver ended the process that tried it" : said;
}

}  // namespace

DeviceTrials::~DeviceTrials() {
  for (auto& [devargs, trial] : trials_) {
    if (trial.process != 0) kill(trial.process, SIGKILL);  // init waits for it
  }
}

// Those that are nothing but memory open in no time, whatever others do.
bool DeviceTrials::needed(std::string_view devargs) {
  const DeviceName device = device_name(devargs);
  return device.bus == "vdev" && !device.name.starts_with("net_null") && !device.name.starts_with("net_ring");
}

void DeviceTrials::start(const std::string& devargs) { trials_.try_emplace(devargs); }

bool DeviceTrials::look(Clock::time_point now) {
  std::erase_if(killed_, [](pid_t process) { return waitpid(process, nullptr, WNOHANG) != 0; });
  auto running =
      static_cast<size_t>(std::ranges::count_if(trials_, [](const auto& item) { return item.second.process != 0; }));
  bool some = false;
  for (auto& [devargs, trial] : trials_) {
    if (trial.process != 0) {
      look_at(trial, now);
    } else if (!trial.verdict && running < kAtOnce) {
      ++running;
      begin(devargs, trial, now);
    }
    some = some || !trial.verdict;
  }
  return some;
}

void DeviceTrials::begin(const std::string& devargs, Trial& trial, Clock::time_point now) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    trial.verdict = fmt::format("no process to try it in: {}", std::strerror(errno));
    return;
  }
  trial.output = FileDescriptor(ends[0]);
  const FileDescriptor input(ends[1]);
  SpawnSettings settings;
  inherit_output_alone(settings.files, input.get());
  std::string program = program_, option = kTryDevice, device = devargs;
  const std::array<char*, 4> arguments{program.data(), option.data(), device.data(), nullptr};
  const int error =
      posix_spawn(&trial.process, program_.c_str(), &settings.files, &settings.attributes, arguments.data(), environ);
  trial.ends = now + deadline_;
  if (error == 0) return;
  trial.process = 0;
  trial.verdict = fmt::format("no process to try it in: {}", std::strerror(error));
}

void DeviceTrials::read_output(Trial& trial) {
  std::array<char, 1024> text;
  ssize_t bytes = 0;
  while ((bytes = read(trial.output.get(), text.data(), text.size())) > 0) {
    const size_t room = kMostSaid - trial.said.size();
    trial.said.append(text.data(), std::min(room, static_cast<size_t>(bytes)));
  }
}

void DeviceTrials::look_at(Trial& trial, Clock::time_point now) {
  read_output(trial);
  int status = 0;
  if (waitpid(trial.process, &status, WNOHANG) == trial.process) {
    read_output(trial);
    trial.verdict = verdict_of(status, trial.said);
  } else if (now >= trial.ends) {
    kill(trial.process, SIGKILL);
    killed_.push_back(trial.process);
    const auto seconds = std::chrono::duration_cast<std::chrono::duration<double>>(deadline_).count();
    trial.verdict = fmt::format("its driver didn't come back within {:.3g} s", seconds);
  } else {
    return;
  }
  trial.process = 0;
  trial.output = FileDescriptor();
}

bool DeviceTrials::is_done(const std::string& devargs) const {
  const auto found = trials_.find(devargs);
  return found != trials_.end() && found->second.verdict;
}

std::optional<std::string> DeviceTrials::take(const std::string& devargs) {
  const auto found = trials_.find(devargs);
  if (found == trials_.end() || !found->second.verdict) return std::nullopt;
  std::optional<std::string> verdict = std::move(found->second.verdict);
  trials_.erase(found);
  return verdict;
}

void DeviceTrials::forget_done() {
  std::erase_if(trials_, [](const auto& item) { return item.second.verdict.has_value(); });
}

int try_device(const std::string& devargs) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would wait for it
  const rlimit no_core{};
  setrlimit(RLIMIT_CORE, &no_core);
  EalOptions options;
  options.name = fmt::format("causeway-trial-{}", getpid());
  options.hugepages = EalOptions::Hugepages::off;
  options.memory_bytes = 32ULL << 20;
  bool hugepages = false;
  Error error = start_eal(options, hugepages);
  if (!error) error = try_ethdev(devargs);
  fmt::print("{}", error.text());
  std::fflush(stdout);
  _exit(error ? 1 : 0);  // the EAL has nothing that outlives the process
}

}  // namespace causeway
