#include "control/ovsdb/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "control/api/reply.h"
#include "control/process/printable.h"

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

constexpr const char* kMonitorName = "causeway";
constexpr const char* kNoTransaction = "00000000-0000-0000-0000-000000000000";
constexpr size_t kParsedHereBytes = size_t{64} << 10;  // larger messages are parsed in the background
constexpr std::chrono::milliseconds kTurn{2};          // how long the loop's others wait for what is read
constexpr std::chrono::milliseconds kMostUntold{100};  // how long changes are gathered while more come

size_t rows_of(const Database& database) {
  size_t rows = 0;
  for (const auto& [name, table] : database) rows += table.size();
  return rows;
}

}  // namespace

Session::Session(EventLoop& loop, Background& background, Settings settings, Listener listener)
    : loop_(loop),
      background_(background),
      settings_(std::move(settings)),
      listener_(std::move(listener)),
      delay_(settings_.limits.first_delay) {
  state_.why_not = lost_why_;
}

Session::~Session() {
  loop_.cancel(connect_timer_);
  loop_.cancel(turn_timer_);
}

void Session::start() {
  if (connection_ || connect_timer_ != 0) return;
  connect_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { connect(); });
}

void Session::connect() {
  connect_timer_ = 0;
  connected_at_ = Clock::now();
  auto connection = std::make_shared<Connection>(loop_, settings_.limits.text_bytes, settings_.limits.unsent_bytes);
  if (Error error = connection->open(settings_.socket, [this] { read_some(); })) return lose(error.text());
  connection_ = std::move(connection);
  monitor_call_ = 0;
  schema_id_ = ask("get_schema", {settings_.database});
  locked_ = settings_.lock.empty();
  if (!locked_) lock_id_ = ask("lock", {settings_.lock});
  show_state();
}

// The connection, or the attempt at one, is over. `database_` stays.
void Session::lose(const std::string& why) {
  const auto& limits = settings_.limits;
  if (complete_ && Clock::now() - connected_at_ >= limits.last_delay) delay_ = limits.first_delay;
  connect_timer_ = loop_.after(delay_, [this] { connect(); });
  delay_ = std::min(2 * delay_, limits.last_delay);

  connection_.reset();
  parsing_ = complete_ = locked_ = false;
  untold_ = {};
  schema_id_ = lock_id_ = 0;
  awaited_ = {};
  lost_why_ = why;
  const auto unanswered = std::exchange(transactions_, {});
  show_state();
  for (const auto& [id, done] : unanswered) done(json::array(), "no answer: " + why);
}

// Sends a call of our own and returns its id. They are few and small: where they don't fit the server is as good as
// gone, and stays so until it takes something.
uint64_t Session::ask(const char* method, json params) {
  const uint64_t id = ++last_id_;
  const json call = {{"id", id}, {"method", method}, {"params", std::move(params)}};
  if (Error error = connection_->send(json_text(call))) spdlog::debug("OVSDB: {}: {}", method, error.text());
  return id;
}

void Session::ask_for_rows() {
  awaited_.call = kMonitorCalls[monitor_call_];
  json params = {settings_.database, kMonitorName, monitor_requests(*awaited_.columns, settings_.tables)};
  if (awaited_.call.since) params.push_back(kNoTransaction);
  awaited_.id = ask(awaited_.call.method, std::move(params));
}

void Session::read_some() {
  const auto ends = Clock::now() + kTurn;
  const auto connection = connection_;  // what is done with a text may end it
  do {
    const Connection::Got got = connection->read();
    if (got == Connection::Got::end) return lose(connection->why_ended());
    if (got == Connection::Got::nothing_yet) return tell();
    take_texts();
  } while (connection_ == connection && !parsing_ && Clock::now() < ends);
  if (connection_ != connection || parsing_ || untold_.none()) return;
  if (Clock::now() - untold_since_ >= kMostUntold) return tell();
  // That was a turn. Whether more is there only reading says.
  loop_.cancel(turn_timer_);
  turn_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] {
    if (connection_ && !parsing_) read_some();
  });
}

