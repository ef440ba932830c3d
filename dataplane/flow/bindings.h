// Who may speak from a bridge port: MAC addresses, each with the IP addresses it may use. Part of the port's adjacency.
#pragma once

#include <vector>

#include "dataplane/wire/address.h"

namespace causeway {

struct Binding {
  MacAddress mac;
  std::vector<IpPrefix> addresses;  // none: any
  auto operator<=>(const Binding&) const = default;
};
using Bindings = std::vector<Binding>;

}  // namespace causeway
