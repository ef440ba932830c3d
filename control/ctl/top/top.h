// `causewayctl top`: the running state, alive in a terminal.
#pragma once

#include <string>

#include "pmd/error.h"

namespace causeway::top {

struct Options {
  double interval_s = 1;  // from one look to the next
};

// Until somebody has enough, or SIGINT, SIGTERM, SIGHUP or SIGQUIT ends it. Fails where there is no terminal.
Error run(const std::string& socket, const Options& options);

}  // namespace causeway::top
