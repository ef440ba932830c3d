// Addresses that we give to an interface of the host's: rtnetlink(7). They bear a mark (IFA_PROTO, Linux 5.18), so that
// whoever comes after us knows which to take off again. Control thread only.
#pragma once

#include <vector>

#include "dataplane/wire/address.h"
#include "pmd/error.h"

namespace causeway {

// In the calling thread's network namespace: of those with the mark exactly these are there; others stay as they are.
// IPv6 ones are used at once, without duplicate address detection.
Error set_host_addresses(int interface, const std::vector<IpPrefix>& wanted);

}  // namespace causeway
