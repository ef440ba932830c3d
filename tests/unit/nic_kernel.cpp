// The third opinion: the kernel behind a TAP cuts the same super-packets into the same segments. Needs root: makes a
// network namespace of its own.
#include <unistd.h>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "pmd/port.h"
#include "tests/unit/pmd_bed.h"
#include "tests/unit/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

// A TAP whose frames leave by a wire that neither cuts nor sums, and the other end of that wire.
class Wire {
 public:
  explicit Wire(rte_mempool* pool) {
    PortOptions options;
    options.pool = pool;
    options.name = "tap0";
    options.underlay = true;
    ns_.inside([&] {
      std::string error;
      Namespace::command("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
      Namespace::command("ip link add wire0 mtu 1500 type veth peer name wire1 mtu 1500");
      Namespace::command("ethtool -K wire0 tx off tso off gso off gro off >/dev/null 2>&1");
      Namespace::command("ethtool -K wire1 gro off >/dev/null 2>&1");
      tap = open_tap_port(options, error);
      if (tap == nullptr) throw std::runtime_error(error);
      Namespace::command("ip link add bridge0 type bridge mcast_snooping 0");
      for (const char* port : {"tap0", "wire0"}) {
        Namespace::command("ip link set " + std::string(port) + " master bridge0 up");
      }
      Namespace::command("ip link set bridge0 up; ip link set wire1 up");
      options.name = "wire1";
      options.underlay = false;  // takes frames for anybody
      end = open_packet_port(options, error);
      if (end == nullptr) throw std::runtime_error(error);
    });
  }

  // What arrives within a second, `count` frames at most.
  std::vector<Bytes> receive(size_t count) const {
    std::vector<Bytes> got;
    for (int turn = 0; turn < 1000 && got.size() < count; ++turn) {
      rte_mbuf* frame = nullptr;
      while (got.size() < count && end->rx_burst(0, &frame, 1) == 1) {
        CHECK_FALSE(has_intent(frame));
        got.push_back(to_bytes(frame));
        rte_pktmbuf_free(frame);
      }
      if (got.size() < count) usleep(1000);
    }
    return got;
  }

  std::unique_ptr<Port> tap;
  std::unique_ptr<Port> end;

 private:
  Namespace ns_;
};

// IPv4 ids are numbered as the sender likes (RFC 6864); the header's checksum has been looked at.
Bytes without_id(Bytes frame, size_t l3) {
  if (frame.at(l3) != Ipv4Header::kVersionIhl) return frame;
  auto& ip = *reinterpret_cast<Ipv4Header*>(&frame.at(l3));
  CHECK(ipv4_checksum_valid(ip));
  ip.id = be16{};
  ip.checksum = be16{};
  return frame;
}

std::vector<Bytes> without_ids(std::vector<Bytes> frames, uint8_t tunnel_bytes) {
  for (Bytes& frame : frames) {
    frame = without_id(std::move(frame), tunnel_bytes + size_t{14});
    if (tunnel_bytes != 0) frame = without_id(std::move(frame), 14);
  }
  return frames;
}

}  // namespace

TEST_CASE("the kernel behind a TAP cuts super-packets into scapy's segments, but for IPv4 ids") {
  MbufPool pool(4095, 2048 + RTE_PKTMBUF_HEADROOM);
  const Wire wire(pool);
  size_t cut = 0;
  for (const char* prefix : {"cut.plain.", "cut.vxlan", "cut.geneve"}) {
    for (const std::string& name : segment_frames().names(prefix)) {
      const auto expected = segment_frames().sequence("want." + name.substr(4));
      if (expected.size() == 1) continue;  // the kernel takes it for no super-packet, nor does any port hand one out
      rte_mbuf* frame = unfinished(pool, name);
      if (!port_takes(frame, wire.tap->capabilities())) {  // tunnels, before Linux 6.17
        rte_pktmbuf_free(frame);
        continue;
      }
      CAPTURE(name);
      REQUIRE(wire.tap->tx_burst(0, &frame, 1) == 1);
      const uint8_t tunnel_bytes = written_intent(name).tunnel_bytes;
      check_same(without_ids(wire.receive(expected.size()), tunnel_bytes), without_ids(expected, tunnel_bytes));
      ++cut;
    }
  }
  CHECK(cut >= 12);
  CHECK(wire.tap->device_stats().tx_errors == 0);
}
