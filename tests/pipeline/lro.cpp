// LRO of a bridge port's device: what it has merged is cut again where it leaves, into the segments that came.
#include <algorithm>
#include <map>
#include <span>
#include <stdexcept>

#include "control/port/self_test.h"
#include "control/view/view.h"
#include "pmd/ethdev/ethdev_receive.h"
#include "pmd/nic_model/nic_lro.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

// every_tunnel() with a modelled NIC as its bridge port.
std::string behind_lro(const std::string& settings = "{}", const std::string& lro = "on") {
  std::string yaml = every_tunnel();
  const std::string where = "lan0: {";
  return yaml.insert(yaml.find(where) + where.size(), "nic-model: " + settings + ", offloads: {lro: " + lro + "}, ");
}

// A modelled NIC and another port of the same MTU.
std::string bridge_of(const std::string& settings, const std::string& lro) {
  return R"(
version: 1
ethernets:
  lan0: {nic-model: )" +
         settings + ", offloads: {lro: " + lro + R"(}}
  lan1: {}
bridges:
  br0: {interfaces: [lan0, lan1]}
)";
}

const std::vector<Bytes>& frames_of(const std::string& name) {
  static std::map<std::string, std::vector<Bytes>> frames;
  return frames.try_emplace(name, pipeline_frames().sequence(name)).first->second;
}

uint64_t received(Bed& bed) {
  const PortIndex lan0 = bed.gateway().ports().find("lan0")->index;
  return bed.worker().counters().ports[lan0].traffic.rx_packets.get();
}

std::string lro_of(Bed& bed) {
  for (const auto& row : show(bed.gateway(), "offloads")) {
    if (row["port"] != "lan0" || row["offload"] != "lro") continue;
    return row["state"].get<std::string>() + ": " + row["reason"].get<std::string>();
  }
  return {};
}

// A device that merges as it should, but gets the last byte wrong if it is told to.
class MergingPort final : public MemoryPort {
 public:
  MergingPort(rte_mempool* pool, bool is_right)
      : MemoryPort({.name = "nic0", .pool = pool}, TxCapabilities{}, MacAddress{{2, 0, 0, 0, 0, 1}}),
        is_right_(is_right) {}

  bool lro() const noexcept override { return true; }
  bool loop(rte_mbuf* frame, std::vector<Received>& received) override {
    received.push_back({frame, 0});
    return true;
  }
  uint16_t merge(rte_mbuf** frames, uint16_t count) override {
    const uint16_t left = NicLro(NicFeatures{}).merge(frames, count);
    rte_mbuf* const last = rte_pktmbuf_lastseg(frames[left - 1]);
    if (!is_right_) *rte_pktmbuf_mtod_offset(last, uint8_t*, last->data_len - 1) ^= 1;
    return take_rx_work(frames, left, mtu(), LroSays::length);
  }

 private:
  bool is_right_;
};

std::vector<std::string> lro_verdicts(bool is_right) {
  const MbufPool pool;
  MergingPort port(pool, is_right);
  std::vector<std::string> wrong;
  for (const OffloadVerdict& verdict : test_offloads(port, pool)) {
    CHECK(verdict.lro);
    wrong.push_back(verdict.wrong);
  }
  return wrong;
}

