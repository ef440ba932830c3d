#include "control/capture/sessions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "control/capture/filter_program.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr size_t kMostSessions = 4;
// For each worker and capture.
constexpr size_t kRingBytes = size_t{4} << 20;
constexpr std::chrono::seconds kFollow{1};

}  // namespace

CaptureSessions::~CaptureSessions() {
  loop_.cancel(timer_);
  for (const Running& running : running_) loop_.remove_fd(running.session->event_fd());
  if (running_.empty()) return;
  running_.clear();
  publish();
}

ApiReply CaptureSessions::begin(const json& fields) {
  CaptureRequest request;
  if (const Error error = read_capture_request(fields, request)) return {api_error({error.text()})};
  if (const Error error = missing_of(request, gateway_)) return {api_error({error.text()})};
  std::string program = fields.value("text", "");
  const size_t bytes = program.size();
  const size_t writers = gateway_.workers().size() + 1;  // and this thread
  // The rings are megabytes to be zeroed, and a long program takes its time to be checked.
  return ApiReply::later_by(
      [this, request, program = std::move(program), writers]() -> ApiReply::Act {
        FrameFilter filter;
        if (const Error error = read_filter_program(program, filter)) {
          return [reply = api_error({error.text()})] { return ApiReply(reply); };
        }
        auto capture = std::make_shared<Capture>(request.choice, std::move(filter), writers, kRingBytes);
        return [this, request, capture] { return hand_over(request, capture); };
      },
      bytes);
}

ApiReply CaptureSessions::hand_over(const CaptureRequest& request, std::shared_ptr<Capture> capture) {
  if (running_.size() >= kMostSessions) {
    return {api_error({fmt::format("{} captures are running, and there are no more at a time", kMostSessions)})};
  }
  return ApiReply::handing_over(api_line(api_ok({{"ports", gateway_.ports().all().size()}})),
                                [this, request, capture = std::move(capture)](FileDescriptor client) mutable {
                                  start(request, std::move(capture), std::move(client));
                                });
}

void CaptureSessions::start(const CaptureRequest& request, std::shared_ptr<Capture> capture, FileDescriptor client) {
  mark(request, gateway_, *capture);
  Running& running = running_.emplace_back(Running{request, std::move(capture), nullptr});
  publish();  // before the client gets its first bytes: by then frames are looked at
  const auto session = running.session =
      std::make_shared<CaptureSession>(running.capture, std::move(client), request.most_frames, names_of(gateway_));
  loop_.add_fd(session->event_fd(), [this, session] { look_at(session); });
  if (timer_ == 0) timer_ = loop_.every(kFollow, [this] { follow_changes(); });
  spdlog::info("capture: begun, {} of {} at most", running_.size(), kMostSessions);
}

void CaptureSessions::look_at(const std::shared_ptr<CaptureSession>& session) {
  session->take_event();
  const auto running = std::ranges::find(running_, session, &Running::session);
  if (running == running_.end()) return;
  if (session->wants_to_end() && std::exchange(running->published, false)) {
    publish();
    gateway_.publisher().after_grace([weak = std::weak_ptr(session)] {
      if (const auto ending = weak.lock()) ending->workers_let_go();
    });
  }
  if (!session->has_ended()) return;
  loop_.remove_fd(session->event_fd());
  running_.erase(running);
  spdlog::info("capture: ended");
  if (running_.empty()) loop_.cancel(std::exchange(timer_, 0));
}

void CaptureSessions::publish() {
  std::vector<std::shared_ptr<Capture>> all;
  for (const Running& running : running_) {
    if (running.published) all.push_back(running.capture);
  }
  gateway_.looks().set_captures(std::move(all));
}

void CaptureSessions::follow_changes() {
  const CaptureNames names = names_of(gateway_);
  for (const Running& running : running_) {
    mark(running.request, gateway_, *running.capture);
    running.session->rename(names);
  }
}

}  // namespace causeway
