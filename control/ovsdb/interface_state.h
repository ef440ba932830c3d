// What the columns of a running Interface say, cheap to find out and to compare: most of thousands are as they were.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/gateway/gateway.h"
#include "dataplane/wire/address.h"

namespace causeway::ovsdb {

using Columns = std::map<std::string, nlohmann::json>;

// A set's and a map's form in a transaction (RFC 7047 section 5.1).
nlohmann::json wire_set(nlohmann::json atoms);
nlohmann::json wire_map(const nlohmann::json& object);

struct InterfaceState {
  struct Statistics {  // frames and bytes
    uint64_t rx_packets = 0;
    uint64_t rx_bytes = 0;
    uint64_t rx_dropped = 0;
    uint64_t rx_errors = 0;
    uint64_t tx_packets = 0;
    uint64_t tx_bytes = 0;
    uint64_t tx_dropped = 0;
    uint64_t tx_errors = 0;
    auto operator<=>(const Statistics&) const = default;
  };

  std::string error;  // why it doesn't work; then nothing else is said
  int64_t ofport = -1;
  bool tunnel = false;
  bool link_up = true;
  MacAddress mac{};
  uint16_t mtu = 0;
  unsigned index = 0;   // the kernel's, of the interface
  std::string driver;   // of a port: what kind it is; of a tunnel: the interface that it leaves by, or ""
  bool carrier = true;  // of that interface
  std::optional<Statistics> statistics{};

  auto operator<=>(const InterfaceState&) const = default;
  Columns columns() const;
};

// Of an interface of that name. `before`: what was told of it, which has what is dear to find out, and keeps its
// statistics where no new ones are wanted; null: nothing was.
InterfaceState interface_state(const Gateway& gateway, const std::string& name, const InterfaceState* before,
                               bool statistics);

}  // namespace causeway::ovsdb
