// Three who cut super-packets, and scapy, who says what must come of it: the segment stage, a NIC, and the kernel
// behind a TAP. Needs root: makes a network namespace of its own.
#include <unistd.h>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "pmd/port.h"
#include "tests/unit/nic/bed.h"
#include "tests/unit/pmd/bed.h"

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
      OpenError error;
      Namespace::command("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
      Namespace::command("ip link add wire0 mtu 1500 type veth peer name wire1 mtu 1500");
      Namespace::command("ethtool -K wire0 tx off tso off gso off gro off >/dev/null 2>&1");
      Namespace::command("ethtool -K wire1 gro off >/dev/null 2>&1");
      tap = open_tap_port(options, error);
      if (tap == nullptr) throw std::runtime_error(error.text);
      Namespace::command("ip link add bridge0 type bridge mcast_snooping 0");
      for (const char* port : {"tap0", "wire0"}) {
        Namespace::command("ip link set " + std::string(port) + " master bridge0 up");
      }
      Namespace::command("ip link set bridge0 up; ip link set wire1 up");
      options.name = "wire1";
      options.underlay = false;  // takes frames for anybody
      end = open_packet_port(options, error);
      if (end == nullptr) throw std::runtime_error(error.text);
    });
    wait_until_it_carries(pool);
  }

  // What arrives within so many milliseconds, `count` frames at most. Not probes: on a busy machine the kernel brings
  // them whenever it likes.
  std::vector<Bytes> receive(size_t count, int patience = 5000) {
    std::vector<Bytes> got;
    for (int turn = 0; turn < patience && got.size() < count; ++turn) {
      rte_mbuf* frame = nullptr;
      while (got.size() < count && end->rx_burst(0, &frame, 1) == 1) {
        CHECK_FALSE(has_intent(frame));
        got.push_back(to_bytes(frame));
        rte_pktmbuf_free(frame);
        if (got.back() != probe()) continue;
        got.pop_back();
        carries_ = true;
      }
      if (got.size() < count) usleep(1000);
    }
    return got;
  }

  std::unique_ptr<Port> tap;
  std::unique_ptr<Port> end;

 private:
  static Bytes probe() {
    Bytes broadcast(60, 0xff);
    std::fill_n(broadcast.begin() + 6, 6, 0x02);
    return broadcast;
  }

  // The kernel tells its bridge of a link that is up when it finds the time.
  void wait_until_it_carries(rte_mempool* pool) {
    for (int turn = 0; turn < 100 && !carries_; ++turn) {
      rte_mbuf* frame = to_mbuf(pool, probe());
      if (tap->tx_burst(0, &frame, 1) != 1) rte_pktmbuf_free(frame);
      receive(1, 100);
    }
    if (!carries_) throw std::runtime_error("the wire does not carry");
  }

  Namespace ns_;
  bool carries_ = false;
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

struct Row {
  std::string encap;
  std::string frames;  // cut.FRAMES.*
  bool nic;            // whether a NIC with every feature cuts it
  bool kernel;         // whether one that knows tunnels does
};

std::vector<Row> rows() {
  std::vector<Row> rows;
  const auto add = [&](const std::string& encap, const std::string& headers) {
    const bool gre = encap.starts_with("gre");
    // No NIC fills a GRE checksum; virtio-net headers know no GRE.
    rows.push_back({encap, encap + headers, encap != "gre-sum-key", !gre});
  };
  for (const char* l4 : {".tcp", ".udp"}) {
    for (const char* inner : {".4", ".6"}) {
      add("plain", std::string(inner) + l4);
      add("vlan", std::string(inner) + l4);
      for (const char* encap : {"vxlan", "vxlan-sum", "geneve", "geneve-sum", "geneve-options", "geneve-options-sum",
                                "gre", "gre-sum-key"}) {
        for (const char* outer : {".4", ".6"}) add(encap, std::string(outer) + inner + l4);
      }
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("matrix: software, NIC and kernel make the same segments of a super-packet") {
  Nic nic;
  MbufPool pool(4095, 2048 + RTE_PKTMBUF_HEADROOM);
  Wire wire(pool);
  const bool kernel_knows_tunnels = wire.tap->capabilities().has(Outer::geneve4, TxCapabilities::kTcp4);
  for (const Row& row : rows()) {
    size_t compared = 0;
    for (const std::string& name : segment_frames().names("cut." + row.frames + ".")) {
      const auto expected = segment_frames().sequence("want." + name.substr(4));
      // One segment is no super-packet: no port hands one out, and kernels don't take it for one.
      if (expected.size() == 1) continue;
      CAPTURE(name);
      DropReason reason = DropReason::none;
      check_same(segmented(unfinished(pool, name), TxCapabilities{}, {pool, pool}, 64, reason), expected);
      bool by_nic = false;
      check_same(nic.send_as_tx_does(name, by_nic), expected);
      CHECK(by_nic == row.nic);
      bool by_kernel = false;
      for (rte_mbuf* frame : as_tx_does(pool, name, wire.tap->capabilities(), by_kernel)) {
        REQUIRE(wire.tap->tx_burst(0, &frame, 1) == 1);
      }
      const uint8_t tunnel_bytes = written_intent(name).tunnel_bytes;
      check_same(without_ids(wire.receive(expected.size()), tunnel_bytes), without_ids(expected, tunnel_bytes));
      CHECK(by_kernel == (row.kernel && (tunnel_bytes == 0 || kernel_knows_tunnels)));
      ++compared;
    }
    CAPTURE(row.frames);
    CHECK(compared >= 1);
  }
  CHECK(wire.tap->device_stats().tx_errors == 0);
}
