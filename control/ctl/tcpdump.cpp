#include "control/ctl/tcpdump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace causeway {
namespace {

constexpr int kNoSuchProgram = 127;

// Of the child. What a terminal sends us, Ctrl-C for one, isn't for it: it ends when the file does.
[[noreturn]] void be_tcpdump(int file, int lines) {
  setpgid(0, 0);
  dup2(file, STDIN_FILENO);
  dup2(lines, STDOUT_FILENO);
  execlp("tcpdump", "tcpdump", "-n", "-e", "-l", "--number", "-r", "-", nullptr);
  _exit(kNoSuchProgram);
}

}  // namespace

Tcpdump::~Tcpdump() {
  if (printer_.joinable()) printer_.join();
}

Error Tcpdump::start() {
  std::array<int, 2> file{};
  std::array<int, 2> lines{};
  if (pipe2(file.data(), O_CLOEXEC) != 0) return std::strerror(errno);
  const FileDescriptor file_end(file[0]);
  writes_ = FileDescriptor(file[1]);
  if (pipe2(lines.data(), O_CLOEXEC) != 0) return std::strerror(errno);
  reads_ = FileDescriptor(lines[0]);
  const FileDescriptor lines_end(lines[1]);
  child_ = fork();
  if (child_ < 0) return std::strerror(errno);
  if (child_ == 0) be_tcpdump(file_end.get(), lines_end.get());
  printer_ = std::thread([this] { print_lines(); });
  return {};
}

void Tcpdump::expect(const PcapngReader::Frame& frame) {
  const std::lock_guard lock(mutex_);
  labels_.push_back({fmt::format("{} {}", frame.interface, frame.outgoing ? "out" : "in"), std::string(frame.comment)});
}

Error Tcpdump::finish() {
  writes_ = FileDescriptor();
  printer_.join();
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoSuchProgram) {
    return "tcpdump shows frames as lines, and isn't installed: apt install tcpdump, or give a file with -w";
  }
  return {};
}

void Tcpdump::print_lines() {
  std::array<char, 65536> piece;
  std::string text;
  while (true) {
    const ssize_t count = read(reads_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(piece.data(), static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      print_line(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
    }
    text.erase(0, begin);
    if (std::fflush(stdout) != 0) break;  // nobody reads any more
  }
  reads_ = FileDescriptor();  // nor may tcpdump wait for us
}

// A frame's line begins with its number and two spaces. Others belong to the frame before: the one in its tunnel, whose
// line begins with a MAC, and so may begin with digits, too.
void Tcpdump::print_line(std::string_view line) {
  const size_t digits = line.find_first_not_of(' ');
  const size_t behind = line.find_first_not_of("0123456789", digits);
  const bool first = digits != std::string_view::npos && behind != std::string_view::npos && behind != digits &&
                     line.substr(behind).starts_with("  ");
  Label label;
  {
    const std::lock_guard lock(mutex_);
    if (first && !labels_.empty()) {
      label = std::move(labels_.front());
      labels_.pop_front();
    }
  }
  if (label.front.empty()) {
    fmt::print("{}{}\n", line.starts_with('\t') ? "" : "\t", line);
  } else {
    fmt::print("{} {} [{}]\n", label.front, line.substr(line.find_first_not_of(' ', behind)), label.behind);
  }
}

}  // namespace causeway
