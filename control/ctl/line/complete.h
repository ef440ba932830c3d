// What may come next on a command line of causewayctl, for shells: `causewayctl complete WORD...`
// (conf/completion).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

// Which daemon the line is about, as far as it says so.
struct LineTarget {
  std::string name;    // of --name
  std::string socket;  // of --socket
};

// The names that a table of `show` has now; none where no daemon answers.
using NamesOf = std::function<std::vector<std::string>(const LineTarget& target, std::string_view subject)>;

// Words of the program's own that begin as the last of `words` does, in the order of its help. `words`: those of the
// line behind the program's name; the last is being written, and empty where nothing of it is there yet. What stands
// for a thing of the daemon's is known by the type of its option: PORT, TUNNEL, INTERFACE and so on. None: there is
// nothing to offer, but perhaps files.
std::vector<std::string> completions(const CLI::App& app, std::span<const std::string> words, const NamesOf& names_of);

}  // namespace causeway
