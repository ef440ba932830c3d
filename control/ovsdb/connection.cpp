#include "control/ovsdb/connection.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace causeway::ovsdb {
namespace {

constexpr size_t kReadBytes = size_t{64} << 10;

}  // namespace

Connection::Connection(EventLoop& loop, size_t most_text_bytes, size_t most_unsent_bytes)
    : loop_(loop), texts_(most_text_bytes), most_unsent_bytes_(most_unsent_bytes) {}

Connection::~Connection() {
  if (socket_.valid()) loop_.remove_fd(socket_.get());
}

Error Connection::open(const std::string& path, EventLoop::Callback on_readable) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return "the path is too long";
  std::ranges::copy(path, address.sun_path);
  FileDescriptor wanted(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // A UNIX socket connects at once or not at all: EAGAIN says that the server's queue is full (unix(7)).
  if (!wanted.valid() || connect(wanted.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::string("cannot connect: ") + std::strerror(errno);
  }
  socket_ = std::move(wanted);
  loop_.add_fd(socket_.get(), std::move(on_readable));
  return {};
}

Error Connection::send(std::string_view text) {
  if (text.size() > most_unsent_bytes_ - std::min(most_unsent_bytes_, unsent_.size())) {
    return "the server takes nothing: " + std::to_string(unsent_.size()) + " bytes wait for it";
  }
  if (!unsent_.append(text)) return "no memory for " + std::to_string(text.size()) + " bytes";
  send_unsent();
  return {};
}

void Connection::send_unsent() {
  while (!unsent_.empty() && !send_failed_) {
    const ssize_t count = ::send(socket_.get(), unsent_.view().data(), unsent_.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      unsent_.drop_front(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      loop_.watch_writable(socket_.get(), [this] { send_unsent(); });
      return;
    } else if (errno != EINTR) {
      send_failed_ = true;
      shutdown(socket_.get(), SHUT_RDWR);  // so that reading ends, too
    }
  }
  loop_.watch_writable(socket_.get(), {});
}

Connection::Got Connection::read() {
  std::array<char, kReadBytes> chunk;
  const ssize_t count = recv(socket_.get(), chunk.data(), chunk.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Got::nothing_yet;
  if (count < 0) {
    why_ended_ = std::string("cannot read: ") + std::strerror(errno);
  } else if (count == 0) {
    why_ended_ = "the server closed the connection";
  } else if (Error error = texts_.append({chunk.data(), static_cast<size_t>(count)})) {
    why_ended_ = "the server sent " + error.text();
  } else {
    return Got::something;
  }
  return Got::end;
}

}  // namespace causeway::ovsdb
