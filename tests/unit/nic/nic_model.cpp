// The modelled NIC against scapy's segments, and thereby against the segment stage, which makes the same of them.
#include "tests/unit/nic/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

std::string expected_of(const std::string& name) {
  return (name.starts_with("cut.") ? "want." : "done.") + name.substr(name.find('.') + 1);
}

}  // namespace

TEST_CASE("a NIC with everything cuts each super-packet into scapy's segments") {
  Nic nic;
  REQUIRE(nic.port != nullptr);
  size_t cut = 0;
  for (const std::string& name : segment_frames().names("cut.")) {
    CAPTURE(name);
    bool hardware = false;
    const auto got = nic.send_as_tx_does(name, hardware);
    check_same(got, segment_frames().sequence(expected_of(name)));
    // What no NIC fills is a GRE header's checksum; what none looks into is a tunnel within a tunnel.
    const bool beyond = name.find("gre-sum-key") != name.npos || name.find("outer-tag-gre") != name.npos ||
                        name.starts_with("cut.within-");
    CHECK(hardware != beyond);
    if (hardware) ++cut;
  }
  CHECK(cut > 150);
  CHECK(nic.port->device_stats().tx_errors == 0);
}

TEST_CASE("a NIC fills the innermost checksum of a frame that needs no cutting") {
  Nic nic;
  for (const std::string& name : segment_frames().names("whole.")) {
    if (name.starts_with("whole.within-")) continue;  // software's
    CAPTURE(name);
    const Bytes& done = segment_frames()[expected_of(name)];
    // As encap leaves it: the outer checksum is there already.
    Bytes bytes = done;
    const Intent intent = written_intent(name);
    const size_t field = intent.csum_start + intent.csum_offset;
    std::copy_n(segment_frames()[name].begin() + static_cast<long>(field), 2, bytes.begin() + static_cast<long>(field));
    rte_mbuf* frame = to_mbuf(nic.pool, bytes, {700, 1400});
    set_intent(frame, intent, kNeedsChecksum);
    REQUIRE(port_takes(frame, nic.port->capabilities()));
    check_same(nic.send(frame), {done});
  }
}

TEST_CASE("what the NIC lacks is done in software, and nothing else") {
  struct Case {
    std::vector<std::string> without;
    std::string frame;
    bool hardware;
  };
  const auto any_of = [](const std::string& prefix) {
    const auto names = segment_frames().names("cut." + prefix);
    REQUIRE_FALSE(names.empty());
    return names.front();
  };
  for (const Case& c : {Case{{"geneve-tso-ipv4", "geneve-tso-ipv6"}, any_of("geneve.4.4.tcp"), false},
                        {{"geneve-tso-ipv4", "geneve-tso-ipv6"}, any_of("vxlan.4.4.tcp"), true},
                        {{"geneve-tso-ipv4", "geneve-tso-ipv6"}, any_of("geneve-options.6.4.tcp"), false},
                        {{"vxlan-tso-ipv6"}, any_of("vxlan.4.4.tcp"), true},
                        {{"vxlan-tso-ipv6"}, any_of("vxlan.6.4.tcp"), false},
                        {{"outer-checksum"}, any_of("vxlan.4.6.tcp"), true},
                        {{"outer-checksum"}, any_of("vxlan-sum.4.6.tcp"), false},
                        {{"outer-checksum", "outer-checksum-kept"}, any_of("vxlan-sum.4.6.tcp"), false},
                        {{"tso-ipv6"}, any_of("vxlan.4.6.tcp"), false},
                        {{"tso-ipv6"}, any_of("vxlan.6.4.tcp"), true},
                        {{"tso-ipv4"}, any_of("plain.4.tcp"), false},
                        {{"tso-ipv4"}, any_of("plain.6.tcp"), true},
                        {{"udp-segmentation"}, any_of("geneve.4.4.udp"), false},
                        {{"udp-segmentation"}, any_of("geneve.4.4.tcp"), true},
                        {{"gre-tso-ipv4"}, any_of("gre.4.4.tcp"), false},
                        {{"checksum"}, any_of("plain.4.tcp"), false}}) {
    NicModelSettings settings;
    settings.without = features(c.without);
    REQUIRE_FALSE(settings.without.empty());
    Nic nic(settings);
    CAPTURE(c.without, c.frame);
    bool hardware = false;
    check_same(nic.send_as_tx_does(c.frame, hardware), segment_frames().sequence(expected_of(c.frame)));
    CHECK(hardware == c.hardware);
  }
}

TEST_CASE("a NIC that can't fill outer checksums still cuts all segments of one size") {
  NicModelSettings settings;
  settings.without = features({"outer-checksum"});
  Nic nic(settings);
  size_t cut = 0;
  for (const std::string& name : segment_frames().names("cut.")) {
    const Intent intent = written_intent(name);
    const bool udp_tunnel = intent.outer() >= Outer::geneve4 && intent.outer() <= Outer::vxlan6;
    if (intent.outer_checksum == 0 || !udp_tunnel) continue;
    CAPTURE(name);
    bool hardware = false;
    const std::vector<Bytes>& wanted = segment_frames().sequence(expected_of(name));
    std::vector<Bytes> sent;
    const std::vector<rte_mbuf*> frames = as_tx_does(nic.pool, name, nic.port->capabilities(), hardware);
    const bool partly = has_intent(frames.front());
    CHECK((!partly || frames.size() <= 2));
    CHECK((partly || wanted.size() <= 2 || name.find("within") != name.npos));
    for (rte_mbuf* frame : frames) {
      for (Bytes& bytes : nic.send(frame)) sent.push_back(std::move(bytes));
    }
    check_same(sent, wanted);
    if (partly) ++cut;
  }
  CHECK(cut > 10);
  CHECK(nic.port->device_stats().tx_errors == 0);
}

