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

// Whatever is made out of the headers of the frame in front must say what the frame's own say.
TEST_CASE("decap: a flipped bit has the same end alone and behind a right frame") {
  Bed bed(every_tunnel());
  for (const char* leader : {"vxlan.right", "geneve.right"}) {
    const Bytes& right = pipeline_frames()["decap." + std::string(leader) + ".accept"];
    for (size_t number = 0; number < 2 * 64 * 8; ++number) {
      const size_t bit = number / 2;
      const bool summed = number % 2 == 1;  // with the IP checksum made right again
      CAPTURE(leader, bit, summed);
      Bytes frame = right;
      frame[bit / 8] = static_cast<uint8_t>(frame[bit / 8] ^ (1U << bit % 8));
      if (summed) write_ipv4_checksum(frame);
      // Twice, so that what it teaches the bridge is known; each time without what the outer cache knows.
      bed.begin_epoch();
      bed.send("up0", frame);
      bed.take_bytes("lan0");
      bed.begin_epoch();
      const Counts before = bed.counts();
      bed.send("up0", frame);
      const Counts alone = bed.counts() - before;
      const std::vector<Bytes> out = bed.take_bytes("lan0");
      // Twice too: a MAC that moves back to its tunnel begins an epoch.
      for (int times = 0; times < 2; ++times) bed.send("up0", right);
      bed.take_bytes("lan0");
      bed.deliver("up0", right);
      const Counts between = bed.counts();
      bed.send("up0", frame);
      CHECK(to_text(bed.counts() - between) == to_text(alone));
      std::vector<Bytes> behind = bed.take_bytes("lan0");
      REQUIRE(behind.size() == out.size() + 1);
      behind.erase(behind.begin());
      CHECK(behind == out);
      CHECK(bed.nothing_sent());
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
