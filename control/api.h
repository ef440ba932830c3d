// The control socket: a UNIX stream socket that takes one JSON object a line and answers each, in order,
// with one JSON object a line.
//
//   -> {"verb": "show", "what": "ports"}
//   <- {"ok": true, "result": [...]}
//   <- {"ok": false, "errors": ["gateway.yaml:14:11: error: ...", ...]}
//
// The verbs, as causewayctl asks:
//
//   show      what: one of show_subjects() (ctl_show.h)       -> a list of objects; of flows {cached: number, flows: a
//                                                                list of 1,000 at most}
//   stats     per_worker: bool                                -> {drops: {reason: count}}, per worker also
//                                                                workers: [{id, drops}, ...]
//   plan      file: a label, text: the file's contents        -> {operations: ["one line", ...], warnings: [...]}
//   apply     the same                                        -> the same, all operations done
//   reload                                                    -> as apply
//   fdb       action: flush | add | del, bridge, mac, port,   -> anything
//             vlan: absent where not given
//   offloads  port: tests its offloads                        -> a list of {offload, state, reason}
//
// Runs on the control thread. A client that is slow, silent, gone or hostile costs bounded memory and
// never blocks: while its reply does not drain, nothing more is read from it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/event_loop.h"
#include "control/socket_lock.h"

namespace causeway {

// What a handler returns.
nlohmann::json api_ok(nlohmann::json result);
nlohmann::json api_error(std::vector<std::string> errors);

class ApiServer {
 public:
  using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

  struct Limits {
    size_t request_bytes = 64UL << 20;  // an `apply` carries the whole file
    size_t unread_bytes = 128UL << 20;  // unanswered requests of all clients together
    size_t clients = 64;                // one more pushes out the one that was silent longest
    unsigned json_depth = 64;
    std::chrono::seconds stall{60};  // half a request, or a reply that does not drain
  };

  // `loop` outlives the server. The handler gets an object with a string "verb", nothing else about it checked:
  // it reads with at(), value() or find(). at() of a missing key is answered as an error; [] of one aborts.
  ApiServer(EventLoop& loop, std::string path, Handler handler);
  ApiServer(EventLoop& loop, std::string path, Handler handler, Limits limits);
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
    std::string in;      // received, not answered
    size_t scanned = 0;  // bytes of `in` known to hold no newline
    std::string out;     // answered, not sent
    size_t sent = 0;     // bytes of `out` sent
    bool input_ended = false;
    bool answer_then_close = false;
    Clock::time_point last_progress = Clock::now();
  };

  std::string bind_socket();
  void accept_clients();
  void read_client(int fd);
  void serve(int fd);
  bool answer_next_line(Client& client);
  nlohmann::json answer(std::string_view line);
  bool send_pending(int fd, Client& client);
  void drop_client(int fd);
  void drop_longest_silent();
  void drop_stalled();
  size_t unread_bytes() const;

  EventLoop& loop_;
  std::string path_;
  Handler handler_;
  Limits limits_;
  SocketLock lock_;
  int listen_fd_ = -1;
  uint64_t inode_ = 0;  // of the socket's file
  EventLoop::TimerId stall_timer_ = 0;
  std::map<int, Client> clients_;
};

}  // namespace causeway
