// What is received from the underlay: every row of the table is a frame by scapy, and comes out as the inner frame
// or dies of exactly one reason.
#include <set>

#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

struct Row {
  std::string name;     // "ipv4.checksum"
  std::string verdict;  // "accept" or a drop reason
  Bytes frame;
  uint64_t flags = 0;
};

std::vector<Row> rows_of(const std::string& group) {
  std::vector<Row> rows;
  for (const std::string& name : pipeline_frames().names("decap." + group + ".")) {
    const size_t dot = name.rfind('.');
    Row row{name.substr(6, dot - 6), name.substr(dot + 1), pipeline_frames()[name], 0};
    const uint64_t nic = pipeline_frames().number(name, "nic");
    if ((nic & 1) != 0) row.flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
    if ((nic & 2) != 0) row.flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
    if ((nic & 4) != 0) row.flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    if ((nic & 8) != 0) row.flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    rows.push_back(std::move(row));
  }
  return rows;
}

// All that decap_frames.py has rows of.
std::set<std::string> groups() {
  std::set<std::string> groups;
  for (const std::string& name : pipeline_frames().names("decap."))
    groups.insert(name.substr(6, name.find('.', 6) - 6));
  return groups;
}

void check_row(Bed& bed, const Row& row, const std::vector<uint16_t>& chain) {
  const bool accepted = row.verdict == "accept";
  const Counts before = bed.counts();
  const unsigned buffers = bed.buffers();
  bed.send("up0", row.frame, chain, row.flags);
  const Counts rise = bed.counts() - before;
  CHECK(to_text(rise) == (accepted ? "" : row.verdict + " 1"));
  CHECK(rise.rx == 1);
  CHECK(rise.rx == rise.tx + rise.all_drops());
  CHECK(rise.to_control + rise.from_control == 0);
  CHECK(rise.rx_drops == (accepted ? 0U : 1U));
  CHECK(rise.tx_drops == 0);
  const std::vector<Bytes> out = bed.take_bytes("lan0");
  CHECK(bed.nothing_sent());
  CHECK(bed.buffers() == buffers);
  REQUIRE(out.size() == (accepted ? 1U : 0U));
  if (accepted) CHECK(to_hex(out.front()) == to_hex(pipeline_frames()["inner." + row.name]));
}

// The frame behind and in front of one that is right, in one burst: nothing changes for either.
void check_in_company(Bed& bed, const Row& row, const std::string& leader) {
  const bool accepted = row.verdict == "accept";
  // The outer cache knows the leader: from its second frame on, since the first may bring its MAC back to its tunnel.
  for (int times = 0; times < 2; ++times) bed.send("up0", pipeline_frames()["decap." + leader + ".accept"]);
  bed.take_bytes("lan0");
  const Counts before = bed.counts();
  bed.deliver("up0", pipeline_frames()["decap." + leader + ".accept"]);
  bed.deliver("up0", row.frame, {}, row.flags);
  bed.send("up0", pipeline_frames()["decap." + leader + ".accept"]);
  CHECK(to_text(bed.counts() - before) == (accepted ? "" : row.verdict + " 1"));
  const std::vector<Bytes> out = bed.take_bytes("lan0");
  const Bytes& right = pipeline_frames()["inner." + leader];
  REQUIRE(out.size() == (accepted ? 3U : 2U));
  CHECK(to_hex(out.front()) == to_hex(right));
  CHECK(to_hex(out.back()) == to_hex(right));
  if (accepted) CHECK(to_hex(out[1]) == to_hex(pipeline_frames()["inner." + row.name]));
}

