// The control socket: a UNIX stream socket that takes one JSON object a line and answers each, in order,
// with one JSON object a line.
//
//   -> {"verb": "show", "what": "ports"}
//   <- {"ok": true, "result": [...]}
//   <- {"ok": false, "errors": ["gateway.yaml:14:11: error: ...", ...]}
//
// The verbs are in control/api/verbs.h. Behind the line that answers `capture` or `events` the connection carries no
// more replies.
//
// Runs on the control thread. A client that is slow, silent, gone or hostile costs bounded memory and
// never blocks: while its reply does not drain, nothing more is read from it, and of a list no more rows are made.
// Nor do the others wait for it: large requests are parsed in the background, lists are answered in slices, and what
// there is to do for clients is done in turns of some milliseconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "control/api/listener.h"
#include "control/api/peer.h"
#include "control/api/reply.h"
#include "control/api/request_buffer.h"
#include "control/api/socket_lock.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

struct ApiRequest;

class ApiServer {
 public:
  using Handler = std::function<ApiReply(nlohmann::json request, const Peer& peer)>;

  struct Limits {
    size_t request_bytes = 64UL << 20;  // an `apply` carries the whole file
    size_t unread_bytes = 128UL << 20;  // of all clients together; as much of replies not taken
    size_t clients = 64;                // one more pushes out the one that was silent longest
    std::chrono::seconds stall{60};     // half a request, or a reply that does not drain
  };

  // `loop` and `background` outlive the server. The handler gets an object with a string "verb", else words and
  // numbers, nothing more about it checked: it reads with at(), value() or find(). at() of a missing key is answered as
  // an error; [] of one aborts.
  ApiServer(EventLoop& loop, Background& background, std::string path, Handler handler);
  ApiServer(EventLoop& loop, Background& background, std::string path, Handler handler, Limits limits);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Makes the directory and listens (mode 0660). A socket left by a dead daemon is replaced, a living
  // one's is not; nor does the end of one that somebody has replaced take the new one's away. What
  // went wrong is said in one line.
  Error start();
  const std::string& path() const noexcept { return path_; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    uint64_t id = 0;  // never used twice, as descriptors are
    Peer peer{};
    RequestBuffer in{};         // received, not answered
    size_t scanned = 0;         // bytes of `in` known to hold no newline
    size_t thinking_bytes = 0;  // of the request that is in the background; 0: none is
    std::string out{};          // answered, not sent
    size_t sent = 0;            // bytes of `out` sent
    RowStream rows{};           // the rest of the answer, in `frame`
    RowFrame frame{};
    bool first_row = false;
    bool in_turn = false;  // stands in turns_
    bool input_ended = false;
    bool answer_then_close = false;
    std::function<void(FileDescriptor)> owner{};  // of the connection, once all is sent
    Clock::time_point last_progress = Clock::now();
  };

  Error open_socket();
  void accept_clients();
  void read_client(int fd);
  void take_turn(int fd, bool first = false);
  void take_turns();
  void step(int fd);
  void settle(int fd);
  bool answer_next_line(Client& client);
  void answer_large(Client& client, size_t bytes);
  void answer(Client& client, ApiRequest request);
  ApiReply reply_to(ApiRequest request, const Peer& peer);
  void think(Client& client, ApiReply reply);
  int put_reply(uint64_t id, ApiReply reply);
  bool add_rows(Client& client);
  void refuse_hoards(Client& client);
  bool send_pending(int fd, Client& client);
  void hand_over(int fd);
  void drop_client(int fd);
  void drop_longest_silent();
  void drop_stalled();
  void drop_hoarders();
  size_t request_bytes() const;

  EventLoop& loop_;
  Background& background_;
  std::string path_;
  Handler handler_;
  Limits limits_;
  SocketLock lock_;
  Listener listener_;
  EventLoop::TimerId stall_timer_ = 0;
  std::map<int, Client> clients_;
  uint64_t last_id_ = 0;
  std::deque<int> turns_;  // clients there is something to do for
  EventLoop::TimerId turn_timer_ = 0;
};

}  // namespace causeway
