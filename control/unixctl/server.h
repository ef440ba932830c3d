// The server's end of ovs-appctl: a UNIX stream socket that takes requests of JSON-RPC 1.0, one behind the other with
// nothing between, and answers them in order. The answer is text: Open vSwitch calls this unixctl.
//
//   -> {"id": 0, "method": "fdb/show", "params": ["br0"]}
//   <- {"id": 0, "result": "text\n", "error": null}
//   <- {"id": 0, "error": "no such bridge\n"}
//
// Who asks isn't looked at, so only root and the daemon's own user can connect (mode 0600).
//
// Runs on the control thread. A client that is slow, silent, gone or hostile costs bounded memory and never blocks: one
// request is answered at a time, and nothing more is read or made before its answer is taken.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "control/api/json_stream.h"
#include "control/api/listener.h"
#include "control/process/event_loop.h"
#include "control/unixctl/answer.h"
#include "pmd/error.h"

namespace causeway::unixctl {

class Server {
 public:
  // `arguments`: an array of anything.
  using Handler = std::function<Answer(const std::string& command, const nlohmann::json& arguments)>;

  struct Limits {
    size_t request_bytes = size_t{64} << 10;
    size_t clients = 16;             // one more pushes out the one that was silent longest
    std::chrono::seconds stall{60};  // half a request, or an answer that isn't taken
  };

  // `loop` outlives it.
  Server(EventLoop& loop, Handler handler) : Server(loop, std::move(handler), Limits{}) {}
  Server(EventLoop& loop, Handler handler, Limits limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens at `path`, in a directory that is there. What went wrong begins with the path.
  Error start(const std::string& path);

 private:
  using Clock = std::chrono::steady_clock;

  struct Client {
    explicit Client(size_t request_bytes) : requests(request_bytes) {}

    ovsdb::JsonStream requests;
    std::optional<std::string> request{};  // the next one
    std::string out{};                     // answered, not sent
    size_t sent = 0;                       // bytes of `out` sent
    TextStream more{};                     // the rest of the answer
    std::string end{};                     // what stands behind that
    bool input_ended = false;
    Clock::time_point last_progress = Clock::now();
  };

  void accept_clients();
  void read_client(int fd);
  void step(int fd);
  bool answer(Client& client, const std::string& request);
  static void add_bits(Client& client);
  static bool send_pending(int fd, Client& client);
  void drop_client(int fd);
  void drop_longest_silent();
  void drop_stalled();

  EventLoop& loop_;
  Handler handler_;
  Limits limits_;
  Listener listener_;
  EventLoop::TimerId stall_timer_ = 0;
  std::map<int, Client> clients_;
};

}  // namespace causeway::unixctl
