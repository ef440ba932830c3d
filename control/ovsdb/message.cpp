#include "control/ovsdb/message.h"

#include <exception>
#include <stdexcept>
#include <utility>

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

// Words of the error, where `value` is one.
std::string error_words(const json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return value.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string words = error_text(value);
  const auto details = value.find("details");
  if (details != value.end() && details->is_string()) words += ": " + details->get<std::string>();
  return words;
}

}  // namespace

std::string error_text(const json& answer) {
  const auto error = answer.find("error");
  return error == answer.end() ? std::string() : error_words(*error);
}

Message read_message(const std::string& text, const AwaitedDump& awaited) try {
  Message message;
  message.fields = json::parse(text, nullptr, false);
  if (!message.fields.is_object()) {
    message.error = "malformed JSON";
    return message;
  }
  const auto id = message.fields.find("id");
  if (awaited.id == 0 || id == message.fields.end() || *id != awaited.id || message.fields.contains("method")) {
    return message;
  }
  if (!error_text(message.fields).empty()) return message;
  const json& result = message.fields.at("result");
  message.error = read_dump(*awaited.columns, awaited.call.form, awaited.call.since ? result.at(2) : result,
                            message.dump.emplace());
  message.fields.erase("result");
  return message;
} catch (const std::exception& error) {
  Message message;
  message.error = error.what();
  return message;
}

TransactResult read_transact_result(json answer) {
  TransactResult read;
  if (std::string why = error_text(answer); !why.empty()) {
    read.error = why;
    return read;
  }
  json& results = answer.at("result");
  if (!results.is_array()) throw std::runtime_error("the answer to a transaction is no list");
  for (const json& result : results) {
    if (!result.is_object() || !result.contains("error")) continue;  // null: not tried, an error is elsewhere
    const std::string why = error_words(result);
    read.error = why.empty() ? "an error without words" : why;
    return read;
  }
  read.results = std::move(results);
  return read;
}

}  // namespace causeway::ovsdb
