// What is received from the underlay: every row of the table is a frame by scapy, and comes out as the inner frame
// or dies of exactly one reason.
#include <set>

#include "tests/pipeline/bed.h"

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

void check_group(const std::string& group) {
  Bed bed(every_tunnel());
  const std::vector<Row> rows = rows_of(group);
  REQUIRE(!rows.empty());
  for (const Row& row : rows) {
    INFO(row.name << " -> " << row.verdict);
    check_row(bed, row, {});
    // Headers in the first buffer, the rest in small ones of odd sizes.
    if (row.frame.size() > 400) check_row(bed, row, {384, 77, 1, 200});
    if (row.frame.size() > 160 && row.verdict == "accept" && group != "geneve") check_row(bed, row, {143, 1, 2, 33});
  }
}

}  // namespace

TEST_CASE("decap: outer IPv4") { check_group("ipv4"); }
TEST_CASE("decap: outer IPv6") { check_group("ipv6"); }
TEST_CASE("decap: UDP") { check_group("udp"); }
TEST_CASE("decap: GENEVE") { check_group("geneve"); }
TEST_CASE("decap: VXLAN") { check_group("vxlan"); }
TEST_CASE("decap: GRE") { check_group("gre"); }
TEST_CASE("decap: ECN as RFC 6040 combines it") { check_group("ecn"); }

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
