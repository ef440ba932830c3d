#include "control/unixctl/commands.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway::unixctl {
namespace {

// By name, all groups together.
std::vector<Command> all_commands();

Answer list_commands(const Context&, const Arguments&) {
  std::string text = "The available commands are:\n";
  for (const Command& command : all_commands()) text += fmt::format("  {:<23} {}\n", command.name, command.usage);
  return Answer::of(std::move(text));
}

constexpr Command kOwn[] = {{"list-commands", "", 0, 0, list_commands}};

std::vector<Command> all_commands() {
  std::vector<Command> all(std::begin(kOwn), std::end(kOwn));
  for (const auto group :
       {datapath_commands(), fdb_commands(), process_commands(), underlay_commands(), worker_commands()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  std::ranges::sort(all, {}, &Command::name);
  return all;
}

}  // namespace

Answer answer(const Context& context, const std::string& command, const nlohmann::json& arguments) {
  static const std::vector<Command> kCommands = all_commands();
  const auto found = std::ranges::find(kCommands, command, &Command::name);
  if (found == kCommands.end()) {
    return Answer::failure(
        fmt::format(R"("{}" is not a valid command (use "list-commands" to see a list of valid commands))", command));
  }
  if (arguments.size() < found->least_arguments) {
    return Answer::failure(
        fmt::format(R"("{}" command requires at least {} arguments)", command, found->least_arguments));
  }
  if (arguments.size() > found->most_arguments) {
    return Answer::failure(fmt::format(R"("{}" command takes at most {} arguments)", command, found->most_arguments));
  }
  if (!std::ranges::all_of(arguments, [](const nlohmann::json& argument) { return argument.is_string(); })) {
    return Answer::failure(fmt::format(R"("{}" command has non-string argument)", command));
  }
  return found->answer(context, arguments.get<Arguments>());
}

}  // namespace causeway::unixctl
