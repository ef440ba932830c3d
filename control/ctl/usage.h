// What was wrong with a command line, in one line, and what may have been meant.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>

namespace causeway {

// "; did you mean 'show'?", or "".
std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> words);
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace causeway
