// The terminal: ncurses, and nothing that anybody else sees of it.
#pragma once

#include <optional>
#include <vector>

#include "control/ctl/top/lines.h"
#include "control/ctl/top/view.h"
#include "pmd/error.h"

namespace causeway::top {

class Terminal {
 public:
  Terminal() = default;
  // Leaves it as it was before.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Fails where stdin and stdout are no terminal, or one that can't place its cursor.
  Error open();
  Size size() const;
  // Sends what has changed since the last time; `lines` are made for size().
  void show(const std::vector<Line>& lines);
  // What was typed; nullopt: nothing more.
  std::optional<Pressed> pressed();

 private:
  void* screen_ = nullptr;  // ncurses' SCREEN
};

}  // namespace causeway::top
