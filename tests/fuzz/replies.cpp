// What a daemon answers, or who claims to be one, to causewayctl: it reads, it renders, or it says that it can't; and
// a terminal gets no orders. The first byte says what was asked.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>

#include "control/api/client.h"
#include "control/api/subjects.h"
#include "control/ctl/render.h"
#include "control/process/printable.h"
#include "tests/fuzz/target.h"

namespace {

using nlohmann::json;

// As causewayctl does it.
std::string rendered(unsigned question, json reply) {
  causeway::make_printable(reply);
  try {
    if (!reply.value("ok", false)) {
      std::string lines;
      for (const json& line : reply.value("errors", json::array())) {
        lines += (line.is_string() ? line.get<std::string>() : line.dump()) + "\n";
      }
      return lines;
    }
    const json result = reply.value("result", json());
    constexpr size_t kSubjects = std::size(causeway::kShowSubjects);
    if (question < kSubjects) return causeway::render_show(causeway::kShowSubjects[question].name, reply);
    if (question == kSubjects) return causeway::render_stats(result, true);
    if (question == kSubjects + 1) return causeway::render_verdicts(result);
    return causeway::render_operations(result);
  } catch (const json::exception&) {
    return {};  // "unreadable answer"
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 64 * 1024) return 0;  // less than the socket's buffer
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
  if (write(ends[1], data + 1, size - 1) != static_cast<ssize_t>(size - 1)) std::abort();
  shutdown(ends[1], SHUT_WR);
  causeway::ApiClient client(ends[0]);
  const std::string text = rendered(data[0] % 12, client.ask({{"verb", "show"}}));
  close(ends[1]);
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) {
      std::fputs("violated: a terminal gets no orders\n", stderr);
      std::abort();
    }
  }
  return 0;
}