// RFC 791, of a header of 20 bytes behind 14 of Ethernet, word by word.
void write_ipv4_checksum(Bytes& frame) {
  frame[24] = frame[25] = 0;
  uint32_t sum = 0;
  for (size_t i = 14; i < 34; i += 2) sum += frame[i] << 8 | frame[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = static_cast<uint8_t>(~sum >> 8);
  frame[25] = static_cast<uint8_t>(~sum);
}

void check_group(const std::string& group) {
  Bed bed(every_tunnel());
  const std::vector<Row> rows = rows_of(group);
  REQUIRE(!rows.empty());
  for (const Row& row : rows) {
    INFO(row.name << " -> " << row.verdict);
    check_row(bed, row, {});
    check_in_company(bed, row, "vxlan.right");
    check_in_company(bed, row, "geneve.right");
    // Headers in the first buffer, the rest in small ones of odd sizes.
    if (row.frame.size() > 400) check_row(bed, row, {384, 77, 1, 200});
    if (row.frame.size() > 160 && row.verdict == "accept" && group != "geneve") check_row(bed, row, {143, 1, 2, 33});
  }
}

}  // namespace

TEST_CASE("decap: every row of every group ends as it says") {
  for (const std::string& group : groups()) {
    DYNAMIC_SECTION(group) { check_group(group); }
  }
}

namespace {

// A frame that is accepted, whose outer headers and inner Ethernet header are `bytes` long.
struct Leader {
  const char* name;
  size_t bytes;
  bool verified = false;  // the NIC has found the checksums right
};

constexpr Leader kLeaders[] = {
    {"vxlan.right", 64},
    {"geneve.right", 64},
    {"udp.checksum-right-60", 64},
    {"udp.checksum-right-60", 64, true},
    {"geneve.c-bit-clear", 80},
    {"geneve.c-bit-options-not-critical", 72},
    {"ipv6.right", 84},
    {"ipv6.right", 84, true},
    {"ipv6.vxlan-no-checksum", 84},
    {"ipv6.geneve-no-checksum-allowed", 84},
    {"gre.key", 56},
    {"gre.no-key", 52},
    {"gre.ipv6", 76},
    {"gre.checksum-no-key", 56},
    {"gre.sequence", 60},
    {"gre.everything", 64},
    {"nvgre.right", 56},
    {"nvgre.ipv6", 76},
    {"options.in-another-order-and-more", 84},
    {"options.known-not-wanted", 72},
    {"options.critical-known", 96},
};

uint64_t unknown_options(Bed& bed) {
  const UnknownOptions& unknown = bed.worker().counters().unknown_options;
  uint64_t sum = unknown.others();
  for (const UnknownOptions::Class& one : unknown.classes()) sum += one.count.get();
  return sum;
}

bool is_known(Bed& bed, const Bytes& frame) {
  rte_mbuf* const m = to_mbuf(bed.pool(), frame);
  const PortIndex port = bed.gateway().ports().all().at("up0").index;
  const MacVlan mac = mac_vlan(bed.gateway().tables().port(port)->mac, 0);
  const OuterCache::View view = bed.worker().outer_cache().view(port, mac, bed.worker().flow_cache().epoch());
  const OuterFamily family = OuterFamily::of(frame.data()).value();
  bool sum = false;
  const OuterCache::Entry* known = nullptr;
  if (family.ipv6) {
    known = family.udp ? view.find<OuterFamily{true, true}>(m, sum) : view.find<OuterFamily{true, false}>(m, sum);
  } else {
    known = family.udp ? view.find<OuterFamily{false, true}>(m, sum) : view.find<OuterFamily{false, false}>(m, sum);
  }
  rte_pktmbuf_free(m);
  return known != nullptr;
}

// What becomes of a frame and of its copies with a flipped bit each.
void check_flips(Bed& bed, const Leader& leader) {
  const Bytes& right = pipeline_frames()["decap." + std::string(leader.name) + ".accept"];
  const uint64_t flags = leader.verified ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
  const bool ipv4 = right[12] == 8;
  for (size_t number = 0; number < 2 * 8 * std::min(leader.bytes, right.size()); ++number) {
    const size_t bit = number / 2;
    const bool summed = number % 2 == 1;  // with the IP checksum made right again
    if (summed && !ipv4) continue;
    CAPTURE(leader.name, bit, summed);
    Bytes frame = right;
    frame[bit / 8] = static_cast<uint8_t>(frame[bit / 8] ^ (1U << bit % 8));
    if (summed) write_ipv4_checksum(frame);
    // Twice, so that what it teaches the bridge is known; each time without what the outer cache knows.
    bed.begin_epoch();
    bed.send("up0", frame, {}, flags);
    bed.take_bytes("lan0");
    bed.begin_epoch();
    const Counts before = bed.counts();
    const uint64_t options_before = unknown_options(bed);
    bed.send("up0", frame, {}, flags);
    const Counts alone = bed.counts() - before;
    const uint64_t options_alone = unknown_options(bed) - options_before;
    const std::vector<Bytes> out = bed.take_bytes("lan0");
    // Twice too: a MAC that moves back to its tunnel begins an epoch. So do other things, at their own times.
    for (int times = 0; times < 2 || (times < 8 && !is_known(bed, right)); ++times) bed.send("up0", right, {}, flags);
    bed.take_bytes("lan0");
    const uint64_t options_of_right = unknown_options(bed);
    CHECK(is_known(bed, right));
    bed.send("up0", right, {}, flags);
    const uint64_t options_between = unknown_options(bed);
    bed.take_bytes("lan0");
    bed.deliver("up0", right, {}, flags);
    const Counts between = bed.counts();
    bed.send("up0", frame, {}, flags);
    CHECK(to_text(bed.counts() - between) == to_text(alone));
    CHECK(unknown_options(bed) - options_between == options_alone + options_between - options_of_right);
    std::vector<Bytes> behind = bed.take_bytes("lan0");
    REQUIRE(behind.size() == out.size() + 1);
    behind.erase(behind.begin());
    CHECK(behind == out);
    CHECK(bed.nothing_sent());
  }
}

}  // namespace

