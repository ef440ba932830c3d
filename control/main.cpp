// causewayd: startup and shutdown order.
#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "control/api/server.h"
#include "control/api/socket_path.h"
#include "control/check/absent_interfaces.h"
#include "control/check/warnings.h"
#include "control/daemon.h"
#include "control/gateway/gateway.h"
#include "control/metrics/endpoint.h"
#include "control/port/device_trials.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/process/log.h"
#include "control/process/state_directory.h"
#include "control/vswitch.h"
#include "control/yaml/load.h"
#include "control/yaml/value.h"
#include "pmd/eal.h"
#include "pmd/ethdev/devargs.h"
#include "pmd/kernel/interface_lock.h"
#include "pmd/kernel/rtnetlink.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

enum Exit : int { kStopped = 0, kFailed = 1, kBadInput = 2 };

constexpr const char* kLogLevels = "trace, debug, info, warning, error, critical or off";

struct Options {
  std::optional<std::string> file;
  std::string socket;
  std::string log_level = "info";
  std::string ovsdb;                              // empty: none
  std::string state = StateDirectory::of_unit();  // empty: nothing is kept
  bool check = false;
  bool no_hugepages = false;
};

// Frames of up to 1,518 bytes take one buffer, larger ones a chain of them.
constexpr uint16_t kDataRoomBytes = 2048 + RTE_PKTMBUF_HEADROOM;
// A quarter of the memory, at 2.5 KiB a buffer; the rest is for tables of devices and DPDK's own.
uint32_t buffers_for(uint64_t memory_bytes) {
  return static_cast<uint32_t>(std::clamp<uint64_t>(memory_bytes / 4 / 2560, 8191, 1U << 20));
}

bool needs_pci(const config::Config& config) {
  return std::ranges::any_of(config.ethernets,
                             [](const auto& item) { return device_name(item.second.devargs()).bus == "pci"; });
}

EalOptions eal_options(const config::Config& config, bool no_hugepages) {
  EalOptions options;
  options.name = config.system.name;
  options.memory_bytes = config.system.memory_bytes;
  options.pci = needs_pci(config);
  options.log = log_stream();
  switch (config.system.hugepages) {
    case Toggle::automatic:
      options.hugepages = EalOptions::Hugepages::automatic;
      break;
    case Toggle::on:
      options.hugepages = EalOptions::Hugepages::on;
      break;
    case Toggle::off:
      options.hugepages = EalOptions::Hugepages::off;
      break;
  }
  if (no_hugepages) options.hugepages = EalOptions::Hugepages::off;
  return options;
}

int fail(const std::string& why) {
  say_on_stderr(fmt::format("causewayd: {}\n", why));
  return kFailed;
}

// The calling thread; workers have cores of their own.
void pin_to(unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  const int error = pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores);
  if (error != 0) spdlog::warn("system.control-core: cannot run on core {}: {}", core, std::strerror(error));
}

// Each thread that there is, and so those that they start: one of them on a worker's core costs frames. Before the
// workers start; where these have all cores there is no other place.
void leave_to_workers(const std::vector<unsigned>& worker_cores) {
  cpu_set_t others;
  if (sched_getaffinity(0, sizeof(others), &others) != 0) return;
  for (const unsigned core : worker_cores) CPU_CLR(core, &others);
  if (CPU_COUNT(&others) == 0) return;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    sched_setaffinity(std::stoi(thread.path().filename()), sizeof(others), &others);
  }
}

void notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", usec).c_str());
}

// What answers signals once all runs.
struct Reloading {
  Daemon& daemon;
  Background& background;
};

void reload(const Reloading& running) {
  notify_reloading();
  await_reply(running.background, running.daemon.reload(false), [](const ApiReply& reply) {
    const bool done = !reply.line.empty();
    spdlog::info(done ? "reloaded" : "not reloaded: as before");
    sd_notify(0, "READY=1");
  });
}

// Before any other thread exists (the EAL makes some): they inherit the mask, or a signal ends the process.
void watch_signals(EventLoop& loop, const Reloading*& running) {
  loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
  loop.on_signal(SIGINT, [&loop] { loop.stop(); });
  loop.on_signal(SIGHUP, [&running] {
    if (running != nullptr) reload(*running);
  });
}

