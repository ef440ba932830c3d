// Echo requests to our own addresses (RFC 792, RFC 4443 section 4).
#pragma once

#include <rte_mbuf.h>

#include "dataplane/wire/address.h"

namespace causeway {

// Makes an echo request to `own_mac` its own reply; false: it is none, and the frame is as it was. The dataplane has
// checked the IP header.
bool make_echo_reply(rte_mbuf* frame, const MacAddress& own_mac);

}  // namespace causeway
