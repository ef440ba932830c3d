#include "tests/unit/pmd/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

namespace causeway::test {
namespace {

constexpr uint16_t kTestPort = 5001;
constexpr int kTimeoutMs = 10000;

// net_tap has the kernel signal the process for each frame, which would interrupt the tests' own calls.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address parse_address(const std::string& text) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(kTestPort);
    address.size = sizeof(*v4);
  } else {
    inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(kTestPort);
    address.size = sizeof(*v6);
  }
  return address;
}

int socket_in(const Namespace& ns, int family, int type) {
  int fd = -1;
  ns.inside([&] { fd = socket(family, type | SOCK_CLOEXEC, 0); });
  const timeval timeout{kTimeoutMs / 1000, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return fd;
}

std::vector<uint8_t> receive_all(int listener) {
  std::vector<uint8_t> received;
  const int fd = accept(listener, nullptr, nullptr);
  if (fd < 0) return received;
  const timeval timeout{kTimeoutMs / 1000, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  std::vector<uint8_t> buffer(1 << 16);
  ssize_t n = 0;
  while ((n = recv(fd, buffer.data(), buffer.size(), 0)) > 0)
    received.insert(received.end(), buffer.begin(), buffer.begin() + n);
  close(fd);
  return received;
}

}  // namespace

void Relay::move(PortIo& from, PortIo& to, bool record) {
  std::array<rte_mbuf*, 32> frames{};
  const uint16_t received = from.rx_burst(0, frames.data(), frames.size());
  for (uint16_t i = 0; record && i < received; ++i) {
    const rte_mbuf* frame = frames[i];
    if ((frame->ol_flags & kNeedsSegment) == 0) continue;
    const auto* bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
    supers_.push_back({{bytes, bytes + std::min<size_t>(128, frame->data_len)},
                       frame->pkt_len,
                       frame->nb_segs,
                       frame->ol_flags,
                       intent_of(frame)});
  }
  uint16_t sent = 0;
  for (int attempt = 0; attempt < 1000 && sent < received; ++attempt) {
    sent = static_cast<uint16_t>(sent + to.tx_burst(0, frames.data() + sent, static_cast<uint16_t>(received - sent)));
  }
  refused_ += static_cast<uint64_t>(received - sent);
  rte_pktmbuf_free_bulk(frames.data() + sent, static_cast<unsigned>(received - sent));
}

void Relay::loop(PortIo& a, PortIo& b) {
  rte_thread_register();
  while (!stop_) {
    move(a, b, true);
    move(b, a, false);
  }
  rte_thread_unregister();
}

bool tcp_transfer(const Namespace& client, const Namespace& server, const std::string& server_address, size_t bytes) {
  const SignalsBlocked quiet;  // inherited by the reader
  Address address = parse_address(server_address);
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 131 + (i >> 8));

  const int listener = socket_in(server, address.storage.ss_family, SOCK_STREAM);
  const int fd = socket_in(client, address.storage.ss_family, SOCK_STREAM);
  std::vector<uint8_t> received;
  if (bind(listener, address.get(), address.size) == 0 && listen(listener, 1) == 0) {
    std::thread reader([&] { received = receive_all(listener); });
    if (connect(fd, address.get(), address.size) == 0) {
      size_t sent = 0;
      while (sent < bytes) {
        const ssize_t n = send(fd, data.data() + sent, bytes - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<size_t>(n);
      }
      shutdown(fd, SHUT_WR);
    }
    reader.join();
  }
  close(fd);
  close(listener);
  return received == data;
}

size_t udp_gso_transfer(const Namespace& client, const Namespace& server, const std::string& server_address,
                        size_t segments, size_t segment_bytes) {
  Address address = parse_address(server_address);
  const int receiver = socket_in(server, address.storage.ss_family, SOCK_DGRAM);
  const int sender = socket_in(client, address.storage.ss_family, SOCK_DGRAM);
  bind(receiver, address.get(), address.size);
  connect(sender, address.get(), address.size);
  const int size = static_cast<int>(segment_bytes);
  setsockopt(sender, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
  const std::vector<uint8_t> data(segments * segment_bytes, 0x5a);
  send(sender, data.data(), data.size(), 0);
  size_t arrived = 0;
  std::vector<uint8_t> buffer(1 << 16);
  pollfd wait{receiver, POLLIN, 0};
  while (arrived < segments && poll(&wait, 1, 2000) == 1) {
    if (recv(receiver, buffer.data(), buffer.size(), 0) == size) ++arrived;
  }
  close(sender);
  close(receiver);
  return arrived;
}

}  // namespace causeway::test
