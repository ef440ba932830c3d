// What people ask of the configuration: plan, apply, set, confirm, go back, save. A change is read and planned in the
// background, and made on the control thread in one piece; one that another came before is read anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/peer.h"
#include "control/api/reply.h"
#include "control/change/configuration.h"
#include "control/change/confirmation.h"
#include "control/change/history.h"
#include "control/change/startup_file.h"
#include "control/check/reading.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/process/state_directory.h"
#include "control/view/rows.h"
#include "pmd/error.h"

namespace causeway {

class Changes {
 public:
  // `file`: what a start begins with; empty: none.
  Changes(EventLoop& loop, Configuration& configuration, std::string file);
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;
  // The history, and what to go back to, outlive the daemon in `state`, and `background` does what nobody asked for.
  // Both outlive this. Without, nothing is kept, and all is done at once.
  void keep_in(const StateDirectory& state, Background& background);

  // Makes the gateway what the text says; empty, or error lines, and then it is as before. `label` names the file in
  // them. At the start: it waits for all of it. `unconfirmed`: why it isn't the file's text.
  std::vector<std::string> start(const std::string& label, const std::string& text,
                                 const std::optional<Unconfirmed>& unconfirmed = std::nullopt);

  // Requests of the control socket (control/api/verbs.h).
  ApiReply show_config() const;
  ApiReply show();
  ApiReply plan(nlohmann::json request) const;
  ApiReply apply(nlohmann::json request, const Peer& peer);
  ApiReply set(nlohmann::json request, const Peer& peer);
  ApiReply reload(bool empty, const Peer& peer);
  ApiReply rollback(const nlohmann::json& request, const Peer& peer);
  ApiReply confirm(const Peer& peer);
  ApiReply save(const Peer& peer);

  // Or a change that will is about to be made.
  bool awaits_confirmation() const noexcept { return confirmation_.awaited() || keeping_; }
  const ChangeCounts& counts() const noexcept { return counts_; }

 private:
  struct Request {
    ChangeVerb verb = ChangeVerb::apply;
    std::string label{};
    std::shared_ptr<const std::string> text{};  // of a file, or what is set
    std::optional<uid_t> uid{};
    bool empty = false;                              // though it may leave nothing
    std::optional<uint64_t> generation{};            // that it is based on; none: whatever runs
    std::optional<std::chrono::seconds> patience{};  // until it is to be confirmed; none: it needn't be

    size_t bytes() const { return text != nullptr ? text->size() : 0; }
  };
  using Order = std::shared_ptr<const Request>;
  using Reading = std::shared_ptr<ConfigReading>;
  using Read = std::function<ConfigReading(std::shared_ptr<const config::Config> before)>;

  static Order order_of(ChangeVerb verb, std::string label, nlohmann::json& request, const Peer& peer);
  Read reader_of(const Order& order) const;
  Error refusal(const Request& request) const;
  bool is_put_off(const Request& request) const;
  ApiReply make(const Order& order);
  ApiReply keep_and_change(const Order& order, const Reading& reading);
  ApiReply change(const Order& order, const Reading& reading);
  void settle(const Request& request, const Version& before);
  ApiReply fail(const Order& order, const Reading& reading, std::vector<config::ApplyError> errors);
  ApiReply refuse(const Request& request, std::vector<std::string> errors);
  ApiReply tell(const Request& request, const Reading& reading);
  void record(const Request& request, std::vector<std::string> plan, size_t operations, bool done, std::string note);
  void tell_outcome(ChangeVerb verb, std::string_view state, const std::string& what) const;
  ChangeCounts::Outcomes* outcomes_of(ChangeVerb verb);
  std::function<void()> keeper() const;
  nlohmann::json state_json() const;
  void watch_deadline();
  void go_back();
  void do_later(ApiReply reply);
  bool keeps() const noexcept { return state_ != nullptr && state_->keeps(); }
  const std::string& name() const noexcept { return configuration_.running().system.name; }

  EventLoop& loop_;
  Configuration& configuration_;
  std::string file_;
  std::shared_ptr<StartupFile> startup_file_;  // the background thread's
  const StateDirectory* state_ = nullptr;
  Background* background_ = nullptr;
  History history_;
  uint64_t generation_ = 0;  // counts what has run
  Version previous_;         // before the last change; none: nothing has changed since the start
  Confirmation confirmation_;
  bool keeping_ = false;     // what to go back to is being written, for a change that comes then
  bool taken_back_ = false;  // the start had what ran before an unconfirmed change, and so has the next one
  EventLoop::TimerId deadline_ = 0;
  ChangeCounts counts_;
};

}  // namespace causeway
