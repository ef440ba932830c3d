// The other end of control/api/server.h: one connection, one request at a time, waiting for each answer.
#pragma once

#include <nlohmann/json.hpp>
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

  // Fails where the socket is not root's or the caller's own, for one.
  Error connect(const std::string& path);

  // The daemon's reply. Where none came, a reply of the same form: {"ok": false, "errors": [...]}.
  nlohmann::json ask(const nlohmann::json& request);

  // The connection, where it carries no more replies. `received`: what has come behind the last one.
  FileDescriptor release(std::string& received);

 private:
  std::string path_;
  std::string received_;  // behind the last answer
  int fd_ = -1;
};

}  // namespace causeway
