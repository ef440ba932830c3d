// Nanoseconds per segment of the segment and coalesce stages beside DPDK's librte_gso and librte_gro, and of a large
// frame's checksum, in one process, in turns. bench/micro.py runs it and reads what it prints: lines of ROW SUBJECT
// NANOSECONDS, one a round.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_gro.h>
#include <rte_gso.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "dataplane/egress/coalesce.h"
#include "dataplane/egress/encap.h"
#include "dataplane/frame/intent.h"
#include "dataplane/gso/segment.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

constexpr uint32_t kVxlanTso = 1U << 9;   // RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO of rte_ethdev.h
constexpr uint32_t kTcpOptionBytes = 12;  // timestamps, as Linux sends them
constexpr uint32_t kTcpBytes = sizeof(TcpHeader) + kTcpOptionBytes;
constexpr uint32_t kPlainBytes = 14 + sizeof(Ipv4Header) + kTcpBytes;
constexpr uint32_t kTunnelBytes = 14 + sizeof(Ipv4Header) + sizeof(UdpHeader) + sizeof(VxlanHeader);
static_assert(sizeof(GeneveHeader) == sizeof(VxlanHeader));
constexpr uint32_t kMss = 1398;  // what fits into 1,500 bytes beside VXLAN over IPv4
constexpr uint32_t kSegments = 46;
constexpr uint32_t kSuperPayload = kMss * kSegments;
constexpr uint32_t kMerged = 45;  // TCP segments that fit into a frame of 64 KB behind all headers

rte_mempool* pool = nullptr;
rte_mempool* pieces = nullptr;  // without data room
volatile uint64_t sink = 0;

// What is around a frame. GENEVE wants its UDP checksum, VXLAN doesn't.
enum class Around { nothing, vxlan, geneve };

// Headers in front of `payload_bytes`. Checksums complete but for the outer UDP one, which is as encap leaves it.
std::vector<uint8_t> make_headers(Around around, uint32_t payload_bytes, uint16_t id, uint32_t sequence) {
  const bool tunnel = around != Around::nothing;
  std::vector<uint8_t> bytes((tunnel ? kTunnelBytes : 0) + kPlainBytes);
  const auto ethernet = [&](uint32_t at) {
    bytes[at] = bytes[at + 6] = 2;
    bytes[at + 12] = 8;
  };
  const auto ip = [&](uint32_t at, uint8_t protocol) {
    auto& header = *reinterpret_cast<Ipv4Header*>(&bytes[at]);
    header.version_ihl = Ipv4Header::kVersionIhl;
    header.total_bytes.set(static_cast<uint16_t>(bytes.size() + payload_bytes - at));
    header.id.set(id);
    header.fragment.set(kIpv4DontFragment);
    header.ttl = 64;
    header.protocol = protocol;
    header.source.set(0x0a000001);
    header.destination.set(0x0a000002);
    header.checksum = ipv4_checksum(header);
  };
  uint32_t inner = 0;
  if (tunnel) {
    ethernet(0);
    ip(14, kIpProtocolUdp);
    auto& udp = *reinterpret_cast<UdpHeader*>(&bytes[34]);
    udp.source_port.set(40000);
    udp.destination_port.set(around == Around::vxlan ? 4789 : 6081);
    udp.length_bytes.set(static_cast<uint16_t>(bytes.size() + payload_bytes - 34));
    if (around == Around::vxlan) {
      bytes[42] = kVxlanFlagI;
    } else {
      udp.checksum = kOuterChecksumWanted;
      reinterpret_cast<GeneveHeader*>(&bytes[42])->protocol.set(kEtherTypeTransparentEthernet);
    }
    inner = kTunnelBytes;
  }
  ethernet(inner);
  ip(inner + 14, kIpProtocolTcp);
  auto& tcp = *reinterpret_cast<TcpHeader*>(&bytes[inner + 34]);
  tcp.source_port.set(5000);
  tcp.destination_port.set(5001);
  tcp.sequence.set(sequence);
  tcp.data_offset = static_cast<uint8_t>(kTcpBytes / 4 << 4);
  tcp.flags = kTcpAck;
  tcp.window.set(1000);
  return bytes;
}

void check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "micro: %s\n", what);
  std::exit(1);
}

