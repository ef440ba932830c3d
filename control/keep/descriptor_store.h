// The hosts' ends of host paths outlive this process: their TAPs are in systemd's descriptor store (sd_notify(3),
// FDSTORE=1; FileDescriptorStoreMax= in systemd.service(5)), so that their carrier stays over a restart or crash. Where
// no such store is they end with the process. Control thread.
#pragma once

#include <compare>
#include <map>
#include <string>

#include "control/port/ports.h"

namespace causeway {

class DescriptorStore {
 public:
  // What the process before has left there, by the ports' names (sd_listen_fds_with_names(3)). Once, before anything is
  // opened by number.
  Ports::HandedOver take();

  // Puts in what is open and isn't there, and takes out what is no more. After each change of ports, or now and then.
  void follow(const Ports& ports);

 private:
  struct Stored {
    int fd = -1;
    unsigned interface = 0;
    auto operator<=>(const Stored&) const = default;
  };
  std::map<std::string, Stored> stored_;
};

}  // namespace causeway
