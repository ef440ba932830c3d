// What a handler of the control socket answers: at once, in slices, or later. Control thread, but for `later`.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "control/process/background.h"
#include "pmd/file_descriptor.h"

namespace causeway {

nlohmann::json api_ok(nlohmann::json result);
nlohmann::json api_error(std::vector<std::string> errors);
// JSON in one line; bytes that are no UTF-8 are replaced.
std::string json_text(const nlohmann::json& value);
// A reply as it goes over the socket.
std::string api_line(const nlohmann::json& reply);

// The rows of a list, some at a call, each call a little work; false: those were the last. The next call may come much
// later: what it reads from may have changed, and it has to bear that.
using RowStream = std::function<bool(const std::function<void(const nlohmann::json& row)>& add)>;

// What stands around the rows of a RowStream on the socket. Rows that are the result of one reply have
// `{"ok":true,"result":[` before them, `,` between them, and `]}` with the end of the line after them. Rows that are
// replies of their own, each in its line, have nothing before them and the end of a line between and after them. Either
// way a row is made once the client has taken those before it, and there may be any number of them. What a stream
// can't do yet is wait: as long as it isn't over it is asked again and again.
struct RowFrame {
  std::string before;
  std::string between;
  std::string after;
};

// One of the five.
struct ApiReply {
  using Act = std::function<ApiReply()>;
  using Work = std::function<Act()>;

  // NOLINTNEXTLINE(google-explicit-constructor): most handlers have the whole answer
  ApiReply(nlohmann::json reply) : whole(std::move(reply)) {}
  // `beside`: what the reply has besides its result, which is the list of the rows; it goes before the rows.
  static ApiReply in_rows(RowStream rows, const nlohmann::json& beside = nlohmann::json::object());
  static ApiReply as_line(std::string line);
  // What comes behind the line is no reply: the connection is `owner`'s once the line is sent. Where that never
  // happens, because the client has gone, `owner` is not called.
  static ApiReply handing_over(std::string line, std::function<void(FileDescriptor)> owner);
  // `work` runs in the background, what it returns on the control thread. `bytes`: how much it is about.
  static ApiReply later_by(Work work, size_t bytes);

  nlohmann::json whole;
  std::string line;  // `whole` as api_line() makes it
  RowStream rows;    // with `frame` around them
  RowFrame frame;
  std::function<void(FileDescriptor)> owner;  // behind `line`
  Work later;
  size_t bytes = 0;
};

// Has all that is `later` done, then calls `done` with what that came to; at once where nothing is.
void await_reply(Background& background, ApiReply reply, std::function<void(ApiReply)> done);

}  // namespace causeway