// Changes come in swarms: they are looked at together, so long after the first.
void watch(EventLoop& loop, const RtnetlinkEvents& events, std::chrono::milliseconds pause,
           std::function<void()> changed) {
  if (events.fd() < 0) return spdlog::warn("rtnetlink: {}: what changes there isn't seen", std::strerror(errno));
  loop.add_fd(events.fd(), [&loop, &events, pause, changed = std::move(changed)] {
    loop.watch_readable(events.fd(), false);
    loop.after(pause, [&loop, &events, changed] {
      events.drain();
      loop.watch_readable(events.fd(), true);
      changed();
    });
  });
}

void start_timers(EventLoop& loop, Gateway& gateway, Daemon& daemon) {
  loop.every(1ms, [&gateway] { gateway.serve_workers(); });
  loop.every(250ms, [&gateway] { gateway.tick(); });
  loop.every(RecentCounts::kInterval, [&daemon] { daemon.count(); });
  uint64_t watchdog_usec = 0;
  if (sd_watchdog_enabled(0, &watchdog_usec) > 0) {
    loop.every(std::chrono::microseconds(watchdog_usec / 2), [] { sd_notify(0, "WATCHDOG=1"); });
  }
}

// From the EAL's start to its end.
int serve(EventLoop& loop, const Reloading*& running, const Options& options, const config::Config& config,
          const std::string& text, bool hugepages) {
  rte_mempool* const pool = make_mempool("frames", buffers_for(config.system.memory_bytes), kDataRoomBytes);
  if (pool == nullptr) return fail("no memory for frame buffers: raise system.memory");
  const std::unique_ptr<rte_mempool, void (*)(rte_mempool*)> pool_owner(pool, free_mempool);

  StateDirectory state;
  if (const Error error = state.open(options.state)) return fail(error.text());
  set_lock_owner(config.system.name);
  // Before any interface is looked for, so that none comes unseen.
  const RtnetlinkEvents links(RtnetlinkEvents::Of::links);
  const RtnetlinkEvents networks(RtnetlinkEvents::Of::networks);
  const RtnetlinkEvents neighbors(RtnetlinkEvents::Of::neighbors);
  Gateway gateway(config.system, pool);
  gateway.try_devices_with("/proc/self/exe");
  const std::string file = options.file.value_or("");
  Daemon daemon(loop, gateway, config.system, file, CAUSEWAY_VERSION);
  // First of all: where a daemon of this name runs already, nothing is touched.
  const std::string path = options.socket.empty() ? default_socket_path(config.system.name) : options.socket;
  Background background(loop);
  ApiServer api(loop, background, path, [&daemon](nlohmann::json request, const Peer& peer) {
    return daemon.handle(std::move(request), peer);
  });
  if (const Error error = api.start()) return fail(error.text());
  std::optional<metrics::Endpoint> endpoint;
  if (config.system.metrics) {
    endpoint.emplace(
        loop, [&daemon] { return daemon.running(); }, CAUSEWAY_VERSION);
    if (const Error error = endpoint->start(*config.system.metrics)) return fail(error.text());
  }
  const auto errors = daemon.apply(file, text);
  for (const std::string& line : errors) say_on_stderr(line + "\n");
  if (!errors.empty()) return kBadInput;

  std::optional<ovsdb::Vswitch> vswitch;
  const std::string& ovsdb = options.ovsdb.empty() ? config.system.ovsdb : options.ovsdb;
  if (!ovsdb.empty()) vswitch.emplace(loop, background, daemon, gateway, ovsdb, CAUSEWAY_VERSION);
  gateway.start_is_over();
  gateway.start_workers();
  if (config.system.control_core) pin_to(*config.system.control_core);  // after them: they inherit it
  start_timers(loop, gateway, daemon);
  watch(loop, links, 10ms, [&gateway] { gateway.interfaces_changed(); });
  watch(loop, neighbors, 250ms, [&gateway] { gateway.host_networks_changed(); });
  watch(loop, networks, 100ms, [&gateway, &vswitch] {
    gateway.host_networks_changed();
    if (vswitch) vswitch->host_networks_changed();
  });
  spdlog::info("{} is running: {} ports, {} tunnels, {} bridges, {} workers, hugepages {}", config.system.name,
               config.ethernets.size(), config.tunnels.size(), config.bridges.size(), config.system.workers,
               hugepages ? "on" : "off");
  sd_notify(0, "READY=1");
  const Reloading all{daemon, background};
  running = &all;
  loop.run();
  running = nullptr;
  sd_notify(0, "STOPPING=1");
  gateway.say_goodbye();
  return kStopped;
}

