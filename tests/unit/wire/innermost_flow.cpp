// Which frames a port without RSS gives to one worker: dataplane/flow/innermost_flow.h, over scapy's packets.
#include "dataplane/flow/innermost_flow.h"

#include <set>

#include "dataplane/flow/inner_flow.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

using namespace causeway;
using namespace causeway::test;

namespace {

const Frames& frames() {
  static const Frames all = Frames::load(WIRE_FRAMES);
  return all;
}

// Memory of exactly the frame's size: a read behind its end is noticed.
template <class Entropy>
uint32_t entropy_of(const Bytes& bytes, Entropy entropy) {
  MbufPool pool(7);
  rte_mbuf* const m = to_exact_mbuf(pool, bytes);
  const uint32_t result = entropy(m);
  rte_pktmbuf_free(m);
  return result;
}

uint32_t innermost(const std::string& name) { return entropy_of(frames()[name], innermost_entropy); }

uint32_t inner(const std::string& name) {
  return entropy_of(frames()[name], [](const rte_mbuf* m) { return inner_flow_of_any(m).entropy; });
}

}  // namespace

TEST_CASE("of GRE the frame inside tells the flow, whatever stands around it") {
  std::set<uint32_t> flows;
  for (const std::string flow : {"a", "b", "ipv6", "arp"}) {
    CAPTURE(flow);
    for (const std::string tunnel : {"gre", "gre-full", "gre-vlan", "gre-ipv6", "gre-other"}) {
      CAPTURE(tunnel);
      CHECK(innermost("flow." + tunnel + "." + flow) == inner("flow.plain." + flow));
    }
    flows.insert(inner("flow.plain." + flow));
  }
  CHECK(flows.size() == 4);
}

TEST_CASE("of ESP addresses and SPI tell it, of UDP the ports, of fragments the addresses") {
  CHECK(innermost("flow.esp.1") == innermost("flow.esp.1-later"));
  CHECK(innermost("flow.esp.1") != innermost("flow.esp.2"));
  CHECK(innermost("flow.vxlan.1") == inner("flow.vxlan.1"));
  CHECK(innermost("flow.vxlan.1") != innermost("flow.vxlan.2"));
  CHECK(innermost("flow.fragment.first") == innermost("flow.fragment.last"));
}

TEST_CASE("a frame may end anywhere") {
  const Bytes whole = frames()["flow.gre-full.a"];
  for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<Bytes::difference_type>(bytes));
    const uint32_t entropy = entropy_of(cut, innermost_entropy);
    if (bytes < 14) CHECK(entropy == 0);
  }
}
