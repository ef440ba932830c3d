// A driver that opens a device may wait for somebody, for good, or end the process: it talks to sockets, files and
// interfaces of others. So a virtual device is opened by another process first, our own program started anew, which
// closes it again; only what went well there, and in time, is opened here. Devices on a bus are asked of DPDK at once:
// their drivers talk to hardware, and a device or its IOMMU group is one process's at a time.
//
// Control thread only; nothing here waits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pmd/file_descriptor.h"

namespace causeway {

class DeviceTrials {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::duration kDeadline = std::chrono::seconds(5);
  static constexpr size_t kAtOnce = 8;  // the others wait for their turn

  // `program` understands kTryDevice.
  explicit DeviceTrials(std::string program, Clock::duration deadline = kDeadline)
      : program_(std::move(program)), deadline_(deadline) {}
  ~DeviceTrials();
  DeviceTrials(const DeviceTrials&) = delete;
  DeviceTrials& operator=(const DeviceTrials&) = delete;

  // Whether it is to be tried at all.
  static bool needed(std::string_view devargs);

  void start(const std::string& devargs);  // unless it is under way, or done
  // Looks at all. True: some are not done.
  bool look(Clock::time_point now);
  // Done: empty if it went well, or else why not, and forgotten with that. Nothing: not done, or never started.
  std::optional<std::string> take(const std::string& devargs);
  bool is_done(const std::string& devargs) const;
  void forget_done();

 private:
  struct Trial {
    pid_t process = 0;  // 0: not begun, or ended
    FileDescriptor output{};
    std::string said;
    Clock::time_point ends{};
    std::optional<std::string> verdict{};
  };
  void begin(const std::string& devargs, Trial& trial, Clock::time_point now);
  void look_at(Trial& trial, Clock::time_point now);
  static void read_output(Trial& trial);

  std::string program_;
  Clock::duration deadline_;
  std::map<std::string, Trial> trials_;  // by devargs
  std::vector<pid_t> killed_;            // not waited for: one in the midst of a system call may take its time to go
};

// In place of main(), with these two arguments: `causewayd --try-device DEVARGS`.
inline constexpr const char* kTryDevice = "--try-device";
int try_device(const std::string& devargs);

}  // namespace causeway
