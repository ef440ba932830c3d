// The verbs that look at frames, as they are typed.
#pragma once

#include <CLI/CLI.hpp>

#include "control/ctl/capture.h"
#include "control/ctl/trace.h"

namespace causeway {

// A verb of `app` that reads what is said into `wanted`, which outlives it; what it does then is its callback's.
CLI::App& add_capture_verb(CLI::App& app, CaptureOptions& wanted);
CLI::App& add_trace_verb(CLI::App& app, TraceOptions& wanted);

}  // namespace causeway