void Session::take_texts() {
  const auto connection = connection_;
  while (connection_ == connection && !parsing_) {
    std::optional<std::string> text = connection->next_text();
    if (!text) return;
    if (text->size() > kParsedHereBytes) {
      parse_in_background(std::move(*text));
    } else {
      handle(read_message(*text, awaited_));
    }
  }
}

void Session::parse_in_background(std::string text) {
  parsing_ = true;
  connection_->pause_reading(true);
  const size_t bytes = text.size();
  const auto shared = std::make_shared<const std::string>(std::move(text));
  const std::weak_ptr<Connection> of = connection_;
  background_.run(
      [this, shared, of, awaited = awaited_]() -> Background::Finish {
        const auto message = std::make_shared<Message>(read_message(*shared, awaited));
        return [this, message, of] {
          const auto connection = of.lock();
          if (!connection) return;  // lost, and perhaps the session with it
          parsing_ = false;
          connection->pause_reading(false);
          handle(std::move(*message));
          take_texts();
          if (connection_ == connection && !parsing_) tell();
        };
      },
      bytes);
}

void Session::handle(Message message) {
  Error error = message.error;
  EventLoop::Callback then;
  try {
    if (!error) error = message.fields.contains("method") ? handle_call(message.fields) : handle_answer(message, then);
  } catch (const std::exception& thrown) {
    error = thrown.what();
  }
  if (error) return lose("a message that can't be used: " + error.text());
  if (then) then();
}

// What the server calls (RFC 7047 sections 4.1.6 to 4.1.11). What we don't know is left alone.
Error Session::handle_call(const json& call) {
  const std::string& method = call.at("method").get_ref<const std::string&>();
  if (method == "update3") return handle_update(call, UpdateForm::update2, 2);
  if (method == "update2") return handle_update(call, UpdateForm::update2, 1);
  if (method == "update") return handle_update(call, UpdateForm::update, 1);
  if (method == "echo") {
    const json answer = {{"id", call.at("id")}, {"result", call.at("params")}, {"error", nullptr}};
    return connection_->send(json_text(answer));
  }
  if (method == "monitor_canceled") return "the server ended the watching";
  const bool taken = method == "locked";
  // Who has it stolen from him stays in the queue: "locked" comes when the thief lets it go.
  if ((taken || method == "stolen") && call.at("params").at(0) == settings_.lock) set_locked(taken);
  return {};
}

Error Session::handle_update(const json& call, UpdateForm form, size_t at) {
  const json& params = call.at("params");
  if (params.at(0) != kMonitorName) return {};
  if (!complete_) return "an update before the dump";
  const bool first = untold_.none();
  if (Error error = apply_updates(*awaited_.columns, form, params.at(at), database_, untold_.before)) return error;
  if (first) untold_since_ = Clock::now();
  // Without the lock nobody is told for as long as it takes, and what rows were would only grow.
  untold_.all = untold_.all || (!locked_ && !untold_.none());
  if (untold_.all) untold_.before.clear();
  return {};
}

// `then`: what is to be called once nothing is left to be read of the message.
Error Session::handle_answer(Message& message, EventLoop::Callback& then) {
  const json& answer = message.fields;
  const json& id = answer.at("id");
  const std::string error = error_text(answer);
  if (schema_id_ != 0 && id == schema_id_) return handle_schema(answer);
  if (lock_id_ != 0 && id == lock_id_) {
    if (!error.empty()) return "lock: " + error;
    set_locked(answer.at("result").at("locked").get<bool>());
    return {};
  }
  if (awaited_.id != 0 && id == awaited_.id) return handle_dump(message);
  const auto found = id.is_number_unsigned() ? transactions_.find(id.get<uint64_t>()) : transactions_.end();
  if (found == transactions_.end()) return {};
  auto read = std::make_shared<TransactResult>(read_transact_result(std::move(message.fields)));
  if (!read->error && !read->results.empty()) read->results.erase(read->results.begin());  // of our `assert`
  then = [done = std::move(found->second), read] { done(read->results, read->error); };
  transactions_.erase(found);
  return {};
}

