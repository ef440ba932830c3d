// The other end of control/api/server.h: one connection, one request at a time, waiting for each answer.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "pmd/error.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class ApiClient {
 public:
  ApiClient() = default;
  // Over a connection that is there already, and is its own from now on.
  explicit ApiClient(int connected) : fd_(connected) {}
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // Fails where nobody to be trusted listens there (control/api/peer.h), for one.
  Error connect(const std::string& path);

  // The daemon's reply. Where none came, a reply of the same form: {"ok": false, "errors": [...]}.
  nlohmann::json ask(const nlohmann::json& request);

  // The same in two steps, for who waits for other things, too: the request, and the reply to it once it is whole.
  // Before that there may be more to read at fd(); with `wait` it is waited for.
  void send(const nlohmann::json& request);
  std::optional<nlohmann::json> receive(bool wait);
  int fd() const noexcept { return fd_; }

  // Behind the reply to `upgrade`: the one that says what became of it, once the new process answers there, too.
  nlohmann::json await_successor();

  // The connection, where it carries no more replies. `received`: what has come behind the last one.
  FileDescriptor release(std::string& received);

 private:
  std::string path_;
  std::string received_;  // behind the last answer
  size_t scanned_ = 0;    // bytes of it known to hold no newline
  int fd_ = -1;
};

}  // namespace causeway
