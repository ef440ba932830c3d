#include "control/ctl/line/usage.h"

#include <fmt/format.h>

#include <fmt/ranges.h>

#include <algorithm>

#include "control/yaml/value.h"

namespace causeway {

std::string joined(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words.begin(), words.end(), ", "));
}

std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> words) {
  config::Suggestion suggestion(wrong);
  for (const std::string_view word : words) suggestion.consider(word);
  return suggestion.text();
}

std::vector<std::string> words_for(const CLI::App& app, bool option) {
  std::vector<std::string> words;
  for (const CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!option) words.push_back(verb->get_name());
  }
  for (const CLI::App* place = &app; option && place != nullptr; place = place->get_parent()) {
    for (const CLI::Option* const known : place->get_options()) {
      for (const std::string& name : known->get_lnames()) {
        if (std::ranges::find(words, "--" + name) == words.end()) words.push_back("--" + name);
      }
    }
  }
  return words;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = &app;  // as far as it was understood
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty()) return error.what();
  const bool option = unknown.front().starts_with('-');
  const std::vector<std::string> words = words_for(*verb, option);
  const std::vector<std::string_view> views(words.begin(), words.end());
  const std::string command = verb == &app || option ? "" : " of " + verb->get_name();
  return fmt::format("unknown {}{} {}{}",
                     option          ? "option"
                     : words.empty() ? "argument"
                                     : "command",
                     command, config::quote(unknown.front()), did_you_mean(unknown.front(), views));
}

}  // namespace causeway
