// Rows of the database -> configuration, beside what the file says: the mapping of Open vSwitch's words to ours. Pure
// but for what Host is asked. Whatever the rows say, it ends without an exception: an Interface has an error or a place
// in the configuration, and one bad row never stops the others.
//
// What is taken by the file stays the file's; of two rows that want the same, the first in the order of bridges' and
// ports' names has it. Missing devices are no errors here: the gateway finds them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/conflicts.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/mapping/underlays.h"
#include "control/ovsdb/rows.h"
#include "control/ovsdb/schema.h"

namespace causeway::ovsdb {

struct Translation {
  config::Config config;                      // the file's and the database's together
  std::map<std::string, std::string> errors;  // by UUID of the Interface, which is not in `config` then; OVS' own words
  std::vector<Note> notes;                    // what has no equal and is ignored, while the rest works
  config::TunnelEnds ends;                    // of the tunnels in `config`
  bool conflict = false;                      // two tunnels of the database want the same ends: the first has them
  std::map<std::string, size_t> underlays;    // interfaces of the host's: how many tunnels of the database need each
};

// `yaml` is complete and consistent, as config::load_config gives it. Only Interfaces that a Bridge reaches count, as
// in OVS.
Translation translate(const Database& rows, const config::Config& yaml, const Host& host,
                      NoteDetail detail = NoteDetail::subjects);

// What of the schema of ovs-vswitchd is watched: what is translated, what Notes look at, and what Report goes on from.
std::vector<WatchedTable> vswitch_tables();

}  // namespace causeway::ovsdb
