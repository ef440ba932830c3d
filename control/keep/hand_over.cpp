#include "control/keep/hand_over.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "pmd/socket_options.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr size_t kMostDescriptors = 253;
constexpr size_t kMostBytes = 4096;

using Control = std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))>;

}  // namespace

std::optional<HandOver> HandOver::make_pair(FileDescriptor& other) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return std::nullopt;
  other = FileDescriptor(ends[1]);
  return HandOver(FileDescriptor(ends[0]));
}

Error HandOver::send(std::string_view word, std::string_view text, std::span<const int> descriptors) {
  if (descriptors.size() > kMostDescriptors) return "too many descriptors to hand over";
  set_option(end_.get(), SOL_SOCKET, SO_SNDTIMEO, timeval{kPatience.count(), 0});
  std::string line(word);
  line.append(1, ' ').append(text);
  iovec bytes{line.data(), line.size()};
  alignas(cmsghdr) Control control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  return sendmsg(end_.get(), &message, MSG_NOSIGNAL) >= 0 ? Error() : Error(system_error("hand-over"));
}

Error HandOver::send_file(std::string_view word, std::string_view text, std::string_view contents) {
  const FileDescriptor file(memfd_create("causeway-hand-over", MFD_CLOEXEC));
  for (size_t written = 0; written < contents.size();) {
    const ssize_t count = file.valid() ? write(file.get(), contents.data() + written, contents.size() - written) : -1;
    if (count <= 0) return system_error("a file in memory");
    written += static_cast<size_t>(count);
  }
  return send(word, text, std::array{file.get()});
}

std::optional<HandOverMessage> HandOver::receive(std::chrono::milliseconds patience) {
  pollfd readable{end_.get(), POLLIN, 0};
  if (poll(&readable, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
  std::array<char, kMostBytes> line;
  iovec bytes{line.data(), line.size()};
  alignas(cmsghdr) Control control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = recvmsg(end_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (count <= 0) return std::nullopt;
  HandOverMessage received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= header->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + at, sizeof(fd));
      received.descriptors.emplace_back(fd);
    }
  }
  const std::string_view text(line.data(), static_cast<size_t>(count));
  const size_t space = std::min(text.find(' '), text.size());
  received.word = text.substr(0, space);
  received.text = text.substr(std::min(space + 1, text.size()));
  return received;
}

Error read_all(int fd, std::string& contents) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return system_error("a file in memory");
  contents.resize(static_cast<size_t>(status.st_size));
  for (size_t read = 0; read < contents.size();) {
    const ssize_t count = pread(fd, contents.data() + read, contents.size() - read, static_cast<off_t>(read));
    if (count <= 0) return system_error("a file in memory");
    read += static_cast<size_t>(count);
  }
  return {};
}

}  // namespace causeway
