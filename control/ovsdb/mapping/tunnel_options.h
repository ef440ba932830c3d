// A tunnel's options, in the words of Open vSwitch (ovs-vswitchd.conf.db(5), "Tunnel Options"; netdev-vport.c's
// set_tunnel_config), as settings of ours. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/config/config.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// Of an Interface's type: geneve, vxlan, gre, ip6gre, erspan, ip6erspan; none: it is no tunnel that there is here.
std::optional<TunnelType> tunnel_type_of(std::string_view type);

struct TunnelReading {
  config::Tunnel tunnel;  // `local` is unspecified where the options name none
  std::string error;      // as Interface.error has it: lines with the interface's name in front; "": none
};

// `name` and `type` are the Interface's, `type` one that tunnel_type_of knows. What OVS logs and ignores becomes a
// note.
TunnelReading read_tunnel_options(const Row& interface, const std::string& name, const std::string& type, Notes& notes);

}  // namespace causeway::ovsdb
