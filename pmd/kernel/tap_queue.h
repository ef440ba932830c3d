// One descriptor of a TAP device, with virtio-net headers of kVnetTunnelBytes. Control thread only.
#pragma once

#include <string>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"
#include "pmd/open_error.h"

namespace causeway {

// Makes the TAP `name` (a "%d" in it becomes a number that is free), or adds a queue to it. `tunnels`: whether the
// kernel is to hand over and take UDP tunnels' super-packets; goes false where it can't.
FileDescriptor open_tap_queue(const std::string& name, bool multi_queue, bool& tunnels, OpenError& error);

// One of a TAP that another process has made so, and has open.
FileDescriptor take_over_tap_queue(int fd, bool& tunnels, OpenError& error);

// What the host's stack takes for its carrier (Linux 5.0); it begins with one.
Error set_carrier(int fd, bool up);

}  // namespace causeway