std::string why_not(const std::string& yaml) {
  try {
    const Bed bed(yaml);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("lro: what a NIC merges leaves every tunnel as the segments that came") {
  Bed bed(behind_lro());
  const unsigned buffers = bed.buffers();
  size_t streams = 0;
  for (const std::string& name : pipeline_frames().names("big.")) {
    if (name.ends_with("small")) continue;
    CAPTURE(name);
    const std::string stream = name.substr(4);
    const uint64_t before = received(bed);
    for (const Bytes& frame : frames_of("plain." + stream)) bed.deliver("lan0", frame, {200});
    bed.run();
    CHECK(received(bed) - before == 1);
    const std::vector<Bytes> got = bed.take_bytes("up0");
    const std::vector<Bytes>& expected = frames_of("cut." + stream);
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) check_outer(got[i], expected[i]);
    CHECK(bed.buffers() == buffers);
    ++streams;
  }
  CHECK(streams > 50);
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("lro: between ports of a bridge the bytes are those that came") {
  Bed bed(bridge_of("{}", "on"));
  const auto& four = frames_of("plain.vx4.tcp4-5500");
  const auto& six = frames_of("plain.vx4.tcp6-5500");
  std::vector<Bytes> expected = four;
  expected.insert(expected.end(), six.begin(), six.end());
  for (size_t i = 0; i < four.size(); ++i) {
    bed.deliver("lan0", four[i]);
    bed.deliver("lan0", six[i]);
  }
  bed.run();
  CHECK(received(bed) == 2);
  CHECK(bed.take_bytes("lan1") == expected);

  // A gap, a wrong checksum, another window: nothing is lost, nothing overtaken.
  expected = four;
  expected.erase(expected.begin() + 2);
  expected[3].back() ^= 1;
  for (const Bytes& frame : expected) bed.deliver("lan0", frame);
  bed.run();
  CHECK(received(bed) == 2 + 4);
  CHECK(bed.take_bytes("lan1") == expected);
}

TEST_CASE("lro: a NIC that doesn't say what it merged is caught, and what it brings still fits") {
  Bed bed(bridge_of("{misreport: [lro]}", "on"));
  CHECK(
      lro_of(bed).starts_with("hardware: the device; forced, though its self-test found wrong lro (TCP over IPv4): "));
  CHECK(bed.gateway().ports().find("lan0")->verdicts.size() > 2);
  for (const char* name : {"plain.vx4.tcp4-30000", "plain.vx4.tcp6-30000"}) {
    CAPTURE(name);
    const size_t headers = std::string_view(name).find("tcp4") != std::string_view::npos ? 54 : 74;
    Bytes sent;
    for (const Bytes& frame : frames_of(name)) {
      sent.insert(sent.end(), frame.begin() + static_cast<ptrdiff_t>(headers), frame.end());
      bed.deliver("lan0", frame);
    }
    bed.run();
    Bytes got;
    for (const Bytes& frame : bed.take_bytes("lan1")) {
      CHECK(frame.size() <= 1514);
      got.insert(got.end(), frame.begin() + static_cast<ptrdiff_t>(headers), frame.end());
    }
    CHECK(got == sent);
  }
  Bed honest(bridge_of("{}", "on"));
  CHECK(lro_of(honest) == "hardware: the device");
  CHECK(std::ranges::all_of(honest.gateway().ports().find("lan0")->verdicts,
                            [](const OffloadVerdict& verdict) { return verdict.wrong.empty(); }));
}

TEST_CASE("lro: the self-test looks at every byte of what comes out of a merged frame") {
  CHECK(lro_verdicts(true) == std::vector<std::string>{"", ""});
  // By its TCP checksum, which stands in front.
  CHECK(lro_verdicts(false) == std::vector<std::string>{"wrong byte 50 of segment 4", "wrong byte 70 of segment 4"});
}

TEST_CASE("lro: off unless asked for, and an error where it can't be") {
  Bed bed(bridge_of("{}", "auto"));
  CHECK(lro_of(bed) == "off: only with offloads.lro: on");
  const auto& frames = frames_of("plain.vx4.tcp4-5500");
  for (const Bytes& frame : frames) bed.deliver("lan0", frame);
  bed.run();
  CHECK(received(bed) == frames.size());
  REQUIRE(bed.apply(bridge_of("{}", "on")).empty());
  CHECK(lro_of(bed) == "hardware: the device");
  REQUIRE(bed.apply(bridge_of("{}", "off")).empty());
  CHECK(lro_of(bed) == "off: offloads.lro: off");

  const std::string lacks = "offloads.lro: the device lacks RTE_ETH_RX_OFFLOAD_TCP_LRO";
  CHECK(why_not(bridge_of("{without: [lro]}", "on")).find(lacks) != std::string::npos);
  std::string yaml = every_tunnel();
  yaml.insert(yaml.find("lan0: {") + 7, "offloads: {lro: on}, ");
  CHECK(why_not(yaml).find(lacks) != std::string::npos);
  yaml = every_tunnel();
  yaml.insert(yaml.find("  up0:\n") + 7, "    nic-model: {}\n    offloads: {lro: on}\n");
  CHECK(why_not(yaml).find("offloads.lro: an underlay receives tunnels") != std::string::npos);
}

}  // namespace causeway::test
