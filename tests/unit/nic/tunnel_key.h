// The tunnels that tests of NIC rules match: from 172.31.0.2 or fd00:31::2 to the same with 1.
#pragma once

#include "dataplane/flow/tunnel_table.h"

namespace causeway::test {

inline TunnelKey key_of_tunnel(TunnelType kind, uint32_t id, bool ipv6) {
  TunnelKey key;
  key.kind = kind;
  key.id = id;
  if (kind == TunnelType::geneve) key.udp_port = 6081;
  if (kind == TunnelType::vxlan) key.udp_port = 4789;
  key.remote = IpAddress::v4(172, 31, 0, 2);
  key.local = IpAddress::v4(172, 31, 0, 1);
  if (ipv6) {
    key.remote.bytes = {0xfd, 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    key.local.bytes = {0xfd, 0, 0, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  }
  return key;
}

}  // namespace causeway::test
