// What DPDK and its drivers say goes to the log; while a device is opened it is kept instead, for the error.
#pragma once

#include <cstdio>
#include <string>

namespace causeway {

// For rte_openlog_stream(), to write what isn't kept to `log`. Never closed, as threads of DPDK's own may write at any
// time.
FILE* dpdk_log(FILE* log);

// One at a time, by the control thread. What nobody has taken goes to the log in the end.
class DriverWords {
 public:
  DriverWords();
  ~DriverWords();
  DriverWords(const DriverWords&) = delete;
  DriverWords& operator=(const DriverWords&) = delete;

  // The lines so far in one, shortened, without what DPDK adds about any device; empty: none. They are not shown again.
  std::string take();
};

}  // namespace causeway