// A chain as a kernel port reads it: full mbufs, `headers` in the first one.
rte_mbuf* make_chain(const std::vector<uint8_t>& headers, uint32_t payload_bytes) {
  const uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
  rte_mbuf* head = nullptr;
  rte_mbuf* tail = nullptr;
  uint32_t left = static_cast<uint32_t>(headers.size()) + payload_bytes;
  uint8_t byte = 0;
  for (uint32_t total = left; left != 0;) {
    rte_mbuf* const m = rte_pktmbuf_alloc(pool);
    check(m != nullptr, "no mbuf");
    m->data_len = static_cast<uint16_t>(std::min(left, room));
    auto* data = rte_pktmbuf_mtod(m, uint8_t*);
    for (uint32_t i = 0; i < m->data_len; ++i) data[i] = byte += 77;
    left -= m->data_len;
    if (head == nullptr) {
      head = m;
      head->pkt_len = total;
      std::memcpy(data, headers.data(), headers.size());
    } else {
      tail->next = m;
      ++head->nb_segs;
    }
    tail = m;
  }
  return head;
}

// A device that cuts GENEVE but fills no outer checksum.
constexpr uint8_t kCutsAndKeeps =
    TxCapabilities::kChecksum | TxCapabilities::kTcp | TxCapabilities::kKeepsOuterChecksum;

// --- segmenting ------------------------------------------------------------------------------------------------

class SuperPacket {
 public:
  explicit SuperPacket(Around around, uint32_t payload_bytes = kSuperPayload)
      : around_(around), tunnel_bytes_(around != Around::nothing ? kTunnelBytes : 0) {
    frame_ = make_chain(make_headers(around, payload_bytes, 1, 1), payload_bytes);
    TcpHeader& tcp = *rte_pktmbuf_mtod_offset(frame_, TcpHeader*, tunnel_bytes_ + 34);
    const auto& ip = *rte_pktmbuf_mtod_offset(frame_, Ipv4Header*, tunnel_bytes_ + 14);
    tcp.checksum =
        be16::from_raw(static_cast<uint16_t>(pseudo_header_sum(ip, kIpProtocolTcp, kTcpBytes + payload_bytes)));
  }
  ~SuperPacket() { rte_pktmbuf_free(frame_); }
  SuperPacket(const SuperPacket&) = delete;
  SuperPacket& operator=(const SuperPacket&) = delete;

  // Each takes a reference of its own and gives all segments back, as a port does that has sent them.
  // `device`: bits of TxCapabilities that the port has for GENEVE; `expected`: frames that it gets.
  void cut_with_segmenter(uint8_t device = 0, uint32_t expected = kSegments) {
    Intent intent;
    intent.csum_start = static_cast<uint16_t>(tunnel_bytes_ + 34);
    intent.csum_offset = 16;
    intent.gso_size = kMss;
    intent.gso_type = GsoType::tcp4;
    intent.tunnel_bytes = static_cast<uint8_t>(tunnel_bytes_);
    intent.outer_checksum = around_ == Around::geneve ? 1 : 0;
    if (tunnel_bytes_ != 0) intent.set_outer(around_ == Around::geneve ? Outer::geneve4 : Outer::vxlan4);
    set_intent(frame_, intent, kNeedsChecksum | kNeedsSegment);
    rte_pktmbuf_refcnt_update(frame_, 1);
    TxCapabilities chains;
    chains.multi_segment = true;
    chains.add(Outer::geneve4, device);
    DropReason reason = segmenter_.begin(frame_, chains, {pool, pieces});
    uint32_t count = 0;
    while (segmenter_.pending()) {
      const uint16_t got = segmenter_.next(out_.data(), 32, reason);
      rte_pktmbuf_free_bulk(out_.data(), got);
      count += got;
    }
    check(reason == DropReason::none && count == expected, "segmenter failed");
  }

