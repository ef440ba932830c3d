// Frames that somebody looks at: which, where, with which bytes, and what became of those that found no room.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

#include "control/capture/filter_program.h"
#include "control/capture/request.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

struct Seen {
  std::string port;
  CapturePlace place;
  uint32_t frame_bytes = 0;
  Bytes bytes;
};

// One that looks, as the daemon's capture does it, without a client.
class Looker {
 public:
  Looker(Bed& bed, const json& fields, const std::string& program = {}, size_t ring_bytes = 1 << 20) : bed_(bed) {
    REQUIRE(read_capture_request(fields, request_) == Error());
    REQUIRE(missing_of(request_, bed.gateway()) == Error());
    FrameFilter filter;
    REQUIRE(read_filter_program(program, filter) == Error());
    capture_ =
        std::make_shared<Capture>(request_.choice, std::move(filter), bed.gateway().workers().size() + 1, ring_bytes);
    mark(request_, bed.gateway(), *capture_);
    publish({capture_});
  }
  ~Looker() { publish({}); }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  // Since the last call: a worker's, then the control thread's.
  std::vector<Seen> take() {
    std::vector<Seen> all;
    for (const auto& writer : capture_->writers) {
      for (const CapturedFrame* frame = writer->ring.front(); frame != nullptr; frame = writer->ring.front()) {
        all.push_back({name_of(frame->place.port), frame->place, frame->frame_bytes,
                       Bytes(frame->bytes(), frame->bytes() + frame->kept_bytes)});
        writer->ring.pop();
      }
    }
    return all;
  }
  uint64_t offered() const {
    return sum([](const Capture::Writer& writer, size_t port) { return writer.offered[port].get(); });
  }
  uint64_t lost() const {
    return sum([](const Capture::Writer& writer, size_t port) { return writer.lost[port].get(); });
  }

 private:
  void publish(std::vector<std::shared_ptr<Capture>> captures) {
    bed_.gateway().looks().set_captures(std::move(captures));
    bed_.run();
  }
  std::string name_of(PortIndex index) const {
    for (const auto& [name, record] : bed_.gateway().ports().all()) {
      if (record.index == index) return name;
    }
    return "none";
  }
  uint64_t sum(const auto& of) const {
    uint64_t frames = 0;
    for (const auto& writer : capture_->writers) {
      for (size_t port = 0; port < kMaxPorts; ++port) frames += of(*writer, port);
    }
    return frames;
  }

  Bed& bed_;
  CaptureRequest request_;
  std::shared_ptr<Capture> capture_;
};

constexpr const char* kInner = "encap.gnv4.tcp4-ecn-0";
constexpr const char* kOuter = "decap.ipv4.right.accept";

// What `tcpdump -ddd -y EN10MB 'udp dst port 6081'` prints.
constexpr const char* kToGenevePort =
    "16\n40 0 0 12\n21 0 4 34525\n48 0 0 20\n21 0 11 17\n40 0 0 56\n21 8 9 6081\n21 0 8 2048\n48 0 0 23\n21 0 6 17\n"
    "40 0 0 20\n69 4 0 8191\n177 0 0 14\n72 0 0 16\n21 0 1 6081\n6 0 0 262144\n6 0 0 0\n";

}  // namespace

TEST_CASE("capture: at ports, as frames came in and went out") {
  Bed bed(every_tunnel());
  Looker all(bed, json::object());
  const Bytes& inner = pipeline_frames()[kInner];
  bed.send("lan0", inner);
  const std::vector<Bytes> out = bed.take_bytes("up0");
  REQUIRE(out.size() == 1);
  const std::vector<Seen> seen = all.take();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].port == "lan0");
  CHECK_FALSE(seen[0].place.outgoing);
  CHECK(to_hex(seen[0].bytes) == to_hex(inner));
  CHECK(seen[0].frame_bytes == inner.size());
  CHECK(seen[1].port == "up0");
  CHECK(seen[1].place.outgoing);
  CHECK(to_hex(seen[1].bytes) == to_hex(out.front()));
}

TEST_CASE("capture: only what was asked for") {
  Bed bed(every_tunnel());
  struct Case {
    json fields;
    std::vector<std::string> ports;  // of a frame out through gnv4
  };
  const Case cases[] = {
      {{{"ports", "lan0"}}, {"lan0"}},
      {{{"ports", "up0"}}, {"up0"}},
      {{{"ports", "lan0 up0"}}, {"lan0", "up0"}},
      {{{"direction", "in"}}, {"lan0"}},
      {{{"direction", "out"}}, {"up0"}},
      {{{"headers", "outer"}}, {"up0"}},
      {{{"headers", "inner"}}, {"lan0", "up0"}},  // the port's, and gnv4's before it has outer headers
      {{{"ports", "up0"}, {"headers", "inner"}}, {"up0"}},
      {{{"ports", "lan0"}, {"direction", "out"}}, {}},
      {{{"tunnels", "gnv4"}}, {"up0"}},
      {{{"tunnels", "gnv4other"}}, {}},
      {{{"bridges", "br0"}}, {"lan0", "up0"}},
      {{{"drops", "any"}}, {}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.fields.dump());
    Looker looker(bed, one.fields);
    bed.send("lan0", pipeline_frames()[kInner]);
    CHECK(bed.take_bytes("up0").size() == 1);
    std::vector<std::string> ports;
    for (const Seen& seen : looker.take()) ports.push_back(seen.port);
    CHECK(ports == one.ports);
  }
}

