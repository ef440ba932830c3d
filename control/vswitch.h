// Plays ovs-vswitchd: what the database says joins what the file says, each row by itself, and the database is told
// what became of it. So ovs-vsctl and whatever else speaks OVSDB drive the gateway. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "control/daemon.h"
#include "control/gateway/gateway.h"
#include "control/ovsdb/mapping/incremental.h"
#include "control/ovsdb/report.h"
#include "control/ovsdb/session.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/unixctl/service.h"
#include "pmd/kernel/rtnetlink.h"

namespace causeway::ovsdb {

class Vswitch {
 public:
  // `socket`: the database server's, with or without "unix:" in front. `version`: Causeway's, for ovs-appctl.
  // `first_rows`: called when what the database says runs for the first time. All that is referred to outlives it.
  Vswitch(EventLoop& loop, Background& background, Daemon& daemon, Gateway& gateway, const std::string& socket,
          const std::string& version, std::function<void()> first_rows);

  // The kernel's routes have changed: tunnels may need other underlays. Looked at once a second at most.
  void host_networks_changed();

 private:
  void look_at_routes();
  Host host() const;
  std::shared_ptr<config::Config> complete(const config::Config& file);
  void rows_changed(const Database& rows, const RowChanges& changes);
  // What becomes of changed rows alone; null: all rows are to be translated, or what became of them isn't in use.
  std::optional<std::vector<config::ApplyError>> change_ports(const Database& rows, const RowChanges& changes);
  std::vector<config::ApplyError> change_all(const Database& rows);
  void report(Report::Look look);
  void log_notes();

  EventLoop& loop_;
  Daemon& daemon_;
  Gateway& gateway_;
  Rtnetlink rtnetlink_;
  Session session_;
  std::function<void()> first_rows_;
  Report report_;
  unixctl::Service unixctl_;
  IncrementalTranslator translator_;
  bool known_ = false;   // the rows, once
  bool in_use_ = false;  // all that the translator made of the rows that were told
  bool will_look_at_routes_ = false;
  InterfaceErrors errors_;
  std::vector<Note> notes_;
  std::set<std::string> noted_;
};

}  // namespace causeway::ovsdb
