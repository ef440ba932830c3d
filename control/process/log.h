// Logging of the control thread and start-up, to stderr. Workers never log. Nobody who logs waits for stderr's reader:
// control/process/log_writer.h.
// Elsewhere: spdlog::info("port {} is up", name).
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace causeway {

// Under systemd, where stderr is the journal: "<4>warning: text" (sd-daemon(3)), no time, the journal has its
// own. Elsewhere: "2025-01-31 12:00:00.123 warning: text".
void start_log();

inline constexpr const char* kLogLevels = "trace, debug, info, warning, error, critical or off";
// One of these; false for anything else.
bool set_log_level(const std::string& name);
std::string log_level();

// A line as it is, behind what was logged before, for people who wait for it: start-up's errors, with that priority
// where stderr is the journal. Before start_log() it is written at once.
void say_on_stderr(std::string line);

// For libraries that log by themselves: what is written there goes the same way.
std::FILE* log_stream();

// Before the process ends: waits for stderr's reader, but not for long.
void flush_log();

// Since the start: a reader too slow, or none at all.
uint64_t lost_log_lines();

}  // namespace causeway