  void cut_with_rte_gso(bool checksums) {
    rte_gso_ctx context{};
    context.direct_pool = pool;
    context.indirect_pool = pieces;
    context.gso_types = kVxlanTso | 1U << 5;  // RTE_ETH_TX_OFFLOAD_TCP_TSO
    context.gso_size = static_cast<uint16_t>(tunnel_bytes_ + kPlainBytes + kMss);
    frame_->ol_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
    frame_->l2_len = 14;
    frame_->l3_len = 20;
    frame_->l4_len = kTcpBytes;
    if (tunnel_bytes_ != 0) {
      frame_->ol_flags |= RTE_MBUF_F_TX_TUNNEL_VXLAN | RTE_MBUF_F_TX_OUTER_IPV4;
      frame_->outer_l2_len = 14;
      frame_->outer_l3_len = 20;
      frame_->l2_len = sizeof(UdpHeader) + sizeof(VxlanHeader) + 14;
    }
    rte_pktmbuf_refcnt_update(frame_, 1);
    const int count = rte_gso_segment(frame_, &context, out_.data(), static_cast<uint16_t>(out_.size()));
    check(count == static_cast<int>(kSegments), "rte_gso_segment failed");
    rte_pktmbuf_free(frame_);
    for (int i = 0; checksums && i < count; ++i) finish(out_[static_cast<size_t>(i)]);
    rte_pktmbuf_free_bulk(out_.data(), static_cast<unsigned>(count));
  }

 private:
  // The checksums that librte_gso leaves out, by DPDK's own functions.
  void finish(rte_mbuf* m) const {
    auto* ip = rte_pktmbuf_mtod_offset(m, rte_ipv4_hdr*, tunnel_bytes_ + 14);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    auto* checksum = rte_pktmbuf_mtod_offset(m, uint16_t*, tunnel_bytes_ + 34 + 16);
    *checksum = 0;
    *checksum = rte_ipv4_udptcp_cksum_mbuf(m, ip, static_cast<uint16_t>(tunnel_bytes_ + 34));
    if (tunnel_bytes_ == 0) return;
    auto* outer = rte_pktmbuf_mtod_offset(m, rte_ipv4_hdr*, 14);
    outer->hdr_checksum = 0;
    outer->hdr_checksum = rte_ipv4_cksum(outer);
  }

  Around around_;
  uint32_t tunnel_bytes_;
  rte_mbuf* frame_;
  Segmenter segmenter_;
  std::array<rte_mbuf*, 64> out_;
};

// --- merging ---------------------------------------------------------------------------------------------------

// Frames that are put back as they were before each call.
class Segments {
 public:
  // `flows` of them in turn; UDP if there are none.
  Segments(bool tunnel, uint32_t count, uint32_t flows) : tunnel_bytes_(tunnel ? kTunnelBytes : 0) {
    for (uint32_t i = 0; i < count; ++i) {
      std::vector<uint8_t> headers = make_headers(tunnel ? Around::vxlan : Around::nothing, kMss,
                                                  static_cast<uint16_t>(i), i / std::max(flows, 1U) * kMss);
      auto& ip = *reinterpret_cast<Ipv4Header*>(&headers[tunnel_bytes_ + 14]);
      if (flows > 1)
        reinterpret_cast<TcpHeader*>(&headers[tunnel_bytes_ + 34])->source_port.set(static_cast<uint16_t>(i % flows));
      ip.id.set(static_cast<uint16_t>(i / std::max(flows, 1U)));
      if (flows == 0) ip.protocol = kIpProtocolUdp;
      ip.checksum = ipv4_checksum(ip);
      rte_mbuf* const m = make_chain(headers, kMss);
      const uint32_t l4 = tunnel_bytes_ + 34;
      const uint32_t bytes = m->pkt_len - l4;
      rte_pktmbuf_mtod_offset(m, TcpHeader*, l4)->checksum =
          checksum_of(sum_chain(m, l4, bytes, pseudo_header_sum(ip, kIpProtocolTcp, bytes)));
      frames_.push_back(m);
      headers_.emplace_back(rte_pktmbuf_mtod(m, uint8_t*), rte_pktmbuf_mtod(m, uint8_t*) + headers.size());
    }
  }
  ~Segments() {
    put_back();
    for (rte_mbuf* m : frames_) rte_pktmbuf_free(m);
  }
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  // Cycles of one call that leaves `expected` frames.
  uint64_t coalesce_all(uint16_t expected) {
    put_back();
    given_ = frames_;
    const uint64_t before = rte_rdtsc_precise();
    TxCapabilities caps;
    caps.add(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp);
    caps.multi_segment = true;
    const Coalesced result = coalesce(given_.data(), static_cast<uint16_t>(given_.size()), caps);
    const uint64_t after = rte_rdtsc_precise();
    check(result.frames == expected, "coalesce() left another number of frames");
    return after - before;
  }

