#include "control/ctl/line/complete.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/api/socket_path.h"
#include "control/ctl/line/usage.h"
#include "control/ctl/show.h"
#include "dataplane/drop_reason.h"

namespace causeway {
namespace {

using Words = std::vector<std::string>;

// As far as the line is written.
struct Place {
  const CLI::App* verb = nullptr;
  const CLI::Option* option = nullptr;  // whose value comes next, or may come
  Words arguments{};                    // of the verb, but for options
  LineTarget target{};
};

bool is_option(std::string_view word) { return word.starts_with('-'); }

bool needs_value(const CLI::Option* option) { return option != nullptr && option->get_items_expected_min() > 0; }

// Of `app` or of what it stands in; null: nobody has it.
const CLI::Option* option_called(const CLI::App* app, const std::string& word) {
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* const option : app->get_options()) {
      if (option->check_name(word)) return option;
    }
  }
  return nullptr;
}

const CLI::App* verb_called(const CLI::App& app, const std::string& word) {
  const auto found = app.get_subcommands([&](const CLI::App* verb) { return verb->check_name(word); });
  return found.empty() ? nullptr : found.front();
}

Place place_behind(const CLI::App& app, std::span<const std::string> words) {
  Place place{.verb = &app};
  for (const std::string& word : words) {
    const CLI::Option* const option = std::exchange(place.option, nullptr);
    if (needs_value(option) || (option != nullptr && !is_option(word))) {
      if (option == app.get_option_no_throw("--name")) place.target.name = word;
      if (option == app.get_option_no_throw("--socket")) place.target.socket = word;
    } else if (is_option(word)) {
      const CLI::Option* const said = option_called(place.verb, word);
      if (said != nullptr && said->get_items_expected_max() > 0) place.option = said;
    } else if (const CLI::App* const verb = verb_called(*place.verb, word)) {
      place.verb = verb;
      place.arguments.clear();
    } else {
      place.arguments.push_back(word);
    }
  }
  return place;
}

// The argument of the verb that comes next; null: none does.
const CLI::Option* next_argument(const Place& place) {
  const auto arguments = place.verb->get_options([](const CLI::Option* option) { return option->get_positional(); });
  return place.arguments.size() < arguments.size() ? arguments[place.arguments.size()] : nullptr;
}

Words reasons() {
  Words words;
  for (const DropReasonText& reason : kDropReasonText) words.emplace_back(reason.name);
  return words;
}

Words daemons() {
  Words words;
  for (const FoundSocket& found : find_sockets()) words.push_back(found.name);
  return words;
}

// What may stand for `option`.
Words values_of(const CLI::Option* option, const Place& place, const NamesOf& names_of) {
  if (option == nullptr) return {};
  const std::string type = option->get_type_name();
  const auto named = [&](std::string_view subject) { return names_of(place.target, subject); };
  if (type == "PORT") return named("ports");
  if (type == "TUNNEL") return named("tunnels");
  if (type == "BRIDGE") return named("bridges");
  if (type == "INTERFACE") {
    Words words = named("ports");
    std::ranges::move(named("tunnels"), std::back_inserter(words));
    return words;
  }
  if (type == "SUBJECT") {
    const auto subjects = show_subjects();
    return {subjects.begin(), subjects.end()};
  }
  if (type == "NAME") return named(place.arguments.back());  // of what the subject before it lists
  if (type == "[REASON]") return reasons();
  if (type == "DAEMON") return daemons();
  return {};
}

}  // namespace

std::vector<std::string> completions(const CLI::App& app, std::span<const std::string> words, const NamesOf& names_of) {
  if (words.empty()) return {};
  const std::string& begun = words.back();
  const Place place = place_behind(app, words.first(words.size() - 1));
  Words found;
  if (is_option(begun) && !needs_value(place.option)) {
    found = words_for(*place.verb, true);
  } else {
    found = values_of(place.option, place, names_of);
    if (!needs_value(place.option)) {
      std::ranges::move(words_for(*place.verb, false), std::back_inserter(found));
      std::ranges::move(values_of(next_argument(place), place, names_of), std::back_inserter(found));
    }
  }
  std::erase_if(found, [&](const std::string& word) { return !word.starts_with(begun); });
  return found;
}

}  // namespace causeway
