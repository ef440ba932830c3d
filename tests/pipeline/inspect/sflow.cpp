// sFlow's datagrams as a collector gets them, read by the specification's words alone: what is picked of the frames
// that pass, how often, and what the gateway says of where they come from and go to.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <random>
#include <stdexcept>

#include "control/config/address_text.h"
#include "control/sflow/agent.h"
#include "pmd/file_descriptor.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

// RFC 4506.
class Xdr {
 public:
  explicit Xdr(const Bytes& bytes) : bytes_(bytes) {}
  uint32_t word() {
    uint32_t value = 0;
    for (const uint8_t byte : take(4)) value = value << 8 | byte;
    return value;
  }
  uint64_t quad() {
    const uint64_t high = word();
    return high << 32 | word();
  }
  Bytes opaque() {
    const uint32_t length = word();
    Bytes data = take(length);
    take((4 - length % 4) % 4);
    return data;
  }
  IpAddress address(bool v4) {
    const Bytes wire = take(v4 ? 4 : 16);
    return v4 ? IpAddress::v4(wire.data()) : IpAddress::v6(wire.data());
  }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  Bytes take(size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("the datagram ends too soon");
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += count;
    return {from, from + static_cast<std::ptrdiff_t>(count)};
  }
  const Bytes& bytes_;
  size_t at_ = 0;
};

using Structures = std::map<uint32_t, Bytes>;  // by data format

Structures read_structures(Xdr& in) {
  Structures structures;
  for (uint32_t left = in.word(); left != 0; --left) {
    const uint32_t format = in.word();
    structures[format] = in.opaque();
  }
  return structures;
}

struct Flow {
  uint32_t sequence, source, sampling, pool, drops, input, output;
  Structures structures;
};
struct Counters {
  uint32_t sequence, source;
  Structures structures;
};

class Collector {
 public:
  Collector() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
    REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
    port_ = ntohs(address.sin_port);
  }
  std::string yaml(const std::string& more) const {
    return fmt::format("sflow: {{targets: [\"127.0.0.1:{}\"], {}}}\n", port_, more);
  }
  // What has come since the last call.
  void read() {
    flows.clear();
    counters.clear();
    Bytes bytes(65536);
    for (ssize_t got = 0; (got = recv(socket_.get(), bytes.data(), bytes.size(), 0)) > 0;) {
      read(Bytes(bytes.begin(), bytes.begin() + got));
    }
  }

  std::vector<Flow> flows;
  std::vector<Counters> counters;
  IpAddress agent;

 private:
  void read(const Bytes& datagram) {
    CHECK(datagram.size() <= sflow::kMostDatagramBytes);
    Xdr in(datagram);
    CHECK(in.word() == 5);  // version
    const uint32_t type = in.word();
    agent = in.address(type == 1);
    CHECK(in.word() == 0);  // sub-agent
    const uint32_t sequence = in.word();
    CHECK((sequence_ == 0 || sequence == sequence_ + 1));
    sequence_ = sequence;
    in.word();  // uptime
    for (uint32_t left = in.word(); left != 0; --left) {
      const uint32_t format = in.word();
      const Bytes body = in.opaque();
      Xdr sample(body);
      if (format == 1) {
        std::array<uint32_t, 7> words{};
        for (uint32_t& word : words) word = sample.word();
        flows.push_back(
            {words[0], words[1], words[2], words[3], words[4], words[5], words[6], read_structures(sample)});
      } else {
        CHECK(format == 2);
        const uint32_t sequence = sample.word();
        const uint32_t source = sample.word();
        counters.push_back({sequence, source, read_structures(sample)});
      }
      CHECK(sample.at_end());
    }
    CHECK(in.at_end());
  }

  FileDescriptor socket_;
  uint16_t port_ = 0;
  uint32_t sequence_ = 0;  // of the last datagram
};

// A tunnel's structure and the one with its number.
std::string text_of_tunnel(const Structures& structures, bool egress) {
  std::string text;
  for (const bool v4 : {true, false}) {
    const auto found = structures.find((v4 ? 1023U : 1025U) + (egress ? 0 : 1));
    if (found == structures.end()) continue;
    Xdr in(found->second);
    const uint32_t length = in.word();
    const uint32_t protocol = in.word();
    const std::string source = to_string(in.address(v4));
    const std::string destination = to_string(in.address(v4));
    const uint32_t source_port = in.word();
    const uint32_t destination_port = in.word();
    const uint32_t flags = in.word();
    const uint32_t tos = in.word();
    CHECK(in.at_end());
    CHECK(source_port + flags == 0);
    text = fmt::format("{} {} {} > {} port {} tos {}", length, protocol, source, destination, destination_port, tos);
  }
  const auto vni = structures.find(egress ? 1029U : 1030U);
  return vni == structures.end() ? text : fmt::format("{} id {}", text, Xdr(vni->second).word());
}

