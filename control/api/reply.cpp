#include "control/api/reply.h"

#include <exception>

namespace causeway {

using nlohmann::json;

json api_ok(json result) { return {{"ok", true}, {"result", std::move(result)}}; }

json api_error(std::vector<std::string> errors) { return {{"ok", false}, {"errors", std::move(errors)}}; }

std::string json_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string api_line(const json& reply) { return json_text(reply) + "\n"; }

ApiReply ApiReply::in_rows(RowStream rows, const json& beside) {
  ApiReply reply{json()};
  reply.rows = std::move(rows);
  reply.frame = {R"({"ok":true,)", ",", "]}\n"};
  for (const auto& [name, value] : beside.items()) {
    reply.frame.before += json(name).dump() + ":" + json_text(value) + ",";
  }
  reply.frame.before += R"("result":[)";
  return reply;
}

ApiReply ApiReply::as_line(std::string line) {
  ApiReply reply{json()};
  reply.line = std::move(line);
  return reply;
}

ApiReply ApiReply::handing_over(std::string line, std::function<void(FileDescriptor)> owner) {
  ApiReply reply = as_line(std::move(line));
  reply.owner = std::move(owner);
  return reply;
}

ApiReply ApiReply::later_by(Work work, size_t bytes) {
  ApiReply reply{json()};
  reply.later = std::move(work);
  reply.bytes = bytes;
  return reply;
}

namespace {

ApiReply bad_request(const std::exception& error) { return {api_error({"bad request: " + std::string(error.what())})}; }

ApiReply::Act act_of(const ApiReply::Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return [reply = bad_request(error)] { return reply; };
  }
}

ApiReply reply_of(const ApiReply::Act& act) {
  try {
    return act();
  } catch (const std::exception& error) {
    return bad_request(error);
  }
}

}  // namespace

void await_reply(Background& background, ApiReply reply, std::function<void(ApiReply)> done) {
  if (!reply.later) return done(std::move(reply));
  const size_t bytes = reply.bytes;
  background.run(
      [&background, work = std::move(reply.later), done = std::move(done)] {
        return [&background, act = act_of(work), done] { await_reply(background, reply_of(act), done); };
      },
      bytes);
}

}  // namespace causeway
