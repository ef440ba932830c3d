#include "control/keep/upgrade.h"

#include <fmt/format.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "control/keep/gathering.h"
#include "control/yaml/write.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kStart = 60s;  // a large configuration, and devices that take their time
constexpr std::string_view kDeleted = " (deleted)";

// Our program's place, where there may be another one by now.
std::string program() {
  std::error_code error;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

}  // namespace

Upgrade::Upgrade(EventLoop& loop, Gateway& gateway, Start start, RunningConfig config, std::function<void()> done)
    : loop_(loop),
      gateway_(gateway),
      start_(std::move(start)),
      config_(std::move(config)),
      when_done_(std::move(done)) {}

Upgrade::~Upgrade() {
  if (other_ && !done_) stop_waiting();
}

ApiReply Upgrade::begin() {
  if (begun_) return {api_error({"another upgrade is under way"})};
  return ApiReply::handing_over(api_line(api_ok(json::object())),
                                [this](FileDescriptor client) { start(std::move(client)); });
}

void Upgrade::start(FileDescriptor client) {
  if (std::exchange(begun_, true)) return;  // somebody asked in the same moment: hung up on
  client_ = std::move(client);
  handed_ = config_();
  FileDescriptor end;
  other_ = HandOver::make_pair(end);
  Error error = other_ ? spawn(end.get()) : Error(system_error("socketpair"));
  if (!error) {
    error = other_->send_file(HandOver::kConfig, start_.hugepages ? HandOver::kHugepages : std::string_view(),
                              config::write_config(*handed_));
  }
  if (error) return fail(error.text());
  spdlog::info("upgrade: process {} gets ready", process_);
  loop_.add_fd(other_->descriptor(), [this] { new_one_speaks(); });
  limit_ = loop_.after(kStart, [this] { fail("the new process isn't ready after a minute"); });
}

// As we were started: no signal blocked, any of the cores that we had. Of our descriptors it has its end and the log.
Error Upgrade::spawn(int end) {
  constexpr int kInherited = STDERR_FILENO + 1;
  std::vector<std::string> words = start_.arguments;
  words.insert(words.end(), {kTakeOver, std::to_string(kInherited)});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, end, kInherited);
  posix_spawn_file_actions_addclosefrom_np(&files, kInherited + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  cpu_set_t own;
  sched_getaffinity(0, sizeof(own), &own);
  sched_setaffinity(0, sizeof(start_.cores), &start_.cores);
  const std::string path = program();
  const int error = posix_spawn(&process_, path.c_str(), &files, &attributes, arguments.data(), environ);
  sched_setaffinity(0, sizeof(own), &own);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error == 0) return {};
  process_ = 0;
  return fmt::format("{}: {}", path, std::strerror(error));
}

void Upgrade::new_one_speaks() {
  const auto message = other_->receive(0ms);
  if (!message || message->word != HandOver::kReady) {
    return fail("the new process ended before it was ready; the log says why");
  }
  if (handed_ != config_()) return fail("the configuration has changed meanwhile; try again");
  if (const Error error = hand_over()) {
    gateway_.start_workers();
    return fail(error.text());
  }
  sd_notify(0, fmt::format("MAINPID={}", process_).c_str());
  spdlog::info("upgrade: process {} runs", process_);
  answer(api_ok({{"pid", process_}}));
  // The pair stays open: by its end the other one knows that of this process.
  loop_.remove_fd(other_->descriptor());
  loop_.cancel(limit_);
  client_ = FileDescriptor();
  done_ = true;
  when_done_();
}

Error Upgrade::hand_over() {
  Gathering gathering(gateway_);
  while (gathering.go_on(Gathering::Clock::time_point::max())) {
  }
  const std::string learnt = gathering.take();
  gateway_.let_go();
  for (const auto& [name, record] : gateway_.ports().all()) {
    const std::vector<int> descriptors = record.port != nullptr ? record.port->descriptors() : std::vector<int>{};
    if (descriptors.empty()) continue;
    if (Error error = other_->send(HandOver::kPort, name, descriptors)) return error;
  }
  if (Error error = other_->send_file(HandOver::kLearnt, {}, learnt)) return error;
  const auto message = other_->receive();
  if (message && message->word == HandOver::kRunning) return {};
  return "the new process ended, or didn't run in time; the log says why";
}

void Upgrade::fail(const std::string& why) {
  spdlog::error("upgrade: {}", why);
  answer(api_error({why}));
  stop_waiting();
}

// The end of an attempt, whatever became of it.
void Upgrade::stop_waiting() {
  if (other_) loop_.remove_fd(other_->descriptor());
  loop_.cancel(limit_);
  other_.reset();
  client_ = FileDescriptor();
  handed_.reset();
  begun_ = false;
  if (process_ == 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

void Upgrade::answer(const json& reply) {
  const std::string line = api_line(reply);
  std::ignore = ::send(client_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace causeway