// Whatever is made out of the headers of the frame in front must say what the frame's own say.
TEST_CASE("decap: a flipped bit has the same end alone and behind a right frame") {
  for (const Leader& leader : kLeaders) {
    DYNAMIC_SECTION(leader.name << (leader.verified ? ", verified" : "")) {
      Bed bed(every_tunnel());
      check_flips(bed, leader);
    }
  }
}

TEST_CASE("decap: headers beyond the first buffer are never read") {
  Bed bed(every_tunnel());
  const Bytes& frame = pipeline_frames()["decap.geneve.options-252-bytes.accept"];
  for (uint16_t first = 1; first < 320; ++first) {
    CAPTURE(first);
    const Counts before = bed.counts();
    bed.send("up0", frame, {first, 1000});
    const Counts rise = bed.counts() - before;
    CHECK(rise.rx == rise.tx + rise.all_drops());
    const std::vector<Bytes> out = bed.take_bytes("lan0");
    CHECK(out.size() == rise.tx);
    // Ethernet, IPv4, UDP, GENEVE with its options, and the inner Ethernet header.
    CHECK(out.size() == (first >= 14 + 20 + 8 + 8 + 252 + 14 ? 1 : 0));
    if (!out.empty()) CHECK(out.front() == pipeline_frames()["inner.geneve.options-252-bytes"]);
  }
}

TEST_CASE("decap: every reason of the outer headers has its row") {
  std::set<std::string> seen;
  for (const std::string& name : pipeline_frames().names("decap.")) seen.insert(name.substr(name.rfind('.') + 1));
  const auto first = static_cast<size_t>(DropReason::not_for_us);
  const auto last = static_cast<size_t>(DropReason::tunnel_unassigned);
  for (size_t i = first; i <= last; ++i) {
    CAPTURE(kDropReasonText[i].name);
    CHECK(seen.count(std::string(kDropReasonText[i].name)) == 1);
  }
}

}  // namespace causeway::test
