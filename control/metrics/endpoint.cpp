#include "control/metrics/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <prometheus/exposer.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "pmd/file_descriptor.h"

namespace causeway::metrics {
namespace {

using namespace std::chrono_literals;

constexpr auto kSlice = 500us;
constexpr int kNiceness = 5;  // workers and the control thread may share the core

// What is wrong with listening there, of which the HTTP server says but that it can't.
Error listening_error(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(std::stoul(address.substr(colon + 1))));
  if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &name.sin_addr) != 1) return "no IPv4 address";
  const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  const bool good = socket.valid() && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                    bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  return good ? "" : std::strerror(errno);
}

}  // namespace

Endpoint::Endpoint(EventLoop& loop, std::function<Running()> running, std::string version)
    : loop_(loop), running_(std::move(running)), scraper_(std::make_shared<Scraper>(std::move(version))) {
  loop_.add_fd(scraper_->fd(), [this] { asked(); });
}

Endpoint::~Endpoint() {
  loop_.remove_fd(scraper_->fd());
  loop_.cancel(timer_);
  scraper_->close();
}

Error Endpoint::start(const std::string& address) {
  Error error = listening_error(address);
  if (!error) {
    // Its threads inherit the niceness of the one that makes them.
    std::thread([&] {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
      try {
        exposer_ = std::make_unique<prometheus::Exposer>(
            std::vector<std::string>{"listening_ports", address, "num_threads", "2", "request_timeout_ms", "10000"});
        exposer_->RegisterCollectable(scraper_);
      } catch (const std::exception& failed) {
        error = failed.what();
      }
    }).join();
  }
  return error ? Error(fmt::format("system.metrics: {}: {}", address, error.text())) : Error();
}

// While one is being made it is for whoever asks now, too.
void Endpoint::asked() {
  scraper_->acknowledge();
  if (maker_) return;
  maker_.emplace(running_());
  go_on();
}

void Endpoint::go_on() {
  timer_ = 0;
  if (maker_->advance(kSlice)) {
    timer_ = loop_.after(0ns, [this] { go_on(); });
    return;
  }
  scraper_->answer(maker_->take());
  maker_.reset();
}

}  // namespace causeway::metrics
