#include "control/import/host.h"

#include <memory>

namespace causeway {

ImportHost this_host() {
  return {addresses_of_host(),
          [netlink = std::make_shared<Rtnetlink>()](const IpAddress& to) { return netlink->route_to(to); }};
}

}  // namespace causeway
