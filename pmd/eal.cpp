#include "pmd/eal.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "pmd/driver_words.h"
#include "pmd/quick_tsc.h"

namespace causeway {
namespace {

bool has_pci = false;      // written once, at the start
bool has_devices = false;  // of DPDK's, or had some; the control thread's

// Free hugepages of every size together, in bytes (Documentation/admin-guide/mm/hugetlbpage.rst).
uint64_t free_hugepage_bytes() {
  static constexpr std::string_view kPrefix = "hugepages-";  // then the size: "2048kB"
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", ignored)) {
    const std::string size = entry.path().filename();
    if (!size.starts_with(kPrefix)) continue;
    uint64_t pages = 0;
    std::ifstream(entry.path() / "free_hugepages") >> pages;
    bytes += pages * (std::strtoull(size.c_str() + kPrefix.size(), nullptr, 10) << 10);
  }
  return bytes;
}

// One lcore floating over every CPU this process may use, so that the EAL pins nothing. CPUs beyond
// DPDK's own limit are left out of the string; the affinity is put back afterwards anyway.
std::string floating_lcore(const cpu_set_t& allowed) {
  std::string lcore = "0@";
  char separator = '(';
  for (int cpu = 0; cpu < std::min<int>(CPU_SETSIZE, RTE_MAX_LCORE); ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    lcore += separator;
    lcore += std::to_string(cpu);
    separator = ',';
  }
  return lcore + ")";
}

std::vector<std::string> eal_arguments(const EalOptions& options, bool hugepages, const cpu_set_t& allowed) {
  // What isn't asked for here comes by and by, but only from hugepages.
  const uint64_t bytes = hugepages ? std::min(options.memory_bytes, options.first_bytes) : options.memory_bytes;
  const uint64_t megabytes = std::max<uint64_t>(bytes >> 20, 16);
  std::vector<std::string> arguments{options.name, "--no-telemetry", "--lcores=" + floating_lcore(allowed), "-m",
                                     std::to_string(megabytes)};
  if (hugepages) {
    arguments.push_back("--in-memory");
  } else {
    // --no-huge refuses --in-memory; no shared configuration is what is left of it.
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  if (options.pci) {
    // An allow list without a real device: nothing is taken over at start, each port probes its own.
    arguments.insert(arguments.end(), {"-a", "0000:00:00.0"});
  } else {
    arguments.insert(arguments.end(), {"--no-pci", "--iova-mode=va"});
  }
  return arguments;
}

}  // namespace

Error start_eal(const EalOptions& options, bool& hugepages_used) {
  using Hugepages = EalOptions::Hugepages;
  const uint64_t free_bytes = free_hugepage_bytes();
  hugepages_used = options.hugepages != Hugepages::off && free_bytes >= options.memory_bytes;
  if (options.hugepages == Hugepages::on && !hugepages_used) {
    return "hugepages: " + std::to_string(options.memory_bytes >> 20) + " MB wanted, " +
           std::to_string(free_bytes >> 20) + " MB free (see /proc/sys/vm/nr_hugepages)";
  }

  if (!options.verbose) rte_log_set_global_level(RTE_LOG_WARNING);
  rte_openlog_stream(dpdk_log(options.log));  // DPDK's default stream writes to syslog, too

  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return "sched_getaffinity failed";

  has_pci = options.pci;
  std::vector<std::string> arguments = eal_arguments(options, hugepages_used, allowed);
  if (!options.verbose) {
    arguments.push_back("--log-level=warning");
    // Its warnings at start are about hugepages of some size that has none; whether there are enough we have looked.
    arguments.push_back("--log-level=lib.eal:error");
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  const QuickTsc tsc;
  const int result = rte_eal_init(static_cast<int>(argv.size()), argv.data());
  if (!options.verbose) rte_log_set_level_pattern("lib.eal", RTE_LOG_WARNING);
  pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed);
  if (result >= 0 && tsc.is_right()) return {};
  if (result >= 0) {
    hugepages_used = false;
    return "DPDK has mismeasured how fast the processor counts: the machine was too busy; try again";
  }
  std::string error = std::string("DPDK's environment layer did not start: ") + rte_strerror(rte_errno);
  if (rte_errno == ENOMEM) error += " (memory: " + std::to_string(options.memory_bytes >> 20) + " MB)";
  return error;
}

bool eal_has_pci() { return has_pci; }

void eal_gets_device() { has_devices = true; }

void stop_eal() {
  if (has_devices) rte_eal_cleanup();
}

}  // namespace causeway
