// Generator ports: their frames against scapy's, the order of their flows, their pace and their end.
#include <rte_cycles.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <vector>

#include "pmd/generator/generator_flows.h"
#include "pmd/port.h"
#include "tests/catch.h"
#include "tests/support/mbufs.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const MacAddress kOwnMac{{0x02, 0, 0, 0, 0, 0xaa}};

std::unique_ptr<Port> open_generator(rte_mempool* pool, const GeneratorSettings& settings) {
  PortOptions options;
  options.name = "gen0";
  options.mac = kOwnMac;
  options.pool = pool;
  OpenError error;
  auto port = open_generator_port(options, settings, error);
  CHECK(error.text == "");
  REQUIRE(port);
  return port;
}

std::vector<Bytes> receive(Port& port, size_t count, uint16_t queue = 0) {
  std::vector<Bytes> received;
  std::array<rte_mbuf*, 7> frames;
  while (received.size() < count) {
    const uint16_t got = port.rx_burst(queue, frames.data(), frames.size());
    if (got == 0) break;
    for (uint16_t i = 0; i < got; ++i) received.push_back(to_bytes(frames[i]));
    CHECK(port.tx_burst(0, frames.data(), got) == got);
  }
  return received;
}

// As generator_frames.py has it.
GeneratorSettings settings_of(uint32_t flows) {
  GeneratorSettings settings;
  settings.flows = flows;
  settings.limit = flows;
  settings.source_mac = {0x0201'0000'0000, flows};
  settings.destination_mac = {0x0202'0000'00ff, flows};
  settings.source_address = {0x0a00'00fe, 10};
  settings.destination_address = {0xc613'0000, flows};
  settings.source_port = {1024, flows};
  settings.destination_port = {7, 1};
  return settings;
}

// How often each flow comes among `count`.
std::map<uint32_t, unsigned> counted(GeneratorSettings settings, unsigned count) {
  FlowSequence sequence(settings, 0);
  std::map<uint32_t, unsigned> counts;
  for (unsigned done = 0; done < count; ++done) {
    uint32_t flow = 0;
    sequence.next(&flow, 1);
    ++counts[flow];
  }
  return counts;
}

}  // namespace

TEST_CASE("frames are scapy's, byte for byte") {
  const Frames expected = Frames::load(GENERATOR_FRAMES);
  const MbufPool pool;
  SECTION("alone, of several sizes") {
    GeneratorSettings settings = settings_of(30);
    settings.frame_bytes = {60, 1518, 61};
    CHECK(receive(*open_generator(pool, settings), 31) == expected.sequence("plain"));
  }
  GeneratorSettings settings = settings_of(12);
  GeneratorTunnel& tunnel = settings.tunnel;
  tunnel.source_address = {0xac1f'0002, 1};
  tunnel.destination_address = 0xac1f'0001;
  SECTION("in VXLAN, with a range of VNIs") {
    tunnel.mode = TunnelType::vxlan;
    tunnel.id = {0xabcdef, 3};
    tunnel.port = 4789;
    CHECK(receive(*open_generator(pool, settings), 13) == expected.sequence("vxlan"));
  }
  SECTION("in GENEVE, from a range of VTEPs") {
    tunnel.mode = TunnelType::geneve;
    tunnel.id = {7, 1};
    tunnel.source_address.count = 4;
    tunnel.port = 6082;
    CHECK(receive(*open_generator(pool, settings), 13) == expected.sequence("geneve"));
  }
  SECTION("in GRE") {
    tunnel.mode = TunnelType::gretap;
    tunnel.id = {0xffff'fff0, 12};
    CHECK(receive(*open_generator(pool, settings), 13) == expected.sequence("gretap"));
  }
}

TEST_CASE("a tunnel's UDP checksums are scapy's, and only one that is verified is said to be") {
  const MbufPool pool;
  GeneratorSettings settings = settings_of(30);
  settings.frame_bytes = {60, 1518, 61};
  GeneratorTunnel& tunnel = settings.tunnel;
  tunnel.mode = TunnelType::vxlan;
  tunnel.id = {0xabcdef, 3};
  tunnel.port = 4789;
  tunnel.source_address = {0xac1f'0002, 4};
  tunnel.destination_address = 0xac1f'0001;
  tunnel.checksum = GENERATE(GeneratorTunnel::Checksum::filled, GeneratorTunnel::Checksum::verified);
  CHECK(receive(*open_generator(pool, settings), 31) == Frames::load(GENERATOR_FRAMES).sequence("summed"));

  const auto port = open_generator(pool, settings);
  rte_mbuf* frame = nullptr;
  REQUIRE(port->rx_burst(0, &frame, 1) == 1);
  const bool verified = tunnel.checksum == GeneratorTunnel::Checksum::verified;
  const uint64_t verdict = frame->ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
  CHECK(verdict == (verified ? RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0));
  CHECK(port->tx_burst(0, &frame, 1) == 1);
}

TEST_CASE("flows come in turn, evenly, or as Zipf has it") {
  GeneratorSettings settings = settings_of(1000);
  SECTION("sequential") {
    const auto counts = counted(settings, 3000);
    CHECK(counts.size() == 1000);
    CHECK(std::ranges::all_of(counts, [](const auto& item) { return item.second == 3; }));
  }
  SECTION("uniform") {
    settings.distribution = GeneratorSettings::Distribution::uniform;
    const auto counts = counted(settings, 1'000'000);
    CHECK(counts.size() == 1000);
    // Five standard deviations of 1,000.
    CHECK(std::ranges::all_of(counts, [](const auto& item) { return item.second > 842 && item.second < 1158; }));
  }
  SECTION("zipf") {
    settings.distribution = GeneratorSettings::Distribution::zipf;
    settings.flows = GENERATE(1U, 10U, 1000U, 100000U);
    constexpr unsigned kDraws = 1'000'000;
    const auto counts = counted(settings, kDraws);
    CHECK(counts.rbegin()->first < settings.flows);
    double harmonic = 0;
    for (uint32_t rank = settings.flows; rank > 0; --rank) harmonic += 1.0 / rank;
    // By octaves of ranks: 1, 2-3, 4-7, ...
    for (uint32_t low = 1; low <= settings.flows; low *= 2) {
      double share = 0;
      unsigned seen = 0;
      for (uint32_t rank = low; rank < 2 * low && rank <= settings.flows; ++rank) {
        share += 1.0 / rank / harmonic;
        if (const auto found = counts.find(rank - 1); found != counts.end()) seen += found->second;
      }
      CAPTURE(settings.flows, low);
      CHECK(std::abs(seen - share * kDraws) < 5 * std::sqrt(share * kDraws) + 1);
    }
  }
}

TEST_CASE("each queue has flows of its own") {
  const MbufPool pool;
  GeneratorSettings settings = settings_of(10);
  settings.rx_queues = 3;
  settings.distribution = GENERATE(GeneratorSettings::Distribution::sequential,
                                   GeneratorSettings::Distribution::uniform, GeneratorSettings::Distribution::zipf);
  settings.limit = 302;
  const auto port = open_generator(pool, settings);
  REQUIRE(port->rx_queues() == 3);
  size_t frames = 0;
  std::map<uint8_t, uint16_t> queue_of;  // by the last byte of the source MAC, the flow
  for (uint16_t queue = 0; queue < 3; ++queue) {
    for (const Bytes& frame : receive(*port, 1000, queue)) {
      ++frames;
      CHECK(frame[11] < 10);
      CHECK(queue_of.try_emplace(frame[11], queue).first->second == queue);
    }
  }
  CHECK(frames == 302);
  CHECK(queue_of.size() == 10);
}

TEST_CASE("a rate is kept, and what nobody fetched in time is counted") {
  Pacer pacer(0.25);
  CHECK(pacer.due(1000, 64) == 0);
  CHECK(pacer.due(1010, 64) == 2);
  CHECK(pacer.due(1012, 64) == 1);
  CHECK(pacer.due(2012, 64) == 64);  // 250 are due
  CHECK(pacer.due(2012, 1000) == 186);
  CHECK(pacer.missed() == 0);
  CHECK(pacer.due(2012 + 80000, 20000) == 4096);
  CHECK(pacer.missed() == 20000 - 4096);
  pacer.put_back(10);
  CHECK(pacer.due(2012 + 80000, 2000) == 10);

  const MbufPool pool;
  GeneratorSettings settings = settings_of(1);
  settings.rate = 1'000'000;
  settings.limit = 0;
  const auto port = open_generator(pool, settings);
  CHECK(receive(*port, 1).empty());
  const uint64_t started = rte_rdtsc();
  rte_delay_us_block(500);
  const size_t frames = receive(*port, 500).size();
  const double due = static_cast<double>(rte_rdtsc() - started) / static_cast<double>(rte_get_tsc_hz()) * 1e6;
  CHECK(frames >= 500);
  CHECK(static_cast<double>(frames) <= due + 7);
  rte_delay_us_block(5000);
  receive(*port, 1);
  CHECK(port->device_stats().rx_missed > 500);
}

TEST_CASE("its queues share the rate") {
  const MbufPool pool;
  GeneratorSettings settings = settings_of(4);
  settings.rate = 1'000'000;
  settings.limit = 0;
  settings.rx_queues = 4;
  const auto port = open_generator(pool, settings);
  const uint64_t started = rte_rdtsc();
  for (uint16_t queue = 0; queue < 4; ++queue) CHECK(receive(*port, 1, queue).empty());
  rte_delay_us_block(4000);
  for (uint16_t queue = 0; queue < 4; ++queue) {
    CAPTURE(queue);
    const size_t frames = receive(*port, 100'000, queue).size();
    const double due = static_cast<double>(rte_rdtsc() - started) / static_cast<double>(rte_get_tsc_hz()) * 250'000;
    CHECK(frames >= 999);
    CHECK(static_cast<double>(frames) <= due + 1);
  }
}

TEST_CASE("behind its limit a generator misses nothing") {
  const MbufPool pool;
  GeneratorSettings settings = settings_of(1);
  settings.rate = 10'000'000;
  settings.limit = 100;
  const auto port = open_generator(pool, settings);
  receive(*port, 1);
  rte_delay_us_block(5000);  // beyond the ring, too, but only 100 were ever to come
  CHECK(receive(*port, 200).size() == 100);
  rte_delay_us_block(5000);  // 50,000 would be due
  CHECK(receive(*port, 200).empty());
  CHECK(port->device_stats().rx_missed == 0);
}

TEST_CASE("frames that no buffer holds are refused") {
  const MbufPool pool(63, 1024 + RTE_PKTMBUF_HEADROOM);
  PortOptions options;
  options.pool = pool;
  GeneratorSettings settings = settings_of(1);
  settings.frame_bytes = {1025};
  OpenError error;
  CHECK(open_generator_port(options, settings, error) == nullptr);
  CHECK(error.text == "its frames need buffers of 1088 bytes, there are 1024");
}

TEST_CASE("without flows it sends nothing") {
  const MbufPool pool;
  GeneratorSettings settings = settings_of(0);
  settings.limit = 0;
  settings.rx_queues = 2;
  settings.distribution = GENERATE(GeneratorSettings::Distribution::sequential, GeneratorSettings::Distribution::zipf);
  const auto port = open_generator(pool, settings);
  CHECK(receive(*port, 1, 0).empty());
  CHECK(receive(*port, 1, 1).empty());
}

TEST_CASE("without a buffer a frame waits") {
  const MbufPool pool(15);
  const auto port = open_generator(pool, settings_of(30));
  std::array<rte_mbuf*, 16> frames;
  CHECK(port->rx_burst(0, frames.data(), 16) == 0);
  CHECK(receive(*port, 30).size() == 30);
}