Bytes header_of(const Flow& flow, uint32_t frame_bytes) {
  const Bytes structure = flow.structures.at(1);
  Xdr in(structure);
  CHECK(in.word() == 1);                // Ethernet
  CHECK(in.word() == frame_bytes + 4);  // with the FCS,
  CHECK(in.word() == 4);                // which is stripped
  return in.opaque();
}

}  // namespace

TEST_CASE("sflow: frames into tunnels, with what they go into") {
  struct Case {
    const char* tunnel;
    std::string ends;
  };
  const Case cases[] = {
      {"gnv4", "17 172.31.0.1 > 172.31.0.2 port 6081 tos 0 id 123"},
      {"gnv6", "17 fd00:31::1 > fd00:31::2 port 6081 tos 0 id 123"},
      {"gnv4port", "17 172.31.0.1 > 172.31.0.2 port 16081 tos 0 id 125"},
      {"gnv4tos", "17 172.31.0.1 > 172.31.0.2 port 6081 tos 184 id 127"},
      {"gnv4other", "17 172.31.0.1 > 172.31.0.3 port 6081 tos 0 id 130"},
      {"gnv4opt", "17 172.31.0.1 > 172.31.0.2 port 6081 tos 0 id 133"},
      {"vx6", "17 fd00:31::1 > fd00:31::2 port 4789 tos 0 id 100"},
      {"vx4keys", "17 172.31.0.1 > 172.31.0.2 port 4789 tos 0 id 322"},
      {"gre4", "47 172.31.0.1 > 172.31.0.2 port 0 tos 0 id 7"},
      {"gre4nokey", "47 172.31.0.1 > 172.31.0.2 port 0 tos 0"},
      {"nv6", "47 fd00:31::1 > fd00:31::2 port 0 tos 0 id 1193046"},
  };
  Collector collector;
  Bed bed(every_tunnel() + collector.yaml("sampling: 1, polling: 0, header: 1024, agent: 192.0.2.9"));
  uint32_t number = 0;
  for (const Case& one : cases) {
    CAPTURE(one.tunnel);
    const Bytes& inner = pipeline_frames()[fmt::format("encap.{}.tcp4-ecn-0", one.tunnel)];
    const size_t outer = pipeline_frames()[fmt::format("outer.{}.tcp4-ecn-0", one.tunnel)].size();
    bed.send("lan0", inner);
    bed.gateway().tick();
    collector.read();
    REQUIRE(collector.flows.size() == 1);
    const Flow& flow = collector.flows.front();
    CHECK(to_string(collector.agent) == "192.0.2.9");
    CHECK(flow.sequence == ++number);
    CHECK(flow.sampling == 1);
    CHECK(flow.pool == number);
    CHECK(flow.drops == 0);
    CHECK(flow.input == flow.source);
    CHECK(flow.output != flow.input);
    CHECK(to_hex(header_of(flow, static_cast<uint32_t>(inner.size()))) == to_hex(inner));
    CHECK(text_of_tunnel(flow.structures, true) == fmt::format("{} {}", outer - 14, one.ends));
    CHECK(text_of_tunnel(flow.structures, false).empty());
  }
}

TEST_CASE("sflow: frames out of a tunnel and floods, cut to what is wanted") {
  Collector collector;
  Bed bed(every_tunnel() + collector.yaml("sampling: 1, polling: 0, header: 20"));
  const Bytes& outer = pipeline_frames()["decap.ipv4.right.accept"];
  const Bytes& inner = pipeline_frames()["inner.ipv4.right"];
  bed.send("up0", outer);
  bed.gateway().tick();
  collector.read();
  REQUIRE(collector.flows.size() == 1);
  const Flow& flow = collector.flows.front();
  CHECK(to_string(collector.agent) == "127.0.0.1");  // that the collector is reached from
  CHECK(flow.output == 0x80000000);
  CHECK(to_hex(header_of(flow, static_cast<uint32_t>(inner.size()))) ==
        to_hex(Bytes(inner.begin(), inner.begin() + 20)));
  CHECK(text_of_tunnel(flow.structures, false) ==
        fmt::format("{} 17 172.31.0.2 > 172.31.0.1 port 4789 tos 0 id 100", outer.size() - 14));
  CHECK(text_of_tunnel(flow.structures, true).empty());
}

