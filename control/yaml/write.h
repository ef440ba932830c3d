// Config -> YAML: the file that load_config makes the same of, with what differs from the defaults alone. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

// What is to be said of a place in the file, above it and behind "# ": the whole file (""), a section ("tunnels"), or
// an entry of one ("tunnels.gnv0"). Whatever stands in a text, it stays a comment.
using Comments = std::map<std::string, std::vector<std::string>>;

// `config` is one that load_config has made, or could have. Its system.name is written where the file is to have it
// (`named`).
std::string write_config(const Config& config, const Comments& comments = {});

}  // namespace causeway::config