TEST_CASE("a misreporting NIC sends something else") {
  struct Case {
    std::string lie;
    std::string spoils;    // a part of the names of frames that come out wrong
    std::string harmless;  // of some that don't
  };
  for (const Case& c : {Case{"checksum", "plain", ""},
                        {"tso-ipv4", "plain.4", "plain.6"},
                        {"tso-ipv6", "plain.6", "plain.4"},
                        {"udp-segmentation", "vxlan.4.4.udp", "vxlan.4.4.tcp"},
                        {"geneve-tso-ipv4", "geneve.4", "geneve.6"},
                        {"geneve-tso-ipv6", "geneve.6", "vxlan.6"},
                        {"vxlan-tso-ipv4", "vxlan.4", "geneve.4"},
                        {"vxlan-tso-ipv6", "vxlan.6", "vxlan.4"},
                        {"gre-tso-ipv4", "gre.4", "gre.6"},
                        {"gre-tso-ipv6", "gre.6", "plain.4"},
                        {"outer-checksum", "vxlan-sum.4", "vxlan.4"}}) {
    CAPTURE(c.lie);
    NicModelSettings settings;
    settings.misreport = features({c.lie});
    REQUIRE_FALSE(settings.misreport.empty());
    Nic nic(settings);
    bool hardware = false;
    for (const std::string& name : segment_frames().names("cut." + c.spoils)) {
      const auto expected = segment_frames().sequence(expected_of(name));
      CAPTURE(name);
      const bool same = nic.send_as_tx_does(name, hardware) == expected;
      REQUIRE(hardware);
      // A super-packet that is one segment needs no cutting.
      if (expected.size() > 1) CHECK_FALSE(same);
    }
    for (const std::string& name : segment_frames().names("cut." + c.harmless + ".")) {
      if (c.harmless.empty()) break;
      CAPTURE(name);
      CHECK(nic.send_as_tx_does(name, hardware) == segment_frames().sequence(expected_of(name)));
    }
  }
}

TEST_CASE("toggles bind the model as they bind a NIC") {
  OffloadSettings on;
  on.tunnel_tso = Toggle::on;
  NicModelSettings settings;
  settings.without = features({"vxlan-tso-ipv4", "vxlan-tso-ipv6"});
  CHECK(Nic(settings, on).error == "offloads.tunnel-tso: the device lacks RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO");
  OffloadSettings off;
  off.tunnel_tso = Toggle::off;
  const Nic nic({}, off);
  CHECK_FALSE(nic.port->capabilities().has(Outer::vxlan4, TxCapabilities::kTcp4));
  CHECK(nic.port->capabilities().has(Outer::none, TxCapabilities::kTcp4 | TxCapabilities::kUdp6));
}

TEST_CASE("verdicts on received checksums") {
  const auto flags_of = [](Nic& nic, const Bytes& bytes) {
    nic.cable->deliver(to_mbuf(nic.pool, bytes, {40, 7}));
    rte_mbuf* frame = nullptr;
    REQUIRE(nic.port->rx_burst(0, &frame, 1) == 1);
    const uint64_t flags = frame->ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    rte_pktmbuf_free(frame);
    return flags;
  };
  const uint64_t good = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  NicModelSettings lying;
  lying.misreport = features({"rx-checksum"});
  NicModelSettings without;
  without.without = features({"rx-checksum"});
  Nic honest;
  Nic liar(lying);
  Nic silent(without);
  const Bytes right = segment_frames()["done.vxlan-sum.4.6.tcp"];
  Bytes wrong = right;
  wrong.back() ^= 1;
  Bytes wrong_ip = right;
  wrong_ip[14 + 8] ^= 1;
  CHECK(flags_of(honest, right) == good);
  CHECK(flags_of(honest, wrong) == (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD));
  CHECK(flags_of(honest, wrong_ip) == (RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD));
  CHECK(flags_of(honest, segment_frames()["done.geneve-sum.6.4.udp"]) == RTE_MBUF_F_RX_L4_CKSUM_GOOD);
  CHECK(flags_of(honest, segment_frames()["done.vxlan.4.6.tcp"]) == RTE_MBUF_F_RX_IP_CKSUM_GOOD);
  CHECK(flags_of(liar, wrong) == good);
  CHECK(flags_of(silent, right) == 0);
}

TEST_CASE("frames of one flow stay on one queue, and all queues get some") {
  Nic nic({}, {}, 4);
  const Bytes frame = segment_frames()["done.vxlan.4.4.tcp"];
  std::array<size_t, 4> got{};
  for (int turn = 0; turn < 2; ++turn) {
    for (uint8_t flow = 0; flow < 64; ++flow) {
      Bytes bytes = frame;
      bytes[14 + 20 + 1] = flow;  // the outer source port
      nic.cable->deliver(to_mbuf(nic.pool, bytes));
    }
    std::array<size_t, 4> now{};
    for (uint16_t queue = 0; queue < 4; ++queue) {
      std::array<rte_mbuf*, 64> frames;
      now[queue] += nic.port->rx_burst(queue, frames.data(), frames.size());
      rte_pktmbuf_free_bulk(frames.data(), static_cast<unsigned>(now[queue]));
      CHECK(now[queue] > 4);
    }
    if (turn == 1) CHECK(now == got);
    got = now;
  }
}
