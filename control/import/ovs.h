// What a database of Open vSwitch asks for, as a file that does the same without it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "control/config/config.h"
#include "control/import/host.h"
#include "control/ovsdb/rows.h"
#include "control/yaml/write.h"
#include "pmd/error.h"

namespace causeway {

struct OvsImport {
  config::Config config;
  config::Comments comments;  // what it hasn't of the database, beside what that is about
  size_t left_out = 0;        // Interfaces
};

// Pure but for what `host` is asked.
OvsImport import_ovs(const ovsdb::Database& rows, const ImportHost& host);

// The file; what isn't good in it yet is said in it, too.
std::string yaml_of(OvsImport imported);

// One dump of the database that a server has at a UNIX socket. It is only read, without its lock: ovs-vswitchd may go
// on meanwhile. Fails where the server isn't there, or doesn't answer within `patience`.
Error read_ovs_database(const std::string& socket, std::chrono::milliseconds patience, ovsdb::Database& rows);

}  // namespace causeway
