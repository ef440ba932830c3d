// The process whose place this one takes (control/keep/hand_over.h). It forwards until take() and goes on with that if
// this process ends before say_running(). Control thread.
#pragma once

#include <string>
#include <tuple>

#include "control/keep/hand_over.h"
#include "control/port/ports.h"
#include "pmd/error.h"

namespace causeway {

class Predecessor {
 public:
  // `fd`: this process's end, open since its start.
  explicit Predecessor(int fd);

  struct Runs {
    std::string text;        // its configuration
    std::string name;        // its own, whether or not the text says it
    bool is_written = true;  // the text, by somebody
    bool hugepages = false;
  };
  Error read_config(Runs& runs);
  // From here on it forwards nothing: its devices by port, and what it has learnt (control/keep/learnt.h).
  Error take(Ports::HandedOver& devices, std::string& learnt);
  // It may end; or has ended by itself.
  void say_running() { std::ignore = hand_over_.send(HandOver::kRunning); }
  // Readable once it has.
  int descriptor() const noexcept { return hand_over_.descriptor(); }

 private:
  HandOver hand_over_;
};

}  // namespace causeway
