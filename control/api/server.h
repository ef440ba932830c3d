// The control socket: a UNIX stream socket that takes one JSON object a line and answers each, in order,
// with one JSON object a line.
//
//   -> {"verb": "show", "what": "ports"}
//   <- {"ok": true, "result": [...]}
//   <- {"ok": false, "errors": ["gateway.yaml:14:11: error: ...", ...]}
//
// The verbs, as causewayctl asks:
//
//   show      what: one of show_subjects() (ctl/render.h)     -> a list of objects; of flows {cached: number,
//                                                                flows: a list of 1,000 at most}
//   stats     per_worker: bool                                -> {drops: {reason: count}}, per worker also
//                                                                workers: [{id, drops}, ...]
//   plan      file: a label, text: the file's contents        -> {operations: ["one line", ...], warnings: [...]}
//   apply     the same, and empty: bool, true: may leave      -> the same, all operations done
//             nothing of what runs
//   reload    empty                                           -> as apply
//   fdb       action: flush | add | del, bridge, mac, port,   -> anything
//             vlan: absent where not given
//   offloads  port: tests its offloads                        -> a list of {offload, state, reason}
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

#include "control/api/reply.h"
#include "control/api/request_buffer.h"
#include "control/api/socket_lock.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"

namespace causeway {

struct ApiRequest;

class ApiServer {
 public:
  using Handler = std::function<ApiReply(nlohmann::json request)>;

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
  // one's is not; nor does the end of one that somebody has replaced take the new one's away. Returns an empty string,
  // or one line that says why not.
  std::string start();
  const std::string& path() const noexcept { return path_; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    uint64_t id = 0;            // never used twice, as descriptors are
    RequestBuffer in{};         // received, not answered
    size_t scanned = 0;         // bytes of `in` known to hold no newline
    size_t thinking_bytes = 0;  // of the request that is in the background; 0: none is
    std::string out{};          // answered, not sent
    size_t sent = 0;            // bytes of `out` sent
    RowStream rows{};           // the rest of the answer
    bool first_row = false;
    bool in_turn = false;  // stands in turns_
    bool input_ended = false;
    bool answer_then_close = false;
    Clock::time_point last_progress = Clock::now();
  };

  std::string bind_socket();
  void accept_clients();
  void read_client(int fd);
  void take_turn(int fd, bool first = false);
  void take_turns();
  void step(int fd);
  void settle(int fd);
  bool answer_next_line(Client& client);
  void answer_large(Client& client, size_t bytes);
  void answer(Client& client, ApiRequest request);
  ApiReply reply_to(ApiRequest request);
  void think(Client& client, ApiReply reply);
  int put_reply(uint64_t id, ApiReply reply);
  bool add_rows(Client& client);
  void refuse_hoards(Client& client);
  bool send_pending(int fd, Client& client);
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
  int listen_fd_ = -1;
  uint64_t inode_ = 0;  // of the socket's file
  EventLoop::TimerId stall_timer_ = 0;
  std::map<int, Client> clients_;
  uint64_t last_id_ = 0;
  std::deque<int> turns_;  // clients there is something to do for
  EventLoop::TimerId turn_timer_ = 0;
};

}  // namespace causeway
