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
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "control/api/server.h"
#include "control/api/socket_path.h"
#include "control/change/confirmation.h"
#include "control/check/absent_interfaces.h"
#include "control/check/warnings.h"
#include "control/daemon.h"
#include "control/gateway/gateway.h"
#include "control/keep/descriptor_store.h"
#include "control/keep/keeper.h"
#include "control/keep/predecessor.h"
#include "control/keep/upgrade.h"
#include "control/metrics/endpoint.h"
#include "control/port/device_trials.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/process/log.h"
#include "control/process/state_directory.h"
#include "control/underlay/kernel_routes.h"
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

constexpr const char* kOwnProgram = "/proc/self/exe";

struct Options {
  std::optional<std::string> file;
  std::string socket;
  std::string log_level = "info";
  std::string ovsdb;                              // empty: none
  std::string state = StateDirectory::of_unit();  // empty: nothing is kept
  int take_over = -1;                             // our end of a pair (control/keep/hand_over.h)
  bool check = false;
  bool no_hugepages = false;
};

// Frames of up to 1,518 bytes take one buffer, larger ones a chain of them.
constexpr uint16_t kDataRoomBytes = 2048 + RTE_PKTMBUF_HEADROOM;
// A quarter of the memory, at 2.5 KiB a buffer; the rest is for tables of devices and DPDK's own.
constexpr uint64_t kBytesPerBuffer = 2560;
uint32_t buffers_for(uint64_t memory_bytes) {
  return static_cast<uint32_t>(std::clamp<uint64_t>(memory_bytes / 4 / kBytesPerBuffer, 8191, 1U << 20));
}
// Without DPDK's devices nothing else needs much; and workers begin once so many buffers are there, enough for some
// dozens of the largest frames.
constexpr uint64_t kWithoutDevicesBytes = 32ULL << 20;
constexpr uint32_t kFirstBuffers = 4096;
constexpr uint32_t kBuffersAtATime = 512;  // a millisecond, where each page comes from the kernel