TEST_CASE("sflow: the VLAN") {
  Collector collector;
  Bed bed(every_tunnel() + collector.yaml("sampling: 1, polling: 0"));
  Bytes tagged = pipeline_frames()["encap.gnv4.tcp4-ecn-0"];
  const Bytes tag{0x81, 0x00, 0x00, 77};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  bed.send("lan0", tagged);
  bed.gateway().tick();
  collector.read();
  REQUIRE(collector.flows.size() == 1);
  const Bytes structure = collector.flows.front().structures.at(1001);
  Xdr in(structure);
  CHECK(in.word() == 77);
  CHECK(in.word() == 0);
  CHECK(in.word() == 77);
}

TEST_CASE("sflow: one frame in so many of a million") {
  Collector collector;
  constexpr uint32_t kOneOf = 100;
  Bed bed(every_tunnel() + collector.yaml(fmt::format("sampling: {}, polling: 0, header: 14", kOneOf)));
  const Bytes& inner = pipeline_frames()["encap.gnv4.tcp4-ecn-0"];
  constexpr uint32_t kFrames = 1'000'000;
  bed.port("up0").set_room(0);  // nobody looks at them
  uint32_t samples = 0;
  uint32_t pool = 0;
  for (uint32_t sent = 0; sent < kFrames;) {
    for (uint32_t burst = 0; burst < 1000; ++burst, ++sent) bed.deliver("lan0", inner);
    bed.run();
    bed.gateway().tick();
    collector.read();
    samples += static_cast<uint32_t>(collector.flows.size());
    for (const Flow& flow : collector.flows) {
      CHECK(flow.pool >= pool);
      CHECK(flow.drops == 0);
      pool = flow.pool;
    }
  }
  // Gaps are as likely from 1 to 199: the number of samples has a deviation of 0.58 % of it, 5 % is more than eight.
  CHECK(samples > kFrames / kOneOf * 95 / 100);
  CHECK(samples < kFrames / kOneOf * 105 / 100);
  CHECK(pool <= kFrames);
  CHECK(pool > kFrames - 1000 - 2 * kOneOf);
  CHECK(bed.gateway().sflow().counts()->samples == samples);
}

TEST_CASE("sflow: samplers pick at their rate, whatever bursts are like, and each other frames") {
  MbufPool pool(15);
  Adjacency from;
  from.index = 1;
  rte_mbuf* const frame = to_mbuf(pool, Bytes(64, 0x55));
  for (const uint32_t one_of : {1U, 2U, 7U, 100U}) {
    std::vector<std::vector<uint32_t>> picked(2);  // frames' numbers
    for (uint32_t seed = 1; seed <= 2; ++seed) {
      FlowSampler sampler(one_of, 64, seed * 1000, 1 << 16);
      std::mt19937 random(one_of);
      constexpr uint32_t kFrames = 1'000'000;
      for (uint32_t number = 0; number < kFrames;) {
        Batch batch;
        batch.port = 3;
        batch.count = static_cast<uint16_t>(std::min<uint32_t>(1 + random() % kBatch, kFrames - number));
        for (uint16_t i = 0; i < batch.count; ++i) {
          batch.frame[i] = frame;
          batch.key[i] = {};
          batch.in[i] = &from;
          batch.out[i] = number++;
        }
        sampler.look_at(batch);
        for (FlowSample sample; sampler.front(sample); sampler.pop()) picked[seed - 1].push_back(sample.way.to);
      }
      CHECK(sampler.looked_at(3) == kFrames);
      CHECK(sampler.lost(3) == 0);
      CAPTURE(one_of, picked[seed - 1].size());
      CHECK(picked[seed - 1].size() > kFrames / one_of * 95 / 100);
      CHECK(picked[seed - 1].size() <= kFrames / one_of * 105 / 100);
    }
    CHECK((picked[0] == picked[1]) == (one_of == 1));
  }
  rte_pktmbuf_free(frame);
}

TEST_CASE("sflow: what a full ring has no room for is counted") {
  Collector collector;
  Bed bed(every_tunnel() + collector.yaml("sampling: 1, polling: 0, header: 128"));
  const Bytes& inner = pipeline_frames()["encap.gnv4.tcp4-ecn-0"];
  constexpr uint32_t kFrames = 3000;
  for (uint32_t i = 0; i < kFrames; ++i) bed.deliver("lan0", inner);
  bed.run_worker();  // the control thread is busy elsewhere
  CHECK(bed.take_bytes("up0").size() == kFrames);
  std::vector<Flow> flows;
  for (size_t served = 1; served != 0;) {
    served = bed.gateway().serve_workers();
    if (served == 0) bed.gateway().tick();
    collector.read();
    flows.insert(flows.end(), collector.flows.begin(), collector.flows.end());
  }
  const uint64_t lost = bed.gateway().sflow().counts()->lost_samples;
  CHECK(lost > 0);
  REQUIRE(flows.size() > 100);
  CHECK(flows.size() + lost == kFrames);
  CHECK(flows.back().drops == lost);
  CHECK(flows.back().pool == kFrames);
}

