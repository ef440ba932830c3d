// What rows of a database have for themselves: a Port its Bridge, an Interface its Port, a Bridge and an Interface
// their names. Where nothing is claimed twice, the order of rows says nothing about what becomes of them. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

class Claims {
 public:
  // Of all bridges of `rows` and what they reach. False: something is another's already, and from then on these are no
  // good.
  [[nodiscard]] bool add(const Database& rows);
  // Of the same rows.
  void remove(const Database& rows);

  const std::string* bridge_of(const std::string& port) const;     // UUIDs; null: none
  const std::string* port_of(const std::string& interface) const;  // UUIDs; null: none
  const std::string* interface_named(const std::string& name) const;

 private:
  using Owners = std::unordered_map<std::string, std::string>;

  Owners bridge_of_;        // by Port
  Owners port_of_;          // by Interface
  Owners bridge_names_;     // UUID by name
  Owners interface_names_;  // UUID by name
};

}  // namespace causeway::ovsdb