bool has_dpdk_devices(const config::Config& config) {
  return std::ranges::any_of(config.ethernets, [](const auto& item) { return !item.second.devargs().empty(); });
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
  if (!has_dpdk_devices(config)) {
    options.first_bytes = buffers_for(options.memory_bytes) * kBytesPerBuffer + kWithoutDevicesBytes;
  }
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
  await_reply(running.background, running.daemon.changes().reload(false, Peer{}), [](const ApiReply& reply) {
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

// Made before any interface is looked for, so that none comes unseen.
struct HostEvents {
  const RtnetlinkEvents links{RtnetlinkEvents::Of::links};
  const RtnetlinkEvents networks{RtnetlinkEvents::Of::networks};
  const RtnetlinkEvents neighbors{RtnetlinkEvents::Of::neighbors};
};

void follow_host(EventLoop& loop, const HostEvents& host, Gateway& gateway, std::function<void()> networks_changed) {
  watch(loop, host.links, 10ms, [&gateway] { gateway.interfaces_changed(); });
  watch(loop, host.neighbors, 250ms, [&gateway] { gateway.host_networks_changed(); });
  watch(loop, host.networks, 100ms, [&gateway, networks_changed = std::move(networks_changed)] {
    gateway.host_networks_changed();
    networks_changed();
  });
}

void start_timers(EventLoop& loop, Gateway& gateway, KernelRoutes& routes, Daemon& daemon, DescriptorStore& store) {
  store.follow(gateway.ports());
  loop.every(1ms, [&gateway, &routes] {
    routes.serve();
    gateway.serve_workers();
  });
  loop.every(250ms, [&gateway, &daemon, &store] {
    gateway.tick();
    daemon.tick();
    store.follow(gateway.ports());
  });
  loop.every(RecentCounts::kInterval, [&daemon] { daemon.count(); });
  uint64_t watchdog_usec = 0;
  if (sd_watchdog_enabled(0, &watchdog_usec) > 0) {
    loop.every(std::chrono::microseconds(watchdog_usec / 2), [] { sd_notify(0, "WATCHDOG=1"); });
  }
}

// What is to run.
struct Wanted {
  config::Config config;
  std::string text;
  bool is_written = true;                  // the text, by somebody
  std::optional<Unconfirmed> unconfirmed;  // why it isn't the file's
};

// In the place of the file, where a change was not confirmed when the daemon ended: what ran before that.
void go_back_to_confirmed(const StateDirectory& state, const std::string& file, Wanted& wanted) {
  const auto kept = state.keeps() ? state.read(Unconfirmed::kFile) : std::nullopt;
  if (!kept) return;
  wanted.unconfirmed = read_unconfirmed(*kept);
  std::vector<config::ConfigError> errors;
  auto before = wanted.unconfirmed ? config::load_config(file, wanted.unconfirmed->yaml, errors) : std::nullopt;
  if (!before) {
    spdlog::error("{}/{}: is no configuration; this start has {}", state.path(), Unconfirmed::kFile, file);
    wanted.unconfirmed.reset();
    return;
  }
  if (!before->system.named) before->system.name = wanted.config.system.name;
  wanted.config = std::move(*before);
  wanted.text = wanted.unconfirmed->yaml;
}

// What main() has found out.
struct Start {
  const Options& options;
  const StateDirectory& state;
  const Wanted& wanted;
  Predecessor* predecessor;  // null: none
  Upgrade::Start again;
};

// Its devices, and what it has learnt.
Error take_over(Predecessor& predecessor, Gateway& gateway, std::string& learnt) {
  Ports::HandedOver devices;
  if (Error error = predecessor.take(devices, learnt)) return error;
  gateway.take_over(std::move(devices));
  return {};
}

// Calls `done` once it has ended.
void await_end(EventLoop& loop, const Predecessor& predecessor, std::function<void()> done) {
  loop.add_fd(predecessor.descriptor(), [&loop, fd = predecessor.descriptor(), done = std::move(done)] {
    const auto all = done;
    loop.remove_fd(fd);
    all();
  });
}

// Of buffers for frames; the first ones are in it.
rte_mempool* make_pool(const config::Config& config) {
  const uint32_t buffers = buffers_for(config.system.memory_bytes);
  return make_mempool("frames", buffers, kDataRoomBytes, has_dpdk_devices(config) ? buffers : kFirstBuffers);
}

// The others: the workers don't wait for them.
void fill_by_and_by(EventLoop& loop, rte_mempool* pool) {
  if (fill_mempool(pool, kBuffersAtATime)) loop.after(1ms, [&loop, pool] { fill_by_and_by(loop, pool); });
}

// Now, or else each second anew: without the control socket nobody could do anything about it.
void try_until_done(EventLoop& loop, std::function<Error()> work) {
  const Error error = work();
  if (!error) return;
  spdlog::error("{}; trying again", error.text());
  loop.after(1s, [&loop, work = std::move(work)] { try_until_done(loop, work); });
}

// Where they are wanted.
Error start_metrics(std::optional<metrics::Endpoint>& endpoint, EventLoop& loop, const Daemon& daemon,
                    const config::System& system) {
  if (!system.metrics) return {};
  endpoint.emplace(
      loop, [&daemon] { return daemon.running(); }, CAUSEWAY_VERSION);
  return endpoint->start(*system.metrics);
}

// What an upgrade hands over.
Upgrade::Running what_runs(Daemon& daemon) {
  const Version& version = daemon.configuration().file();
  return {version.config, version.text, daemon.changes().awaits_confirmation()};
}

// False: stderr says why not.
bool configure(Daemon& daemon, const std::string& file, const Wanted& wanted) {
  const auto errors = daemon.changes().start(file, wanted.text, wanted.unconfirmed);
  for (const std::string& line : errors) say_on_stderr(line + "\n");
  if (!errors.empty()) return false;
  if (!wanted.is_written) daemon.configuration().forget_text();
  return true;
}

void stop(Keeper& keeper, Gateway& gateway) {
  sd_notify(0, "STOPPING=1");
  keeper.write();
  gateway.say_goodbye();
}

void log_running(const config::Config& config, bool hugepages) {
  spdlog::info("{} is running: {} ports, {} tunnels, {} bridges, {} workers, hugepages {}", config.system.name,
               config.ethernets.size(), config.tunnels.size(), config.bridges.size(), config.system.workers,
               hugepages ? "on" : "off");
}

void start_forwarding(EventLoop& loop, Gateway& gateway, rte_mempool* pool) {
  gateway.start_is_over();
  gateway.start_workers();
  fill_by_and_by(loop, pool);
}

// From the EAL's start to its end.
int serve(EventLoop& loop, const Reloading*& running, const Start& start) {
  const Options& options = start.options;
  const config::Config& config = start.wanted.config;
  Predecessor* const predecessor = start.predecessor;
  std::optional<Upgrade> upgrade;  // gone last: who takes over waits for that
  rte_mempool* const pool = make_pool(config);
  if (pool == nullptr) return fail("no memory for frame buffers: raise system.memory");

  set_lock_owner(config.system.name);
  const HostEvents host;
  Gateway gateway(config.system, pool);
  gateway.evpn().join_kernel();
  KernelRoutes routes(gateway.host_routes());
  const std::string file = options.file.value_or("");
  Daemon daemon(loop, gateway, config.system, file, CAUSEWAY_VERSION);
  upgrade.emplace(
      loop, gateway, start.again, [&daemon] { return what_runs(daemon); }, [&loop] { loop.stop(); });
  daemon.upgrade_by([&upgrade] { return upgrade->begin(); });
  const std::string path = options.socket.empty() ? default_socket_path(config.system.name) : options.socket;
  Background background(loop);
  ApiServer api(loop, background, path, [&daemon](nlohmann::json request, const Peer& peer) {
    return daemon.handle(std::move(request), peer);
  });
  std::optional<metrics::Endpoint> endpoint;
  bool listens = false;
  const auto let_others_in = [&]() -> Error {
    if (Error error = listens ? Error() : api.start()) return error;
    listens = true;
    return start_metrics(endpoint, loop, daemon, config.system);
  };
  std::string learnt;
  DescriptorStore store;
  if (predecessor == nullptr) gateway.adopt(store.take());
  // First of all: where a daemon of this name runs already, nothing is touched.
  const Error error = predecessor == nullptr ? let_others_in() : take_over(*predecessor, gateway, learnt);
  if (error) return fail(error.text());
  // A device that the other one had a moment ago needs no trial.
  if (predecessor == nullptr) gateway.try_devices_with(kOwnProgram);
  daemon.changes().keep_in(start.state, background);
  if (!configure(daemon, file, start.wanted)) return kBadInput;

  Keeper keeper(loop, background, gateway, start.state);
  // What ports, bridges and tunnels that are all there had before.
  const auto give_back = [&] {
    predecessor == nullptr ? keeper.restore(gateway) : restore_text(gateway, learnt);
    gateway.end_take_over();
    keeper.begin();
  };
  std::optional<ovsdb::Vswitch> vswitch;
  const std::string& ovsdb = options.ovsdb.empty() ? config.system.ovsdb : options.ovsdb;
  const auto play_vswitch = [&] {
    if (!ovsdb.empty()) vswitch.emplace(loop, background, daemon, gateway, ovsdb, CAUSEWAY_VERSION, give_back);
  };
  if (ovsdb.empty()) give_back();
  if (predecessor == nullptr) play_vswitch();
  start_forwarding(loop, gateway, pool);
  if (predecessor != nullptr) {
    predecessor->say_running();
    gateway.try_devices_with(kOwnProgram);
    await_end(loop, *predecessor, [&] {
      gateway.other_has_ended();
      try_until_done(loop, let_others_in);
      play_vswitch();
      sd_notify(0, "READY=1\nWATCHDOG=1");
    });
  }
  if (config.system.control_core) pin_to(*config.system.control_core);  // after them: they inherit it
  log_running(config, start.again.hugepages);
  if (predecessor == nullptr) sd_notify(0, "READY=1");
  const Reloading all{daemon, background};
  running = &all;
  start_timers(loop, gateway, routes, daemon, store);
  follow_host(loop, host, gateway, [&vswitch] {
    if (vswitch) vswitch->host_networks_changed();
  });
  loop.run();
  running = nullptr;
  if (!upgrade->is_done()) stop(keeper, gateway);
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
  execv(kOwnProgram, arguments.data());
}

// As it is to be started again.
std::vector<std::string> arguments_of(char** argv) {
  std::vector<std::string> arguments;
  for (; *argv != nullptr; ++argv) {
    if (std::string_view(*argv) == kTakeOver && argv[1] != nullptr) {
      ++argv;
    } else {
      arguments.emplace_back(*argv);
    }
  }
  return arguments;
}

// Of who runs already: what it is called it may have from a file that was another one then.
std::optional<config::Config> load_running(const std::string& file, Predecessor& predecessor, Predecessor::Runs& runs,
                                           std::vector<config::ConfigError>& errors) {
  if (const Error error = predecessor.read_config(runs)) {
    errors.push_back({file, 0, 0, "", error.text()});
    return std::nullopt;
  }
  auto config = config::load_config(file, runs.text, errors);
  if (config && !config->system.named) config->system.name = runs.name;
  return config;
}

std::optional<config::Config> load(const Options& options, std::string& text,
                                   std::vector<config::ConfigError>& errors) {
  const std::string file = options.file.value_or("");
  text = config::kNoFile;
  return options.file ? config::load_config_file(file, text, errors) : config::load_config("", text, errors);
}

int run(const Options& options, char** argv) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  sched_getaffinity(0, sizeof(cores), &cores);
  start_log();
  if (!set_log_level(options.log_level)) {
    fail(fmt::format("--log-level: expected {}, not {}", kLogLevels, config::quote(options.log_level)));
    return kBadInput;
  }
  std::optional<Predecessor> predecessor;
  if (options.take_over >= 0) predecessor.emplace(options.take_over);
  Predecessor::Runs runs;
  std::vector<config::ConfigError> errors;
  auto config = predecessor ? load_running(options.file.value_or(""), *predecessor, runs, errors)
                            : load(options, runs.text, errors);
  // A running gateway logs its warnings.
  if (config && options.check) {
    auto warnings = config::warnings_of(*config);
    std::ranges::move(absent_interfaces(*config), std::back_inserter(warnings));
    errors = config::placed(warnings, options.file.value_or(""), runs.text);
  }
  for (const config::ConfigError& line : errors) say_on_stderr(line.to_string() + "\n");
  if (!config) return kBadInput;
  if (options.check) return kStopped;

  StateDirectory state;
  if (const Error error = state.open(options.state)) return fail(error.text());
  Wanted wanted{std::move(*config), std::move(runs.text), runs.is_written, {}};
  if (!predecessor) go_back_to_confirmed(state, options.file.value_or(""), wanted);
  const config::System& system = wanted.config.system;
  EventLoop loop;
  const Reloading* running = nullptr;
  watch_signals(loop, running);
  EalOptions eal = eal_options(wanted.config, options.no_hugepages);
  // As many again as the other one has, which is not to be replaced by a slower one.
  using Hugepages = EalOptions::Hugepages;
  bool hugepages = runs.hugepages;
  if (predecessor) eal.hugepages = hugepages ? Hugepages::on : Hugepages::off;
  const Error error = start_eal(eal, hugepages);
  if (error && hugepages && !predecessor && system.hugepages == Toggle::automatic) {
    spdlog::warn("{}; trying without hugepages", error.text());
    begin_again_without_hugepages(argv);
  }
  if (error) return fail(error.text());
  leave_to_workers(system.worker_cores);
  const int code =
      serve(loop, running,
            {options, state, wanted, predecessor ? &*predecessor : nullptr, {arguments_of(argv), cores, hugepages}});
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
  app.add_option(causeway::kTakeOver, options.take_over)->group("");  // for `causewayctl upgrade` alone
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
