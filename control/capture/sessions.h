// Who looks at frames: begins captures, keeps what they mean up to date, and ends them. Control thread.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>

#include "control/api/reply.h"
#include "control/capture/request.h"
#include "control/capture/session.h"
#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"

namespace causeway {

class CaptureSessions {
 public:
  // Both outlive it.
  CaptureSessions(EventLoop& loop, Gateway& gateway) : loop_(loop), gateway_(gateway) {}
  ~CaptureSessions();
  CaptureSessions(const CaptureSessions&) = delete;
  CaptureSessions& operator=(const CaptureSessions&) = delete;

  // The request `capture` of the control socket (control/api/verbs.h). It begins once the reply is sent.
  ApiReply begin(const nlohmann::json& fields);

 private:
  struct Running {
    CaptureRequest request;
    std::shared_ptr<Capture> capture;
    std::shared_ptr<CaptureSession> session;
    bool published = true;
  };

  ApiReply hand_over(const CaptureRequest& request, std::shared_ptr<Capture> capture);
  void start(const CaptureRequest& request, std::shared_ptr<Capture> capture, FileDescriptor client);
  void look_at(const std::shared_ptr<CaptureSession>& session);
  void publish();
  void follow_changes();

  EventLoop& loop_;
  Gateway& gateway_;
  std::list<Running> running_;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace causeway
