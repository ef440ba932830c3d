#include "control/keep/predecessor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <utility>

namespace causeway {

Predecessor::Predecessor(int fd) : hand_over_(FileDescriptor(fd)) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  // systemd's watchdog is this process's from now on (sd_watchdog_enabled(3)).
  if (getenv("WATCHDOG_USEC") != nullptr) setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
}

Error Predecessor::read_config(Runs& runs) {
  const auto message = hand_over_.receive();
  if (!message || message->word != HandOver::kConfig || message->descriptors.size() != 1) {
    return "--take-over: nobody hands over";
  }
  std::istringstream words(message->text);
  words >> runs.name;
  runs.is_written = runs.hugepages = false;
  for (std::string word; words >> word;) {
    runs.hugepages |= word == HandOver::kHugepages;
    runs.is_written |= word == HandOver::kWritten;
  }
  return read_all(message->descriptors.front().get(), runs.text);
}

Error Predecessor::take(Ports::HandedOver& devices, std::string& learnt) {
  if (Error error = hand_over_.send(HandOver::kReady)) return error;
  while (auto message = hand_over_.receive()) {
    if (message->word == HandOver::kPort) {
      devices[message->text] = std::move(message->descriptors);
    } else if (message->word == HandOver::kLearnt && message->descriptors.size() == 1) {
      return read_all(message->descriptors.front().get(), learnt);
    }
  }
  return "the hand-over ended half-way";
}

}  // namespace causeway
