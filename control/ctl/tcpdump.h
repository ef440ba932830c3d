// Lines for people: what tcpdump(8) says of each frame, with the port in front and what else is known behind.
#pragma once

#include <sys/types.h>

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "control/ctl/pcapng_reader.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class Tcpdump {
 public:
  Tcpdump() = default;
  ~Tcpdump();
  Tcpdump(const Tcpdump&) = delete;
  Tcpdump& operator=(const Tcpdump&) = delete;

  Error start();
  // Where the file is to be written.
  int fd() const noexcept { return writes_.get(); }
  // Called for each frame before its bytes are written there.
  void expect(const PcapngReader::Frame& frame);
  // Once it has said all of what it got. Fails where there is no tcpdump.
  Error finish();

 private:
  void print_lines();
  void print_line(std::string_view line);

  FileDescriptor writes_;
  FileDescriptor reads_;
  pid_t child_ = -1;
  std::mutex mutex_;
  struct Label {
    std::string front;
    std::string behind;
  };
  std::deque<Label> labels_;  // of frames there is no line for yet
  std::thread printer_;
};

}  // namespace causeway
