// What a handler of the control socket answers: at once, in slices, or later. Control thread, but for `later`.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "control/process/background.h"

namespace causeway {

nlohmann::json api_ok(nlohmann::json result);
nlohmann::json api_error(std::vector<std::string> errors);
// A reply as it goes over the socket.
std::string api_line(const nlohmann::json& reply);

// The rows of a list, some at a call, each call a little work; false: those were the last. The next call may come much
// later: what it reads from may have changed, and it has to bear that.
using RowStream = std::function<bool(const std::function<void(const nlohmann::json& row)>& add)>;

// One of the four.
struct ApiReply {
  using Act = std::function<ApiReply()>;
  using Work = std::function<Act()>;

  // NOLINTNEXTLINE(google-explicit-constructor): most handlers have the whole answer
  ApiReply(nlohmann::json reply) : whole(std::move(reply)) {}
  static ApiReply in_rows(RowStream rows);
  static ApiReply as_line(std::string line);
  // `work` runs in the background, what it returns on the control thread. `bytes`: how much it is about.
  static ApiReply later_by(Work work, size_t bytes);

  nlohmann::json whole;
  std::string line;  // `whole` as api_line() makes it
  RowStream rows;    // of a good result that is a list
  Work later;
  size_t bytes = 0;
};

// Has all that is `later` done, then calls `done` with what that came to; at once where nothing is.
void await_reply(Background& background, ApiReply reply, std::function<void(ApiReply)> done);

}  // namespace causeway
