// The process itself: version, exit, its log, what it has counted and keeps.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <utility>

#include "control/process/log.h"
#include "control/unixctl/commands.h"
#include "control/view/traffic.h"
#include "pmd/eal.h"

namespace causeway::unixctl {
namespace {

Answer show_version(const Context& context, const Arguments&) {
  return Answer::of("causewayd (Causeway) " + context.version);
}

// The answer is sent before the loop looks whether it is to stop. What --cleanup is for happens in any case: TAPs and
// flows are the process' own.
Answer stop_daemon(const Context& context, const Arguments&) {
  context.stop();
  return Answer::of("");
}

// Our drops, in the format of OVS' coverage counters.
Answer show_coverage(const Context& context, const Arguments&) {
  const auto totals = drop_totals(context.gateway);
  std::string lines;
  size_t never = 0;
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    if (totals.at(reason) == 0) {
      ++never;
      continue;
    }
    const DropRates::Rates rates = context.drop_rates.of(reason);
    lines += fmt::format("{:<24} {:5.1f}/sec {:9.3f}/sec {:13.4f}/sec   total: {}\n", kDropReasonText.at(reason).name,
                         rates.interval, rates.minute, rates.hour, totals.at(reason));
  }
  return Answer::of(fmt::format(
      "Event coverage, avg rate over last: {} seconds, last minute, last hour,  hash={:08x}:\n{}{} events never hit\n",
      DropRates::kInterval.count(), static_cast<uint32_t>(std::hash<std::string>()(lines)), lines, never));
}

// What grows with the configuration and the traffic.
Answer show_memory(const Context& context, const Arguments&) {
  const Gateway& gateway = context.gateway;
  uint64_t flows = 0;
  for (const auto& worker : gateway.workers()) flows += worker->counters().cache_entries.get();
  uint64_t macs = 0;
  for (const auto& [name, bridge] : gateway.bridges().all()) macs += gateway.fdb().bridge(bridge.index).macs;
  return Answer::of(fmt::format("bridges:{} buffers:{} flows:{} macs:{} neighbors:{} ports:{} tunnels:{}",
                                gateway.bridges().all().size(), buffers_in_use(gateway.pool()), flows, macs,
                                gateway.neighbors().all().size(), gateway.ports().all().size(),
                                gateway.tunnels().all().size()));
}

// OVS' levels as those of --log-level.
constexpr std::pair<std::string_view, const char*> kLevels[] = {
    {"off", "off"}, {"emer", "critical"}, {"err", "error"}, {"warn", "warning"}, {"info", "info"}, {"dbg", "debug"}};
constexpr std::string_view kDestinations[] = {"any", "console", "syslog", "file"};

std::vector<std::string> words_of(const Arguments& arguments) {
  std::vector<std::string> words(1);
  for (const std::string& argument : arguments) {
    for (const char byte : argument + " ") {
      if (std::string_view(" ,:\t").find(byte) == std::string_view::npos) {
        words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
      } else if (!words.back().empty()) {
        words.emplace_back();
      }
    }
  }
  words.pop_back();
  return words;
}

// There is one log, on stderr (OVS' "console"), and no modules.
Answer set_log(const Context&, const Arguments& arguments) {
  const std::vector<std::string> words = words_of(arguments);
  const char* level = nullptr;
  std::string_view destination;
  for (const std::string& word : words) {
    const auto* const found = std::ranges::find(kLevels, word, &std::pair<std::string_view, const char*>::first);
    if (found != std::end(kLevels)) {
      if (level != nullptr) return Answer::failure("cannot specify multiple levels");
      level = found->second;
    } else if (std::ranges::find(kDestinations, word) == std::end(kDestinations)) {
      return Answer::failure(fmt::format("no destination, level, or module \"{}\"", word));
    } else if (word != "any") {
      if (!destination.empty()) return Answer::failure("cannot specify multiple destinations");
      destination = word;
    }
  }
  // As for OVS where it has no file: nothing changes.
  if (destination == "syslog" || destination == "file") return Answer::of("");
  set_log_level(level != nullptr ? level : "debug");
  return Answer::of("");
}

constexpr Command kCommands[] = {
    {"coverage/show", "", 0, 0, show_coverage},
    {"exit", "[--cleanup]", 0, 1, stop_daemon},
    {"memory/show", "", 0, 0, show_memory},
    {"version", "", 0, 0, show_version},
    {"vlog/set", "{spec | PATTERN:destination:pattern}", 0, kAnyNumber, set_log},
};

}  // namespace

std::span<const Command> process_commands() { return kCommands; }

}  // namespace causeway::unixctl
