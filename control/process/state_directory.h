// The folder of what outlives a daemon: causewayd's --state, else systemd's StateDirectory (systemd.exec(5)); none, and
// nothing is kept.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pmd/error.h"

namespace causeway {

class StateDirectory {
 public:
  // Makes the folder `path`, with its parents, where there is none (mode 0700). Empty: nothing is kept.
  Error open(std::string path);
  // What systemd has made for the unit; empty: it hasn't.
  static std::string of_unit();

  bool keeps() const noexcept { return !path_.empty(); }
  const std::string& path() const noexcept { return path_; }
  // Makes `name` hold `bytes`, or leaves it as it was: whoever reads it never sees half of them, not after a crash of
  // the machine either. It waits for the disk. Any thread; each name's writes one after the other.
  Error write(std::string_view name, std::string_view bytes) const;
  // nullopt: there is none, or it cannot be read, which the log says.
  std::optional<std::string> read(std::string_view name) const;
  void remove(std::string_view name) const;

 private:
  std::string file(std::string_view name) const;

  std::string path_;
};

}  // namespace causeway
