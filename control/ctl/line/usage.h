// What is said of a command line that nobody understands.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

// "a, b"
std::string joined(std::span<const std::string_view> words);
// "; did you mean 'show'?", or "" where none of them resembles it.
std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> words);
// The commands of `app`; or with `option` the long options that may be said there, those of what it stands in as well.
std::vector<std::string> words_for(const CLI::App& app, bool option);
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace causeway
