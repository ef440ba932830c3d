#include "control/change/confirmation.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/api/reply.h"

namespace causeway {

using nlohmann::json;

std::string text_of(const Unconfirmed& unconfirmed) {
  return api_line({{"change", unconfirmed.change}, {"yaml", unconfirmed.yaml}});
}

std::optional<Unconfirmed> read_unconfirmed(std::string_view text) {
  try {
    const json kept = json::parse(text);
    return Unconfirmed{kept.at("change"), kept.at("yaml")};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void Confirmation::await(Version before, std::string change, Clock::time_point until) {
  if (!awaited()) before_ = std::move(before);
  change_ = std::move(change);
  until_ = until;
}

std::chrono::nanoseconds Confirmation::left(Clock::time_point now) const {
  return std::max<std::chrono::nanoseconds>(until_ - now, std::chrono::nanoseconds(0));
}

}  // namespace causeway
