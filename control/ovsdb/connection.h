// A stream socket to a server that speaks JSON-RPC 1.0 (RFC 7047 section 4): whole texts go out and come in. Control
// thread; nothing here waits: what the server doesn't take is kept, up to a bound, and sent when it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/api/json_stream.h"
#include "control/api/request_buffer.h"
#include "control/process/event_loop.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway::ovsdb {

class Connection {
 public:
  // `loop` outlives it. `most_text_bytes`: of what comes in; `most_unsent_bytes`: of all that waits to go out.
  Connection(EventLoop& loop, size_t most_text_bytes, size_t most_unsent_bytes);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects to the UNIX socket `path`, or says why not. `on_readable` is called whenever read() has something to do.
  Error open(const std::string& path, EventLoop::Callback on_readable);

  // Sends a text, now or later. Refuses it whole where too much waits already; that the server is gone read() tells.
  Error send(std::string_view text);
  size_t unsent_bytes() const noexcept { return unsent_.size(); }

  enum class Got : uint8_t { something, nothing_yet, end };
  // Reads 64 KiB at most. Behind `end` why_ended() has words, and nothing more comes.
  Got read();
  const std::string& why_ended() const noexcept { return why_ended_; }
  // What next() of JsonStream says.
  std::optional<std::string> next_text() { return texts_.next(); }
  // The server waits meanwhile.
  void pause_reading(bool pause) { loop_.watch_readable(socket_.get(), !pause); }

 private:
  void send_unsent();

  EventLoop& loop_;
  FileDescriptor socket_;
  JsonStream texts_;
  RequestBuffer unsent_;
  size_t most_unsent_bytes_;
  bool send_failed_ = false;
  std::string why_ended_;
};

}  // namespace causeway::ovsdb
