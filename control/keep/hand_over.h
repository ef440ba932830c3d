// How one daemon hands over to the next: messages with descriptors, over a pair of UNIX sockets (unix(7),
// SOCK_SEQPACKET). The old one starts the new one with an end of the pair, and then
//
//   -> config   what runs there, a file in memory; behind the daemon's name "hugepages", if it has some, and "written",
//               if that is the text that somebody wrote
//   <- ready    all that takes long is done: memory, drivers
//   -> port     NAME and Port::descriptors(), for each that has some; from here on the old one forwards nothing
//   -> learnt   what it has learnt (control/keep/learnt.h), a file in memory
//   <- running  the new one forwards; the old one ends
//
// Where one of them goes before, or says nothing for long, the old one goes on as if nothing had been.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

struct HandOverMessage {
  std::string word;
  std::string text;
  std::vector<FileDescriptor> descriptors;
};

class HandOver {
 public:
  static constexpr std::string_view kConfig = "config";
  static constexpr std::string_view kHugepages = "hugepages";
  static constexpr std::string_view kWritten = "written";
  static constexpr std::string_view kReady = "ready";
  static constexpr std::string_view kPort = "port";
  static constexpr std::string_view kLearnt = "learnt";
  static constexpr std::string_view kRunning = "running";
  // Between two messages, but for the one before `ready`.
  static constexpr std::chrono::seconds kPatience{5};

  explicit HandOver(FileDescriptor end) : end_(std::move(end)) {}
  // Both ends; not valid: errno says why.
  static std::optional<HandOver> make_pair(FileDescriptor& other);

  // `descriptors`: 253 at most (SCM_MAX_FD).
  Error send(std::string_view word, std::string_view text = {}, std::span<const int> descriptors = {});
  // With `contents` in a file in memory.
  Error send_file(std::string_view word, std::string_view text, std::string_view contents);
  // Waits. Nothing: the other has gone, or said nothing in time.
  std::optional<HandOverMessage> receive(std::chrono::milliseconds patience = kPatience);
  int descriptor() const noexcept { return end_.get(); }

 private:
  FileDescriptor end_;
};

// All of a file in memory.
Error read_all(int fd, std::string& contents);

}  // namespace causeway