Error Session::handle_schema(const json& answer) {
  if (const std::string error = error_text(answer); !error.empty()) return "get_schema: " + error;
  WatchedColumns columns;
  if (Error error = read_schema(answer.at("result"), settings_.tables, columns)) return error;
  for (const std::string& name : missing_columns(columns, settings_.tables)) {
    spdlog::debug("OVSDB: the schema has no {}", name);
  }
  schema_id_ = 0;
  awaited_.columns = std::make_shared<const WatchedColumns>(std::move(columns));
  ask_for_rows();
  show_state();
  return {};
}

Error Session::handle_dump(Message& message) {
  const std::string error = error_text(message.fields);
  if (error == "unknown method" && monitor_call_ + 1 < std::size(kMonitorCalls)) {
    ++monitor_call_;
    ask_for_rows();
    return {};
  }
  if (!error.empty()) return std::string(awaited_.call.method) + ": " + error;
  if (!message.dump) return "no dump";
  awaited_.id = 0;
  // Freeing many rows takes its time, too.
  auto old = std::make_shared<Database>(std::exchange(database_, std::move(*message.dump)));
  background_.run([old = std::move(old)] { return Background::Finish(); });
  complete_ = true;
  untold_ = {.all = true, .before = {}};
  untold_since_ = Clock::now();
  show_state();
  return {};
}

void Session::set_locked(bool locked) {
  lock_id_ = 0;
  locked_ = locked;
  // Who had the lock meanwhile may have done anything.
  if (locked) {
    if (untold_.none()) untold_since_ = Clock::now();
    untold_.all = true;
  }
  show_state();
}

void Session::tell() {
  if (untold_.none() || !complete_ || !locked_) return;
  listener_.changed(database_, std::exchange(untold_, {}));
}

Error Session::transact(json operations, Done done) {
  if (!state_.ready()) return state_.why_not;
  if (settings_.lock.empty()) return "without a lock nothing is changed";
  if (!operations.is_array()) return "no list of operations";
  if (transactions_.size() >= settings_.limits.unanswered) {
    return std::to_string(transactions_.size()) + " transactions wait for an answer";
  }
  json params = {settings_.database, {{"op", "assert"}, {"lock", settings_.lock}}};
  for (json& operation : operations) params.push_back(std::move(operation));
  const uint64_t id = ++last_id_;
  const json call = {{"id", id}, {"method", "transact"}, {"params", std::move(params)}};
  if (Error error = connection_->send(json_text(call))) return error;
  transactions_.emplace(id, std::move(done));
  return {};
}

std::string Session::why_not() const {
  if (!connection_) return lost_why_;
  if (!awaited_.columns) return "waiting for the server's schema";
  if (!complete_) return "waiting for the server's rows";
  if (lock_id_ != 0) return "waiting for the server's word about the lock " + settings_.lock;
  if (!locked_) return "another process has the lock " + settings_.lock;
  return {};
}

void Session::show_state() {
  State now{connection_ != nullptr, complete_, locked_, printable(why_not())};
  if (now == state_) return;
  state_ = std::move(now);
  log_state();
  if (listener_.state_changed) listener_.state_changed();
}

// A line where there is something to say that the last one didn't: attempts that fail alike are one line.
void Session::log_state() {
  std::string line = "OVSDB at " + settings_.socket + ": ";
  auto level = spdlog::level::warn;
  if (state_.ready()) {
    line += fmt::format("{} rows read", rows_of(database_));
    if (!settings_.lock.empty()) line += fmt::format(", lock {} taken", settings_.lock);
    level = spdlog::level::info;
  } else if (!state_.connected) {
    line += state_.why_not + (database_.empty() ? "" : "; what it last said stays");
  } else if (complete_ && lock_id_ == 0) {
    line += state_.why_not;
  } else {
    return;  // under way
  }
  if (line == logged_) return;
  logged_ = line;
  spdlog::log(level, "{}", line);
}

}  // namespace causeway::ovsdb
