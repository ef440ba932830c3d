// What takes most of rte_eal_init()'s time, done in less. It has no options for that, so two functions of the C library
// are our own in this program. While rte_eal_init() runs, dlopen(3) puts off DPDK's drivers, and nanosleep(2), over
// which the TSC is measured, is short. Otherwise they do what the C library's do.
#pragma once

namespace causeway {

// As long as it lives, in the thread that made it.
class EalStart {
 public:
  // `drivers`: all of DPDK's are loaded now.
  explicit EalStart(bool drivers);
  ~EalStart();
  EalStart(const EalStart&) = delete;
  EalStart& operator=(const EalStart&) = delete;
};

// Loads the drivers that were put off, if any: some 50 ms. Control thread.
void load_drivers();
bool drivers_are_loaded();

}  // namespace causeway
