#include "pmd/eal_start.h"

#include <dlfcn.h>
#include <rte_log.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway {
namespace {

thread_local bool is_starting = false;
thread_local bool puts_off = false;
std::vector<std::string> waiting;  // drivers, by path; the control thread's

// DPDK rounds what it measures to 10 MHz, and reads both clocks before and after: a hundredth of a second tells that.
constexpr long kMeasuringNs = 10'000'000;

// Pools are made by one, and the bus of devices without hardware is looked through at the start.
bool is_needed_at_once(std::string_view name) {
  return name.starts_with("librte_mempool_ring.") || name.starts_with("librte_bus_vdev.");
}

bool is_for_later(std::string_view path) {
  if (!puts_off || !path.starts_with('/')) return false;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("librte_") && !is_needed_at_once(name);
}

void* dlopen_of_libc(const char* path, int mode) {
  using Dlopen = void* (*)(const char*, int);
  static const auto next = reinterpret_cast<Dlopen>(dlsym(RTLD_NEXT, "dlopen"));
  return next(path, mode);
}

}  // namespace

EalStart::EalStart(bool drivers) {
  is_starting = true;
  puts_off = !drivers;
}

EalStart::~EalStart() {
  is_starting = false;
  puts_off = false;
}

void load_drivers() {
  for (const std::string& path : std::exchange(waiting, {})) {
    if (dlopen_of_libc(path.c_str(), RTLD_NOW) == nullptr) {
      rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "EAL: %s\n", dlerror());
    }
  }
}

bool drivers_are_loaded() { return waiting.empty(); }

}  // namespace causeway

// In the place of the C library's, for all of the program and its libraries (ld.so(8): symbols of the program go
// first).
extern "C" {

__attribute__((visibility("default"))) void* dlopen(const char* path, int mode) noexcept {
  if (path == nullptr || !causeway::is_for_later(path)) return causeway::dlopen_of_libc(path, mode);
  causeway::waiting.emplace_back(path);
  return causeway::dlopen_of_libc(nullptr, RTLD_NOW);  // null would say that it failed
}

__attribute__((visibility("default"))) int nanosleep(const timespec* wanted, timespec* left) {
  timespec time = *wanted;
  if (causeway::is_starting && (time.tv_sec > 0 || time.tv_nsec > causeway::kMeasuringNs)) {
    time = {0, causeway::kMeasuringNs};
  }
  const int error = clock_nanosleep(CLOCK_REALTIME, 0, &time, left);
  if (error == 0) return 0;
  errno = error;
  return -1;
}
}
