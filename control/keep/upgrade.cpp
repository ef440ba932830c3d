#include "control/keep/upgrade.h"

#include <fmt/format.h>
#include <poll.h>
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
#include "control/process/spawn_settings.h"
#include "control/yaml/write.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kAnother = "another upgrade is under way";
constexpr auto kStart = 60s;  // a large configuration, and devices that take their time
constexpr std::string_view kDeleted = " (deleted)";
constexpr int kPing = 1000;                   // milliseconds, less than half of any watchdog's
constexpr const char* kAlive = "WATCHDOG=1";  // sd_notify(3)

// Our program's place, where there may be another one by now.
std::string program() {
  std::error_code error;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

void answer(const FileDescriptor& client, const json& reply) {
  const std::string line = api_line(reply);
  std::ignore = ::send(client.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Upgrade::Upgrade(EventLoop& loop, Gateway& gateway, Start start, LookAtRunning running, std::function<void()> done)
    : loop_(loop),
      gateway_(gateway),
      start_(std::move(start)),
      running_(std::move(running)),
      when_done_(std::move(done)) {}

Upgrade::~Upgrade() {
  if (other_ && !done_) stop_waiting();
}

ApiReply Upgrade::begin() {
  if (other_) return {api_error({kAnother})};
  return ApiReply::handing_over(api_line(api_ok(json::object())),
                                [this](FileDescriptor client) { start(std::move(client)); });
}

// Since begin() somebody else may have had his begun, and the configuration be another.
void Upgrade::start(FileDescriptor client) {
  if (other_) return answer(client, api_error({kAnother}));
  client_ = std::move(client);
  const Running running = running_();
  if (running.unconfirmed) return fail("a change awaits its confirmation");
  FileDescriptor end;
  other_ = HandOver::make_pair(end);
  Error error = other_ ? spawn(end.get()) : Error(system_error("socketpair"));
  if (!error) error = send(running);
  if (error) return fail(error.text());
  spdlog::info("upgrade: process {} gets ready", process_);
  loop_.add_fd(other_->descriptor(), [this] { new_one_speaks(); });
  limit_ = loop_.after(kStart, [this] { fail("the new process isn't ready after a minute"); });
}

Error Upgrade::send(const Running& running) {
  handed_ = running.config;
  std::string words = handed_->system.name;
  if (start_.hugepages) words.append(1, ' ').append(HandOver::kHugepages);
  if (running.text == nullptr) return other_->send_file(HandOver::kConfig, words, config::write_config(*handed_));
  return other_->send_file(HandOver::kConfig, words.append(1, ' ').append(HandOver::kWritten), *running.text);
}

// As we were started: no signal blocked, any of the cores that we had. Of our descriptors it has its end and the log.
Error Upgrade::spawn(int end) {
  constexpr int kInherited = STDERR_FILENO + 1;
  std::vector<std::string> words = start_.arguments;
  words.insert(words.end(), {kTakeOver, std::to_string(kInherited)});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  SpawnSettings settings;
  posix_spawn_file_actions_adddup2(&settings.files, end, kInherited);
  posix_spawn_file_actions_addclosefrom_np(&settings.files, kInherited + 1);
  cpu_set_t own;
  sched_getaffinity(0, sizeof(own), &own);
  sched_setaffinity(0, sizeof(start_.cores), &start_.cores);
  const std::string path = program();
  const int error =
      posix_spawn(&process_, path.c_str(), &settings.files, &settings.attributes, arguments.data(), environ);
  sched_setaffinity(0, sizeof(own), &own);
  if (error == 0) return {};
  process_ = 0;
  return fmt::format("{}: {}", path, std::strerror(error));
}

void Upgrade::new_one_speaks() {
  const auto message = other_->receive(0ms);
  if (!message || message->word != HandOver::kReady) {
    return fail("the new process ended before it was ready; the log says why");
  }
  if (handed_ != running_().config) return fail("the configuration has changed meanwhile; try again");
  if (const Error error = hand_over()) {
    gateway_.start_workers();
    return fail(error.text());
  }
  // Who is to say that it is alive is another one now, and has just begun.
  sd_notify(0, fmt::format("{}\nMAINPID={}", kAlive, process_).c_str());
  spdlog::info("upgrade: process {} runs", process_);
  answer(client_, api_ok({{"pid", process_}}));
  // The pair stays open: by its end the other one knows that of this process.
  loop_.remove_fd(other_->descriptor());
  loop_.cancel(limit_);
  client_ = FileDescriptor();
  done_ = true;
  when_done_();
}

// The loop waits for it, and with it what tells systemd's watchdog that we are alive.
Error Upgrade::hand_over() {
  sd_notify(0, kAlive);
  Gathering gathering(gateway_);
  while (gathering.go_on(Gathering::Clock::time_point::max())) {
  }
  const std::string learnt = gathering.text().take();
  gateway_.let_go();
  for (const auto& [name, record] : gateway_.ports().all()) {
    const std::vector<int> descriptors = record.port != nullptr ? record.port->descriptors() : std::vector<int>{};
    if (descriptors.empty()) continue;
    if (Error error = other_->send(HandOver::kPort, name, descriptors)) return error;
  }
  if (Error error = other_->send_file(HandOver::kLearnt, {}, learnt)) return error;
  return await_running() ? Error() : "the new process ended, or didn't run in time; the log says why";
}

bool Upgrade::await_running() {
  const auto patience_ends = std::chrono::steady_clock::now() + HandOver::kPatience;
  while (std::chrono::steady_clock::now() < patience_ends) {
    pollfd speaks{other_->descriptor(), POLLIN, 0};
    if (poll(&speaks, 1, kPing) > 0) {
      const auto message = other_->receive(0ms);
      return message && message->word == HandOver::kRunning;
    }
    sd_notify(0, kAlive);
  }
  return false;
}

void Upgrade::fail(const std::string& why) {
  spdlog::error("upgrade: {}", why);
  answer(client_, api_error({why}));
  stop_waiting();
}

// The end of an attempt, whatever became of it.
void Upgrade::stop_waiting() {
  if (other_) loop_.remove_fd(other_->descriptor());
  loop_.cancel(limit_);
  other_.reset();
  client_ = FileDescriptor();
  handed_.reset();
  if (process_ == 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

}  // namespace causeway