TEST_CASE("capture: into a tunnel, before and behind the outer headers") {
  Bed bed(every_tunnel());
  // A few in a row go another way than one alone.
  for (const size_t count : {size_t{1}, size_t{5}}) {
    for (const char* headers : {"inner", "outer"}) {
      CAPTURE(count, headers);
      Looker looker(bed, {{"tunnels", "gnv4"}, {"headers", headers}});
      for (size_t i = 0; i < count; ++i) bed.deliver("lan0", pipeline_frames()[kInner]);
      bed.run();
      const std::vector<Bytes> out = bed.take_bytes("up0");
      const std::vector<Seen> seen = looker.take();
      REQUIRE(out.size() == count);
      REQUIRE(seen.size() == count);
      const bool inner = headers == std::string("inner");
      for (size_t i = 0; i < count; ++i) {
        CHECK(seen[i].place.outgoing);
        CHECK(to_hex(seen[i].bytes) == to_hex(inner ? pipeline_frames()[kInner] : out[i]));
      }
    }
  }
}

TEST_CASE("capture: out of a tunnel, before and behind the outer headers") {
  Bed bed(every_tunnel());
  const Bytes& outer = pipeline_frames()[kOuter];
  // Parsed, then known to the outer cache.
  for (int time = 0; time < 3; ++time) {
    for (const char* headers : {"inner", "outer"}) {
      CAPTURE(time, headers);
      Looker looker(bed, {{"headers", headers}, {"ports", "up0"}, {"tunnels", "vx4"}, {"direction", "in"}});
      bed.send("up0", outer);
      bed.send("up0", outer);
      CHECK(bed.take_bytes("lan0").size() == 2);
      std::vector<Seen> seen = looker.take();
      const bool inner = headers == std::string("inner");
      // With the outer headers the port has them, too.
      std::erase_if(seen, [](const Seen& one) { return one.place.headers == TunnelHeaders::as_sent; });
      REQUIRE(seen.size() == 2);
      for (const Seen& one : seen) {
        CHECK(one.port == "up0");
        CHECK_FALSE(one.place.outgoing);
        CHECK(bed.gateway().adjacencies().owner(one.place.tunnel).interface == "vx4");
        CHECK(to_hex(one.bytes) == to_hex(inner ? pipeline_frames()["inner.ipv4.right"] : outer));
      }
    }
  }
}

TEST_CASE("capture: frames that die, as they were, with the reason") {
  Bed bed(every_tunnel());
  for (const std::string& name : pipeline_frames().names("decap.")) {
    const std::string reason = name.substr(name.rfind('.') + 1);
    if (reason == "accept" || pipeline_frames().number(name, "nic") != 0) continue;
    INFO(name);
    Looker looker(bed, {{"drops", reason}});
    const Counts before = bed.counts();
    bed.send("up0", pipeline_frames()[name]);
    REQUIRE(to_text(bed.counts() - before) == reason + " 1");
    const std::vector<Seen> seen = looker.take();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].port == "up0");
    CHECK(kDropReasonText.at(static_cast<size_t>(seen[0].place.reason)).name == reason);
    // One that dies of its inner ECN has lost its outer headers by then, and any its priority tags.
    if (reason != "ecn" && !name.starts_with("decap.priority."))
      CHECK(to_hex(seen[0].bytes) == to_hex(pipeline_frames()[name]));
  }
  Looker others(bed, {{"drops", "split_horizon"}});
  bed.send("up0", pipeline_frames()["decap.ipv4.checksum.ip_checksum"]);
  bed.send("lan0", pipeline_frames()[kInner]);
  CHECK(others.take().empty());
}

TEST_CASE("capture: who dies beside a tunnel's frame is not the tunnel's") {
  Bed bed(every_tunnel());
  Looker looker(bed, {{"drops", "any"}});
  for (int time = 0; time < 3; ++time) {
    bed.deliver("up0", pipeline_frames()["decap.ipv4.trailing-4.accept"]);  // never known to the outer cache
    bed.deliver("up0", pipeline_frames()["decap.ipv4.checksum.ip_checksum"]);
    bed.run();
    bed.take_bytes("lan0");
  }
  const std::vector<Seen> seen = looker.take();
  REQUIRE(seen.size() == 3);
  for (const Seen& one : seen) CHECK(one.place.tunnel == kNoAdjacency);
}

