// Where Prometheus finds the metrics: http://ADDRESS/metrics. HTTP is served by threads of its own (prometheus-cpp),
// nicer ones than those that carry frames. The control thread only takes the snapshots, in slices. Control thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/metrics/scraper.h"
#include "control/metrics/snapshot.h"
#include "control/process/event_loop.h"
#include "pmd/error.h"

namespace prometheus {
class Exposer;
}

namespace causeway::metrics {

class Endpoint {
 public:
  // `loop` outlives it; `running` is called by it.
  Endpoint(EventLoop& loop, std::function<Running()> running, std::string version);
  // Up to two seconds: the HTTP server looks that seldom whether it is to end.
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // "127.0.0.1:9111": IPv4 alone, as the HTTP server of Debian's prometheus-cpp has no IPv6.
  Error start(const std::string& address);

 private:
  void asked();
  void go_on();

  EventLoop& loop_;
  std::function<Running()> running_;
  std::shared_ptr<Scraper> scraper_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // null: not started
  std::optional<SnapshotMaker> maker_;            // nothing: nobody asks
  EventLoop::TimerId timer_ = 0;                  // of its next slice
};

}  // namespace causeway::metrics
