#include "control/capture/session.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace causeway {
namespace {

constexpr size_t kSendBytes = size_t{64} << 10;
constexpr size_t kFramesAtOnce = 1024;
constexpr int kIdleMs = 1;  // the rings hold some milliseconds of what a worker carries
constexpr int kNiceness = 5;

}  // namespace

CaptureSession::CaptureSession(std::shared_ptr<Capture> capture, FileDescriptor client, uint64_t most_frames,
                               CaptureNames names)
    : capture_(std::move(capture)),
      client_(std::move(client)),
      most_frames_(most_frames),
      event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      names_(std::move(names)) {
  thread_ = std::thread([this] { run(); });
}

CaptureSession::~CaptureSession() {
  stopped_.store(true, std::memory_order_release);
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void CaptureSession::take_event() noexcept {
  eventfd_t ignored = 0;
  eventfd_read(event_.get(), &ignored);
}

void CaptureSession::signal() noexcept { eventfd_write(event_.get(), 1); }

void CaptureSession::workers_let_go() noexcept { let_go_.store(true, std::memory_order_release); }

void CaptureSession::rename(CaptureNames names) {
  const std::lock_guard lock(names_mutex_);
  names_ = std::move(names);
}

void CaptureSession::run() {
  pthread_setname_np(pthread_self(), "capture");
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  begun_ = clock_.now();
  pcapng::add_section(file_, "causewayd");
  std::vector<PortIndex> known;
  {
    const std::lock_guard lock(names_mutex_);
    for (const auto& [port, name] : names_.ports) known.push_back(port);
  }
  for (const PortIndex port : known) interface_of(port);
  if (write_frames()) {
    add_statistics();
    send_file();
  }
  client_ = FileDescriptor();  // the file's end
  wants_to_end_.store(true, std::memory_order_release);
  has_ended_.store(true, std::memory_order_release);
  signal();
}

// Until the end; false where nobody reads any more.
bool CaptureSession::write_frames() {
  while (true) {
    clock_.follow();
    // Asked before the rings are looked at: nothing comes into them behind it.
    const bool last = let_go_.load(std::memory_order_acquire);
    const size_t taken = take_frames();
    if (!send_file()) return false;
    if (taken == 0 && last) return true;
    if (most_frames_ != 0 && delivered_ == most_frames_) ask_for_end();
    if (!listen_to_client(taken == 0 ? kIdleMs : 0)) return false;
  }
}

// What the rings have, the oldest first, as much as goes into one piece of the file.
size_t CaptureSession::take_frames() {
  size_t taken = 0;
  while (file_.size() < kSendBytes && taken < kFramesAtOnce) {
    const CapturedFrame* oldest = nullptr;
    size_t from = 0;
    for (size_t i = 0; i < capture_->writers.size(); ++i) {
      const CapturedFrame* const frame = capture_->writers[i]->ring.front();
      if (frame == nullptr || (oldest != nullptr && oldest->cycles <= frame->cycles)) continue;
      oldest = frame;
      from = i;
    }
    if (oldest == nullptr) break;
    add_frame(from, *oldest);
    capture_->writers[from]->ring.pop();
    ++taken;
  }
  return taken;
}

void CaptureSession::add_frame(size_t writer, const CapturedFrame& frame) {
  const uint32_t interface = interface_of(frame.place.port);
  PortState& port = ports_[frame.place.port];
  ++port.taken;
  if (most_frames_ != 0 && delivered_ == most_frames_) return;
  ++port.delivered;
  ++delivered_;
  pcapng::add_packet(file_, {.interface = interface,
                             .time = clock_.time_at(frame.cycles),
                             .frame_bytes = frame.frame_bytes,
                             .kept = {frame.bytes(), frame.kept_bytes},
                             .outgoing = frame.place.outgoing,
                             .comment = comment_on(writer, frame)});
}

uint32_t CaptureSession::interface_of(PortIndex port) {
  const auto [found, added] = ports_.try_emplace(port);
  if (added) {
    found->second.interface = static_cast<uint32_t>(ports_.size() - 1);
    const std::lock_guard lock(names_mutex_);
    const auto name = names_.ports.find(port);
    pcapng::add_interface(file_, name != names_.ports.end() ? name->second : fmt::format("port {}", port),
                          capture_->choice.snap_bytes);
  }
  return found->second.interface;
}

std::string CaptureSession::comment_on(size_t writer, const CapturedFrame& frame) const {
  const bool by_worker = writer + 1 < capture_->writers.size();
  std::string comment = by_worker ? fmt::format("worker={}", writer) : "worker=control";
  if (frame.place.reason != DropReason::none) {
    comment += fmt::format(" drop={}", kDropReasonText.at(static_cast<size_t>(frame.place.reason)).name);
  }
  if (frame.place.tunnel == kNoAdjacency) return comment;
  const std::lock_guard lock(names_mutex_);
  const auto end = names_.tunnels.find(frame.place.tunnel);
  if (end == names_.tunnels.end()) return comment;  // a bridge port's
  comment += fmt::format(" tunnel={} vtep={}", end->second.tunnel, end->second.vtep);
  if (frame.place.headers != TunnelHeaders::as_sent) {
    comment += frame.place.headers == TunnelHeaders::inner ? " headers=inner" : " headers=outer";
  }
  return comment;
}

void CaptureSession::add_statistics() {
  const uint64_t now = clock_.now();
  for (const auto& [port, state] : ports_) {
    uint64_t offered = 0;
    uint64_t lost = 0;
    for (const auto& writer : capture_->writers) {
      offered += writer->offered[port].get();
      lost += writer->lost[port].get();
    }
    const std::string comment =
        lost == 0 ? "" : fmt::format("{} frames lost: they came faster than they were read", lost);
    pcapng::add_statistics(file_, {.interface = state.interface,
                                   .time = now,
                                   .begun = begun_,
                                   .received = offered,
                                   .accepted = state.taken + lost,
                                   .dropped = lost,
                                   .delivered = state.delivered,
                                   .comment = comment});
  }
}

void CaptureSession::ask_for_end() {
  if (wants_to_end_.exchange(true, std::memory_order_acq_rel)) return;
  signal();
}

// False where the client has gone, or the daemon stops.
bool CaptureSession::send_file() {
  size_t sent = 0;
  while (sent < file_.size()) {
    const ssize_t count = send(client_.get(), file_.data() + sent, file_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      std::array<pollfd, 2> fds{{{client_.get(), POLLOUT, 0}, {wake_.get(), POLLIN, 0}}};
      poll(fds.data(), fds.size(), -1);
      if (stopped_.load(std::memory_order_acquire)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  file_.clear();
  return true;
}

// For a moment. The client may say that it has enough; false where it has gone, or the daemon stops.
bool CaptureSession::listen_to_client(int patience_ms) {
  const bool asked = wants_to_end_.load(std::memory_order_relaxed);
  std::array<pollfd, 2> fds{{{wake_.get(), POLLIN, 0}, {client_.get(), static_cast<short>(asked ? 0 : POLLIN), 0}}};
  poll(fds.data(), fds.size(), patience_ms);
  if (stopped_.load(std::memory_order_acquire) || (fds[1].revents & (POLLHUP | POLLERR)) != 0) return false;
  if ((fds[1].revents & POLLIN) == 0) return true;
  std::array<char, 64> more;
  const ssize_t count = recv(client_.get(), more.data(), more.size(), MSG_DONTWAIT);
  if (count == 0) ask_for_end();
  return count >= 0 || errno == EAGAIN || errno == EINTR;
}

}  // namespace causeway
