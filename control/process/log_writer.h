// The log's lines on their way to a descriptor whose reader may be slow, asleep or gone. A thread of its own writes;
// who logs never waits for it. Between the two is a bounded queue: where it is full its oldest lines are lost. What is
// lost, there or by a write that failed, is counted, and told by a line as soon as one can be written again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace causeway {

class LogWriter {
 public:
  // The whole line that says so; called on the writing thread.
  using TellLost = std::function<std::string(uint64_t lines)>;

  // The descriptor stays the caller's, and open.
  LogWriter(int fd, size_t most_bytes, TellLost tell_lost);
  // Waits for nobody: a thread that hangs in a write is left behind, lines not written are, too.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // With its newline. Any thread.
  void add(std::string line);
  // Waits until all that was added is written or lost; false: `patience` ended before.
  bool flush(std::chrono::milliseconds patience);
  uint64_t lost() const;

 private:
  struct Shared;  // with the thread, which may outlive us
  std::shared_ptr<Shared> shared_;
};

}  // namespace causeway
