#include "control/ctl/top/poller.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/ctl/top/numbers.h"
#include "control/process/printable.h"

namespace causeway::top {

using nlohmann::json;

void Poller::give_up(const std::string& why) {
  why_ = printable(why);
  client_.reset();
  asking_ = false;
  replies_.clear();
}

void Poller::begin(Clock::time_point now) {
  begun_ = now;
  due_ = now + interval_;
  if (!client_) {
    client_.emplace();
    if (const Error error = client_->connect(socket_)) return give_up(error.text());
  }
  asking_ = true;
  client_->send(Model::questions().front());
}

bool Poller::step(Clock::time_point now, Model& model) {
  if (!asking_ && now < due_) return false;
  if (!asking_) begin(now);
  while (asking_) {
    auto reply = client_->receive(false);
    if (!reply) return false;
    make_printable(*reply);
    if (!reply->value("ok", false)) {
      const json errors = reply->value("errors", json::array());
      give_up(errors.empty() || !errors[0].is_string() ? "refused without a reason" : errors[0].get<std::string>());
      return true;
    }
    replies_.push_back(std::move(*reply));
    if (replies_.size() < Model::questions().size()) {
      client_->send(Model::questions()[replies_.size()]);
      continue;
    }
    asking_ = false;
    try {
      model.take(replies_);
    } catch (const json::exception&) {
      give_up("unreadable answer of the daemon: is it of another version?");
      return true;
    }
    replies_.clear();
    why_.clear();
    ever_ = true;
    whole_ = now;
    // One that takes longer than the interval is followed by as long a rest.
    due_ = std::max(due_, now + std::min(interval_, now - begun_));
  }
  return true;
}

std::string Poller::trouble(Clock::time_point now) const {
  constexpr std::chrono::seconds kPatience{3};
  const auto seconds = [now](Clock::time_point since) {
    return short_duration(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now - since).count()));
  };
  const std::string age = ever_ ? fmt::format("{} old: ", seconds(whole_)) : "";
  if (!why_.empty()) return age + why_;
  if (asking_ && now - begun_ >= kPatience) return fmt::format("{}no answer for {}", age, seconds(begun_));
  return {};
}

}  // namespace causeway::top