TEST_CASE("sflow: ports' counters, when their time has come") {
  Collector collector;
  Bed bed(every_tunnel());
  Gateway& gateway = bed.gateway();
  SflowAgent agent({gateway.workers(), gateway.publisher(), gateway.ports(), gateway.tunnels(), gateway.adjacencies(),
                    gateway.elephants()},
                   0);
  const config::Config config = load_yaml("version: 1\n" + collector.yaml("polling: 60"));
  agent.set(&*config.sflow);
  const Bytes& inner = pipeline_frames()["encap.gnv4.tcp4-ecn-0"];
  for (int i = 0; i < 5; ++i) bed.send("lan0", inner);
  const auto now = SflowAgent::Clock::now();
  agent.tick(now);
  collector.read();
  REQUIRE(collector.counters.size() == 2);
  std::map<std::string, std::vector<uint64_t>> seen;
  for (const Counters& one : collector.counters) {
    CHECK(one.sequence == 1);
    const Bytes name = one.structures.at(1005);
    const Bytes text = Xdr(name).opaque();
    const Bytes counters = one.structures.at(1);
    Xdr in(counters);
    CHECK(in.word() == one.source);
    CHECK(in.word() == 6);
    CHECK(in.quad() + in.word() == 0);
    CHECK(in.word() == 3);
    std::vector<uint64_t>& values = seen[std::string(text.begin(), text.end())];
    for (int direction = 0; direction < 2; ++direction) {
      values.push_back(in.quad());  // octets
      values.push_back(in.word());  // packets
      CHECK((in.word() & in.word()) == UINT32_MAX);
      CHECK(in.word() + in.word() == 0);  // discards, errors
      CHECK(in.word() == (direction == 0 ? UINT32_MAX : 0));
    }
    CHECK(in.at_end());
  }
  const uint64_t outer = pipeline_frames()["outer.gnv4.tcp4-ecn-0"].size();
  CHECK(seen.at("lan0") == std::vector<uint64_t>{5 * inner.size(), 5, 0, 0});
  CHECK(seen.at("up0")[2] >= 5 * outer);  // and what it says of itself
  CHECK(seen.at("up0")[3] >= 5);
  agent.tick(now + std::chrono::seconds(59));
  collector.read();
  CHECK(collector.counters.empty());
  agent.tick(now + std::chrono::seconds(60));
  collector.read();
  CHECK(collector.counters.size() == 2);
}

TEST_CASE("sflow: it begins, changes and ends while frames pass") {
  Collector one;
  Collector other;
  Bed bed(every_tunnel());
  const Bytes& inner = pipeline_frames()["encap.gnv4.tcp4-ecn-0"];
  const auto sampled = [&](Collector& collector) {
    for (int i = 0; i < 10; ++i) bed.send("lan0", inner);
    bed.gateway().tick();
    collector.read();
    return collector.flows.size();
  };
  CHECK(sampled(one) == 0);
  CHECK_FALSE(bed.gateway().sflow().counts());
  CHECK(bed.apply(every_tunnel() + one.yaml("sampling: 1, polling: 0")).empty());
  CHECK(sampled(one) == 10);
  // To another, without losing count.
  CHECK(bed.apply(every_tunnel() + other.yaml("sampling: 1, polling: 0")).empty());
  bed.send("lan0", inner);
  bed.gateway().tick();
  one.read();
  CHECK(one.flows.empty());
  CHECK(bed.gateway().sflow().counts()->samples == 11);
  // What the samplers still hold goes out before others take their place.
  bed.deliver("lan0", inner);
  bed.run_worker();
  CHECK(bed.apply(every_tunnel()).empty());
  other.read();
  CHECK(other.flows.size() == 2);
  CHECK_FALSE(bed.gateway().sflow().counts());
  CHECK(sampled(one) == 0);
  CHECK(bed.apply(every_tunnel() + one.yaml("sampling: 1000000, polling: 0")).empty());
  CHECK(sampled(one) == 0);
}

}  // namespace causeway::test