// The EAL starts once a process. Where others took the hugepages between our look and our start, a new one
// begins without.
void begin_again_without_hugepages(char** argv) {
  std::vector<char*> arguments;
  for (; *argv != nullptr; ++argv) arguments.push_back(*argv);
  static char flag[] = "--no-hugepages";
  arguments.insert(arguments.end(), {flag, nullptr});
  flush_log();
  execv("/proc/self/exe", arguments.data());
}

int run(const Options& options, char** argv) {
  start_log();
  if (!set_log_level(options.log_level)) {
    fail(fmt::format("--log-level: expected {}, not {}", kLogLevels, config::quote(options.log_level)));
    return kBadInput;
  }
  std::string text(config::kNoFile);
  std::vector<config::ConfigError> errors;
  const auto config =
      options.file ? config::load_config_file(*options.file, text, errors) : config::load_config("", text, errors);
  // A running gateway logs its warnings.
  if (config && options.check) {
    auto warnings = config::warnings_of(*config);
    std::ranges::move(absent_interfaces(*config), std::back_inserter(warnings));
    errors = config::placed(warnings, options.file.value_or(""), text);
  }
  for (const config::ConfigError& line : errors) say_on_stderr(line.to_string() + "\n");
  if (!config) return kBadInput;
  if (options.check) return kStopped;

  EventLoop loop;
  const Reloading* running = nullptr;
  watch_signals(loop, running);
  bool hugepages = false;
  const Error error = start_eal(eal_options(*config, options.no_hugepages), hugepages);
  if (error && hugepages && config->system.hugepages == Toggle::automatic) {
    spdlog::warn("{}; trying without hugepages", error.text());
    begin_again_without_hugepages(argv);
  }
  if (error) return fail(error.text());
  leave_to_workers(config->system.worker_cores);
  const int code = serve(loop, running, options, *config, text, hugepages);
  stop_eal();
  return code;
}

}  // namespace
}  // namespace causeway

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == causeway::kTryDevice) return causeway::try_device(argv[2]);
  // Memory that the control thread gives back to the kernel costs every worker an interrupt (a TLB shootdown), in the
  // midst of an apply thousands of them: malloc keeps what it has (mallopt(3)), but for much of it at an arena's end.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of stderr that has gone is no reason to go, too
  causeway::Options options;
  CLI::App app{"An overlay gateway: bridges, GENEVE and VXLAN tunnels on DPDK.", "causewayd"};
  app.set_version_flag("--version", "causewayd " CAUSEWAY_VERSION);
  app.add_option("-c,--config", options.file, "the configuration, YAML; needed unless --ovsdb is given");
  app.add_flag("--check", options.check, "only check the configuration");
  app.add_option("--socket", options.socket, "the control socket; default: by system.name");
  app.add_flag("--no-hugepages", options.no_hugepages, "run without hugepages, whatever the file says");
  app.add_option("--ovsdb", options.ovsdb,
                 "an OVSDB server's socket: in the place of ovs-vswitchd, beside the file, or with none");
  app.add_option("--state", options.state,
                 "a folder for what outlives the daemon; default: the unit's StateDirectory, or nothing is kept");
  app.add_option("--log-level", options.log_level, causeway::kLogLevels);
  try {
    app.parse(argc, argv);
    if (!options.file && options.ovsdb.empty()) throw CLI::RequiredError("--config or --ovsdb");
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : causeway::kBadInput;
  }
  const int code = causeway::run(options, argv);
  causeway::flush_log();
  return code;
}
