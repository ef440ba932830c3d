#include "control/ctl/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "control/ctl/pcapng_reader.h"
#include "control/ctl/tcpdump.h"
#include "pmd/file_descriptor.h"

namespace causeway {
namespace {

constexpr int kSnapBytes = 262144;

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
  return all;
}

// A program as `tcpdump -ddd` prints it.
Error compile(const std::string& filter, std::string& program_text) {
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> ethernet(pcap_open_dead(DLT_EN10MB, kSnapBytes), pcap_close);
  bpf_program program{};
  if (pcap_compile(ethernet.get(), &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return fmt::format("-f: {}", pcap_geterr(ethernet.get()));
  }
  program_text = fmt::format("{}\n", program.bf_len);
  for (u_int i = 0; i < program.bf_len; ++i) {
    const bpf_insn& line = program.bf_insns[i];
    program_text += fmt::format("{} {} {} {}\n", line.code, line.jt, line.jf, line.k);
  }
  pcap_freecode(&program);
  return {};
}

// The connection, for the signals' handler: the daemon writes the end of the file once our side is shut.
int capture_socket = -1;

void on_end(int) { shutdown(capture_socket, SHUT_WR); }

void end_on_signals(int socket) {
  capture_socket = socket;
  struct sigaction action {};
  action.sa_handler = on_end;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second one ends us, too
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has enough is no failure
}

// False where nobody reads any more, or nothing can be written: errno says which.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// Where the file goes.
struct Output {
  std::optional<Tcpdump> lines;
  FileDescriptor file;
  int fd = -1;

  Error open(const std::string& path) {
    if (path.empty()) {
      Error error = lines.emplace().start();
      fd = lines->fd();
      return error;
    }
    if (path == "-") {
      if (isatty(STDOUT_FILENO) != 0)
        return "-w -: a terminal can't show a file: give it to a program, or leave -w out";
      fd = STDOUT_FILENO;
      return {};
    }
    constexpr mode_t kMode = 0600;  // frames are nobody else's business
    file = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
    fd = file.get();
    return file.valid() ? "" : fmt::format("{}: cannot be written: {}", path, std::strerror(errno));
  }
};

Error copy(int from, int to, PcapngReader& reader) {
  std::array<char, 65536> piece;
  while (true) {
    const ssize_t count = recv(from, piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const std::string_view bytes(piece.data(), static_cast<size_t>(count));
    reader.read(bytes);
    if (write_all(to, bytes)) continue;
    return errno == EPIPE ? "" : fmt::format("cannot write: {}", std::strerror(errno));
  }
  return reader.complete() ? "" : "causewayd closed the connection before the end of the file";
}

}  // namespace

Error capture_request(const CaptureOptions& options, nlohmann::json& request) {
  request = {{"verb", "capture"},
             {"ports", joined(options.ports)},
             {"tunnels", joined(options.tunnels)},
             {"bridges", joined(options.bridges)}};
  if (options.in || options.out) request["direction"] = options.in ? "in" : "out";
  if (options.inner || options.outer) request["headers"] = options.inner ? "inner" : "outer";
  if (options.dead) request["drops"] = options.reason.empty() ? "any" : options.reason;
  if (options.count != 0) request["count"] = options.count;
  if (options.snap_bytes != 0) request["snaplen"] = options.snap_bytes;
  std::string program;
  if (!options.filter.empty()) {
    if (Error error = compile(options.filter, program)) return error;
  }
  request["text"] = program;
  return {};
}

Error receive_capture(ApiClient& client, const CaptureOptions& options) {
  std::string received;
  const FileDescriptor connection = client.release(received);
  Output output;
  if (Error error = output.open(options.file)) return error;
  end_on_signals(connection.get());
  PcapngReader reader;
  if (output.lines) {
    reader = PcapngReader([&output](const PcapngReader::Frame& frame) { output.lines->expect(frame); });
  }
  reader.read(received);
  // The file's first bytes come when frames are looked at.
  char first = 0;
  if (received.empty()) recv(connection.get(), &first, 1, MSG_PEEK);
  fmt::print(stderr, "capturing until SIGINT (Ctrl-C){}\n",
             options.count == 0 ? "" : fmt::format(", or {} frames", options.count));
  Error error;
  if (write_all(output.fd, received)) error = copy(connection.get(), output.fd, reader);
  if (output.lines) {
    if (Error missing = output.lines->finish()) return missing;
  }
  if (reader.complete()) {
    fmt::print(stderr, "{} frames captured, {} lost because they came faster than they were read\n", reader.delivered(),
               reader.lost());
  }
  return error;
}

}  // namespace causeway