  uint64_t rte_gro_all(uint16_t expected) {
    put_back();
    given_ = frames_;
    for (rte_mbuf* m : frames_) {
      m->l2_len = 14;
      m->l3_len = 20;
      m->l4_len = kTcpBytes;
      m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP;
      if (tunnel_bytes_ != 0) {
        m->outer_l2_len = 14;
        m->outer_l3_len = 20;
        m->l2_len = sizeof(UdpHeader) + sizeof(VxlanHeader) + 14;
        m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP | RTE_PTYPE_TUNNEL_VXLAN |
                         RTE_PTYPE_INNER_L2_ETHER | RTE_PTYPE_INNER_L3_IPV4 | RTE_PTYPE_INNER_L4_TCP;
      }
    }
    rte_gro_param param{};
    param.gro_types = RTE_GRO_TCP_IPV4 | RTE_GRO_IPV4_VXLAN_TCP_IPV4;
    param.max_flow_num = 64;
    param.max_item_per_flow = 64;
    const uint64_t before = rte_rdtsc_precise();
    const uint16_t left = rte_gro_reassemble_burst(given_.data(), static_cast<uint16_t>(given_.size()), &param);
    const uint64_t after = rte_rdtsc_precise();
    check(left == expected, "rte_gro left another number of frames");
    return after - before;
  }

 private:
  void put_back() {
    for (size_t i = 0; i < frames_.size(); ++i) {
      rte_mbuf* const m = frames_[i];
      m->next = nullptr;
      m->nb_segs = 1;
      m->data_off = RTE_PKTMBUF_HEADROOM;
      m->data_len = static_cast<uint16_t>(headers_[i].size() + kMss);
      m->pkt_len = m->data_len;
      m->ol_flags = 0;
      m->tx_offload = 0;
      std::memcpy(rte_pktmbuf_mtod(m, void*), headers_[i].data(), headers_[i].size());
    }
  }

  uint32_t tunnel_bytes_;
  std::vector<rte_mbuf*> frames_;
  std::vector<rte_mbuf*> given_;
  std::vector<std::vector<uint8_t>> headers_;
};

// --- summing ---------------------------------------------------------------------------------------------------

// What decap verifies of a burst in a GENEVE tunnel over IPv4, inner frames of 1,400 bytes: from the addresses on.
class Sums {
 public:
  static constexpr uint32_t kFrames = 64;
  static constexpr uint32_t kBytes = 8 + sizeof(UdpHeader) + sizeof(GeneveHeader) + 1400;

  Sums() {
    for (rte_mbuf*& m : frames_) m = make_chain(std::vector<uint8_t>(26), kBytes);
  }
  ~Sums() { rte_pktmbuf_free_bulk(frames_.data(), kFrames); }
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;

  void sum_all() const {
    for (const rte_mbuf* m : frames_)
      sink = fold(sum_frame(rte_pktmbuf_mtod_offset(m, const uint8_t*, 26), kBytes, 17));
  }

 private:
  std::array<rte_mbuf*, kFrames> frames_{};
};

// --- rounds ----------------------------------------------------------------------------------------------------

struct Subject {
  std::string row;
  std::string name;
  uint32_t frames;                   // a call
  std::function<uint64_t()> cycles;  // of a call
};

uint64_t timed(const std::function<void()>& call) {
  const uint64_t before = rte_rdtsc_precise();
  call();
  return rte_rdtsc_precise() - before;
}

// The mean of `calls`, without the tenth that took longest: those that were interrupted.
double nanoseconds(const Subject& subject, size_t calls) {
  std::vector<uint64_t> cycles(calls);
  for (uint64_t& one : cycles) one = subject.cycles();
  std::sort(cycles.begin(), cycles.end());
  const size_t kept = calls - calls / 10;
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) sum += static_cast<double>(cycles[i]);
  return sum / static_cast<double>(kept) / subject.frames * 1e9 / static_cast<double>(rte_get_tsc_hz());
}