TEST_CASE("capture: what a full ring has no room for is counted, and is forwarded") {
  Bed bed(every_tunnel());
  Looker looker(bed, {{"ports", "lan0"}}, {}, 4096);
  const Bytes& inner = pipeline_frames()[kInner];
  size_t kept = 0;
  // Again and again: records of this size don't end where the ring does.
  for (int time = 0; time < 20; ++time) {
    for (int i = 0; i < 60; ++i) bed.deliver("lan0", inner);
    bed.run();
    CHECK(bed.take_bytes("up0").size() == 60);
    const std::vector<Seen> seen = looker.take();
    for (const Seen& one : seen) CHECK(to_hex(one.bytes) == to_hex(inner));
    CHECK_FALSE(seen.empty());
    kept += seen.size();
  }
  CHECK(looker.offered() == 1200);
  CHECK(looker.lost() > 0);
  CHECK(kept + looker.lost() == 1200);
}

TEST_CASE("capture: of chains as much as is wanted") {
  Bed bed(every_tunnel());
  const Bytes& big = pipeline_frames()["encap.gnv4.big"];
  for (const uint32_t bytes : {1U, 14U, 100U, 1000U, 262144U}) {
    CAPTURE(bytes);
    Looker looker(bed, {{"ports", "lan0"}, {"snaplen", bytes}});
    bed.send("lan0", big, {66, 1, 30, 7});
    CHECK(bed.take_bytes("up0").size() == 1);
    const std::vector<Seen> seen = looker.take();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].frame_bytes == big.size());
    const size_t kept = std::min<size_t>(bytes, big.size());
    CHECK(to_hex(seen[0].bytes) == to_hex(Bytes(big.begin(), big.begin() + static_cast<std::ptrdiff_t>(kept))));
  }
}

TEST_CASE("capture: libpcap's filter decides") {
  Bed bed(every_tunnel());
  Looker looker(bed, json::object(), kToGenevePort);
  for (int i = 0; i < 3; ++i) bed.send("lan0", pipeline_frames()[kInner]);
  CHECK(bed.take_bytes("up0").size() == 3);
  const std::vector<Seen> seen = looker.take();
  REQUIRE(seen.size() == 3);
  for (const Seen& one : seen) CHECK(one.port == "up0");
  CHECK(looker.offered() == 6);
  CHECK(looker.lost() == 0);
}

TEST_CASE("capture: filters that are none are refused") {
  Bed bed(every_tunnel());
  const char* texts[] = {"0\n",
                         "1\n",
                         "1\n6 0 0\n",
                         "2\n6 0 0 1\n",
                         "1\n6 0 0 1\n6 0 0 1\n",
                         "1\n6 0 0 -1\n",
                         "1\n6 0 0 1\nx",
                         "5000\n",
                         "1\n40 0 0 12\n",
                         "2\n5 0 0 4294967295\n6 0 0 1\n",
                         "2\n21 9 9 1\n6 0 0 1\n",
                         "4294967296\n",
                         "1\n99999 0 0 1\n",
                         "1\n65535 0 0 1\n"};
  for (const char* text : texts) {
    CAPTURE(text);
    FrameFilter filter;
    CHECK(read_filter_program(text, filter));
  }
}

TEST_CASE("capture: requests that mean nothing are refused") {
  Bed bed(every_tunnel());
  const auto error = [&](const json& fields) {
    CaptureRequest request;
    const Error wrong = read_capture_request(fields, request);
    return wrong ? wrong.text() : missing_of(request, bed.gateway()).text();
  };
  CHECK(error({{"ports", "lan1"}}) == "no such port: lan1; did you mean 'lan0'?");
  CHECK(error({{"ports", "lan0 nothing"}}) == "no such port: nothing");
  CHECK(error({{"tunnels", "lan0"}}) == "no such tunnel: lan0");
  CHECK(error({{"bridges", "up0"}}) == "no such bridge: up0");
  CHECK(error({{"direction", "both"}}) == "direction: in or out");
  CHECK(error({{"headers", "both"}}) == "headers: inner or outer");
  CHECK(error({{"count", 0}}) == "count: not a number from 1 to 18446744073709551615");
  CHECK(error({{"snaplen", 262145}}) == "snaplen: not a number from 1 to 262144");
  CHECK(error({{"snaplen", -1}}) == "snaplen: not a number from 1 to 262144");
  CHECK(error({{"drops", "split_horizo"}}) ==
        "no such drop reason: split_horizo; did you mean 'split_horizon'?; `causewayctl stats --all` lists them");
  CHECK(error({{"drops", "any"}, {"ports", "lan0 up0"}, {"headers", "inner"}}).empty());
}

}  // namespace causeway::test
