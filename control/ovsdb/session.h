// A client's session with a server of databases, ovsdb-server, over its UNIX socket (RFC 7047; ovsdb-server(7) for what
// is newer): it reads the schema, takes a lock, watches the tables it is told, and keeps a replica of them.
//
//   -> get_schema, lock                         at once; without a lock it reads alone, whoever has it
//   -> monitor_cond_since                       columns that the schema has; older servers: monitor_cond, monitor
//   <- update3, update2 or update               applied to the replica
//
// Runs on the control thread, which never waits for the server: what it doesn't take is kept, up to a bound, and what
// is large is parsed in the background. A connection that is lost, or on which something comes that can't be read, is
// opened anew, after 0.1 s at first and 8 s at last; the replica stays meanwhile, and state() says that it is old.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/ovsdb/connection.h"
#include "control/ovsdb/message.h"
#include "control/ovsdb/rows.h"
#include "control/ovsdb/schema.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "pmd/error.h"

namespace causeway::ovsdb {

class Session {
 public:
  struct Limits {
    size_t text_bytes = kMostTextBytes;          // of one message of the server's
    size_t unsent_bytes = size_t{64} << 20;      // of all that it doesn't take: 20 times the status of 10,000 ports
    size_t unanswered = 1000;                    // transactions
    std::chrono::milliseconds first_delay{100};  // before connecting anew; doubles up to
    std::chrono::milliseconds last_delay{8000};  // this; a connection that lasted as long makes it the first again
  };
  struct Settings {
    std::string socket = "/run/openvswitch/db.sock";
    std::string database = "Open_vSwitch";
    std::string lock = "ovs_vswitchd";  // the name that ovs-vswitchd's has; empty: none is taken, nothing is changed
    std::vector<WatchedTable> tables;
    Limits limits;
  };
  // Called by the loop, never from inside a call of Session's. They may call transact(), and not end the Session.
  struct Listener {
    // The whole replica, once the dump is complete and the lock held, then after each batch of changes, and each time
    // dump or lock come anew; and what has changed since the last time. A database without rows is told like others.
    std::function<void(const Database&, const RowChanges&)> changed;
    std::function<void()> state_changed;  // state() says something else; may be empty
  };
  // `results`: one an operation, as in RFC 7047 section 5.2; none where there is an error, and then nothing was done.
  // But where the connection was lost before the answer nobody knows: the next dump says.
  using Done = std::function<void(const nlohmann::json& results, const Error& error)>;

  struct State {
    bool connected = false;
    bool complete = false;  // the replica is what the server has
    bool locked = false;    // the lock is ours, or none is wanted
    std::string why_not;    // one line for people; empty: all three are true
    bool operator==(const State&) const = default;
    bool ready() const noexcept { return connected && complete && locked; }
  };

  // `loop` and `background` outlive it. No Done is called any more when it goes.
  Session(EventLoop& loop, Background& background, Settings settings, Listener listener);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Connects as soon as the loop runs, and from then on whenever it isn't.
  void start();

  const State& state() const noexcept { return state_; }
  // The last one known, also while state() isn't complete. Empty before the first dump.
  const Database& database() const noexcept { return database_; }
  size_t unanswered() const noexcept { return transactions_.size(); }
  size_t unsent_bytes() const noexcept { return connection_ ? connection_->unsent_bytes() : 0; }

  // Sends operations, an array (RFC 7047 section 5.2), to be done if the lock is still ours then, all or none. Refuses
  // them, and never calls `done`, where the session isn't ready or too much waits. They are written as
  // text here and now: many belong into several calls.
  Error transact(nlohmann::json operations, Done done);

 private:
  using Clock = std::chrono::steady_clock;

  void connect();
  void lose(const std::string& why);
  uint64_t ask(const char* method, nlohmann::json params);
  void ask_for_rows();
  void read_some();
  void take_texts();
  void parse_in_background(std::string text);
  void handle(Message message);
  Error handle_call(const nlohmann::json& call);
  Error handle_update(const nlohmann::json& call, UpdateForm form, size_t at);
  Error handle_answer(Message& message, EventLoop::Callback& then);
  Error handle_schema(const nlohmann::json& answer);
  Error handle_dump(Message& message);
  void set_locked(bool locked);
  void tell();
  void show_state();
  std::string why_not() const;
  void log_state();

  EventLoop& loop_;
  Background& background_;
  Settings settings_;
  Listener listener_;

  EventLoop::TimerId connect_timer_ = 0;
  EventLoop::TimerId turn_timer_ = 0;  // to read on, where changes are untold
  std::chrono::milliseconds delay_;
  std::string lost_why_ = "not started";
  State state_;
  std::string logged_;  // the last line

  Database database_;
  RowChanges untold_;  // of database_
  Clock::time_point untold_since_;

  // All below is of the connection there is.
  std::shared_ptr<Connection> connection_;  // nobody else owns it for longer than a call
  Clock::time_point connected_at_;
  bool parsing_ = false;  // in the background; nothing is read meanwhile
  bool complete_ = false;
  bool locked_ = false;
  uint64_t last_id_ = 0;
  uint64_t schema_id_ = 0;
  uint64_t lock_id_ = 0;
  size_t monitor_call_ = 0;  // of kMonitorCalls
  AwaitedDump awaited_;
  std::map<uint64_t, Done> transactions_;  // by the call's id
};

}  // namespace causeway::ovsdb