// `only`: rows or subjects with this word in their names.
int run(int rounds, size_t calls, const std::string& only) {
  std::vector<std::string> words{"micro",    "--no-huge",      "--no-shconf",         "-m",        "256",
                                 "--no-pci", "--no-telemetry", "--log-level=*:error", "--lcores=0"};
  words.back() = "--lcores=0@" + std::to_string(sched_getcpu());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  check(rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0, "rte_eal_init");
  pool = rte_pktmbuf_pool_create("pool", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  pieces = rte_pktmbuf_pool_create("pieces", 8191, 256, 0, 0, SOCKET_ID_ANY);
  check(pool != nullptr && pieces != nullptr, "no mempool");

  SuperPacket vxlan(Around::vxlan);
  SuperPacket plain(Around::nothing);
  SuperPacket checksummed(Around::geneve, kSuperPayload - kMss / 2);  // its last segment is a shorter one
  Sums sums;
  Segments one_flow(false, kMerged, 1);
  Segments one_flow_vxlan(true, kMerged, 1);
  Segments eight_flows(false, 64, 8);
  Segments strangers(false, 64, 64);
  Segments no_tcp(false, 64, 0);
  const std::vector<Subject> subjects = {
      {"gso-vxlan4-tcp4", "causeway", kSegments, [&] { return timed([&] { vxlan.cut_with_segmenter(); }); }},
      {"gso-vxlan4-tcp4", "rte_gso", kSegments, [&] { return timed([&] { vxlan.cut_with_rte_gso(false); }); }},
      {"gso-vxlan4-tcp4", "rte_gso+sums", kSegments, [&] { return timed([&] { vxlan.cut_with_rte_gso(true); }); }},
      {"gso-tcp4", "causeway", kSegments, [&] { return timed([&] { plain.cut_with_segmenter(); }); }},
      {"gso-tcp4", "rte_gso", kSegments, [&] { return timed([&] { plain.cut_with_rte_gso(false); }); }},
      {"gso-tcp4", "rte_gso+sums", kSegments, [&] { return timed([&] { plain.cut_with_rte_gso(true); }); }},
      {"gso-geneve4-sum-tcp4", "causeway", kSegments, [&] { return timed([&] { checksummed.cut_with_segmenter(); }); }},
      {"gso-geneve4-sum-tcp4", "partial", kSegments,
       [&] { return timed([&] { checksummed.cut_with_segmenter(kCutsAndKeeps, 2); }); }},
      {"sum-1400", "causeway", Sums::kFrames, [&] { return timed([&] { sums.sum_all(); }); }},
      {"gro-tcp4", "causeway", kMerged, [&] { return one_flow.coalesce_all(1); }},
      {"gro-tcp4", "rte_gro", kMerged, [&] { return one_flow.rte_gro_all(1); }},
      {"gro-tcp4-8-flows", "causeway", 64, [&] { return eight_flows.coalesce_all(8); }},
      {"gro-tcp4-8-flows", "rte_gro", 64, [&] { return eight_flows.rte_gro_all(8); }},
      {"gro-vxlan4-tcp4", "rte_gro", kMerged, [&] { return one_flow_vxlan.rte_gro_all(1); }},
      {"gro-64-strangers", "causeway", 64, [&] { return strangers.coalesce_all(64); }},
      {"gro-64-strangers", "rte_gro", 64, [&] { return strangers.rte_gro_all(64); }},
      {"gro-no-tcp", "causeway", 64, [&] { return no_tcp.coalesce_all(64); }},
  };
  for (int round = 0; round <= rounds; ++round) {
    for (const Subject& subject : subjects) {
      if ((subject.row + " " + subject.name).find(only) == std::string::npos) continue;
      const double ns = nanoseconds(subject, calls);
      if (round != 0) std::printf("%s %s %.2f\n", subject.row.c_str(), subject.name.c_str(), ns);  // the first warms up
    }
  }
  return 0;
}

}  // namespace
}  // namespace causeway

int main(int argc, char** argv) {
  return causeway::run(argc > 1 ? std::atoi(argv[1]) : 5, argc > 2 ? static_cast<size_t>(std::atol(argv[2])) : 2000,
                       argc > 3 ? argv[3] : "");
}
