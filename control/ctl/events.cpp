#include "control/ctl/events.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "control/process/printable.h"
#include "pmd/file_descriptor.h"

namespace causeway {
namespace {

using nlohmann::json;

// Of a line of control/api/followers.h.
std::string for_people(json change) {
  make_printable(change);
  if (change.contains("lost"))
    return change.at("lost").dump() + " events are lost: they came faster than they were read";
  return fmt::format("{} {}", change.value("time", "-"), change.value("text", "-"));
}

// False where nobody reads any more.
bool print_line(const std::string& line, bool json_output) {
  const json change = json::parse(line, nullptr, false);
  if (!change.is_object()) return true;
  const std::string text =
      json_output ? change.dump(-1, ' ', true, json::error_handler_t::replace) : for_people(change);
  return std::fprintf(stdout, "%s\n", text.c_str()) >= 0 && std::fflush(stdout) == 0;
}

}  // namespace

Error print_events(ApiClient& client, const EventsOptions& options) {
  std::string received;
  const FileDescriptor connection = client.release(received);
  uint64_t printed = 0;
  while (true) {
    for (size_t end = 0; (end = received.find('\n')) != std::string::npos; received.erase(0, end + 1)) {
      if (!print_line(received.substr(0, end), options.json_output)) return {};
      if (++printed == options.count) return {};
    }
    std::array<char, 65536> piece;
    const ssize_t count = recv(connection.get(), piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return "causewayd closed the connection";
    received.append(piece.data(), static_cast<size_t>(count));
  }
}

}  // namespace causeway
