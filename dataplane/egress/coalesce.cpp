#include "dataplane/egress/coalesce.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "dataplane/flow/key.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"

namespace causeway {
namespace {

// A device that takes 64 KB takes the Ethernet header with it (linux/netdevice.h, GSO_LEGACY_MAX_SIZE).
constexpr uint32_t kMaxFrameBytes = 65535;
// Mbufs of one frame. Devices have limits too, and none is below this.
constexpr uint16_t kMaxSegments = 64;

constexpr uint8_t kLastOnly = kTcpFin | kTcpPsh;  // flags of a super-packet that only its last segment will carry
constexpr uint8_t kNeverMerged = kTcpSyn | kTcpRst | kTcpUrg | kTcpCwr;

struct TcpFrame {
  rte_mbuf* m;
  uint32_t hash;  // of addresses and ports
  uint32_t payload_bytes;
  uint16_t mss;  // payload bytes of each segment but the last
  uint16_t l3;   // offsets
  uint16_t l4;
  uint16_t header_bytes;  // everything in front of the payload
  bool is_v4;
  bool may_join;  // nothing in the frame itself forbids to merge it

  Ipv4Header& ip4() const noexcept { return *rte_pktmbuf_mtod_offset(m, Ipv4Header*, l3); }
  Ipv6Header& ip6() const noexcept { return *rte_pktmbuf_mtod_offset(m, Ipv6Header*, l3); }
  TcpHeader& tcp() const noexcept { return *rte_pktmbuf_mtod_offset(m, TcpHeader*, l4); }
  uint32_t pseudo_sum(uint32_t l4_bytes) const noexcept {
    return pseudo_header_sum_at(rte_pktmbuf_mtod_offset(m, const void*, l3), kIpProtocolTcp, l4_bytes);
  }
};

enum class Content : uint8_t {
  other,
  tcp,
  hidden,  // TCP, perhaps, of a flow that we can't tell: fragments, options, more tags than two
};

uint32_t hash_flow(const void* addresses, size_t bytes, const TcpHeader& tcp) noexcept {
  std::array<uint64_t, 4> words{};
  std::memcpy(words.data(), addresses, bytes);
  uint32_t ports = 0;
  std::memcpy(&ports, &tcp, sizeof ports);
  return static_cast<uint32_t>(hash_words(words[0] ^ words[2], words[1] ^ words[3] ^ ports, 0));
}

// Finds l3, l4 and `end`, where the IP packet ends.
Content find_tcp(const rte_mbuf* m, TcpFrame& f, uint32_t& end) noexcept {
  const auto [ethertype, l3] = behind_tags(m);
  f.l3 = static_cast<uint16_t>(l3);
  f.is_v4 = ethertype == kEtherTypeIpv4;
  if (f.is_v4) {
    const auto* ip = header_at<Ipv4Header>(m, l3);
    if (ip == nullptr) return Content::hidden;
    if (ip->protocol != kIpProtocolTcp) return Content::other;
    if (ip->version_ihl != Ipv4Header::kVersionIhl) return Content::hidden;
    if ((ip->fragment.get() & ~kIpv4DontFragment) != 0) return Content::hidden;
    f.l4 = static_cast<uint16_t>(l3 + sizeof(Ipv4Header));
    end = l3 + ip->total_bytes.get();
    return Content::tcp;
  }
  if (is_vlan_ethertype(ethertype)) return Content::hidden;
  if (ethertype != kEtherTypeIpv6) return Content::other;
  const auto* ip = header_at<Ipv6Header>(m, l3);
  if (ip == nullptr) return Content::hidden;
  f.l4 = static_cast<uint16_t>(l3 + sizeof(Ipv6Header));
  end = f.l4 + uint32_t{ip->payload_bytes.get()};
  switch (ip->next_header) {
    case kIpProtocolTcp:
      return ip->version() == 6 ? Content::tcp : Content::hidden;
    case kIpv6HopByHop:
    case kIpv6Routing:
    case kIpv6Fragment:
    case kIpv6DestinationOptions:
      return Content::hidden;
    default:
      return Content::other;
  }
}

// What the frame's Intent, if it has one, says of it; false: it is none that can be merged.
bool read_intent(TcpFrame& f) noexcept {
  f.mss = static_cast<uint16_t>(f.payload_bytes);
  if (!has_intent(f.m)) return true;
  const Intent intent = intent_of(f.m);
  if (intent.outer() != Outer::none || intent.csum_start != f.l4 ||
      intent.csum_offset != offsetof(TcpHeader, checksum)) {
    return false;
  }
  if ((f.m->ol_flags & kNeedsSegment) == 0) return true;
  f.mss = intent.gso_size;
  return intent.gso_type == (f.is_v4 ? GsoType::tcp4 : GsoType::tcp6) && intent.gso_size != 0;
}

Content read(rte_mbuf* m, const TxCapabilities& caps, TcpFrame& f) noexcept {
  uint32_t end = 0;
  const Content content = find_tcp(m, f, end);
  if (content != Content::tcp) return content;
  const auto* tcp = header_at<TcpHeader>(m, f.l4);
  const uint32_t tcp_bytes = tcp != nullptr ? tcp->header_bytes() : 0;
  if (tcp_bytes < sizeof(TcpHeader) || f.l4 + tcp_bytes > end || end > m->pkt_len) return Content::hidden;
  f.m = m;
  f.header_bytes = static_cast<uint16_t>(f.l4 + tcp_bytes);
  f.payload_bytes = end - f.header_bytes;
  f.hash = f.is_v4 ? hash_flow(&f.ip4().source, 8, *tcp) : hash_flow(&f.ip6().source, 32, *tcp);
  f.may_join = f.payload_bytes != 0 && (tcp->flags & (kTcpAck | kNeverMerged)) == kTcpAck && end == m->pkt_len &&
               end <= kMaxFrameBytes && f.header_bytes <= m->data_len &&
               caps.has(Outer::none, f.is_v4 ? TxCapabilities::kTcp4 : TxCapabilities::kTcp6) &&
               rte_mbuf_refcnt_read(m) == 1 && read_intent(f);
  return Content::tcp;
}

bool same_flow(const TcpFrame& a, const TcpFrame& b) noexcept {
  if (a.hash != b.hash || a.is_v4 != b.is_v4 || std::memcmp(&a.tcp(), &b.tcp(), 4) != 0) return false;
  return a.is_v4 ? std::memcmp(&a.ip4().source, &b.ip4().source, 8) == 0
                 : std::memcmp(&a.ip6().source, &b.ip6().source, 32) == 0;
}

// All that the segments of one super-packet have in common, but for IPv4's id.
bool same_headers(const TcpFrame& a, const TcpFrame& b) noexcept {
  if (a.l3 != b.l3 || a.header_bytes != b.header_bytes) return false;
  if (std::memcmp(rte_pktmbuf_mtod(a.m, void*), rte_pktmbuf_mtod(b.m, void*), a.l3) != 0) return false;
  if (a.is_v4) {
    const Ipv4Header& x = a.ip4();
    const Ipv4Header& y = b.ip4();
    if (x.tos != y.tos || x.ttl != y.ttl || x.fragment != y.fragment) return false;
  } else {
    const Ipv6Header& x = a.ip6();
    const Ipv6Header& y = b.ip6();
    if (x.version_class_flow != y.version_class_flow || x.hop_limit != y.hop_limit) return false;
  }
  const TcpHeader& x = a.tcp();
  const TcpHeader& y = b.tcp();
  return x.acknowledgment == y.acknowledgment && x.data_offset == y.data_offset &&
         (x.flags | kLastOnly) == (y.flags | kLastOnly) && x.window == y.window &&
         x.urgent_pointer == y.urgent_pointer &&
         std::memcmp(&x + 1, &y + 1, static_cast<size_t>(a.header_bytes - a.l4) - sizeof(TcpHeader)) == 0;
}

bool checksums_right(const TcpFrame& f) noexcept {
  if (f.is_v4 && !ipv4_checksum_valid(f.ip4())) return false;
  if (has_intent(f.m)) return true;  // nobody has summed it yet
  const uint32_t bytes = f.m->pkt_len - f.l4;
  return sum_chain(f.m, f.l4, bytes, f.pseudo_sum(bytes)) == 0xffff;
}

// Consecutive segments of one flow, the first of which takes in the others.
struct Run {
  TcpFrame head;  // its headers are as they came until finish()
  rte_mbuf* tail;
  uint32_t next_sequence;
  uint16_t segments;  // that the super-packet will be cut into
  uint16_t frames;
  uint8_t last_flags;
  uint8_t next;        // run of the same bucket
  bool open;           // takes in the next segment
  bool checked;        // the head's checksums are right
  bool ids_are_equal;  // IPv4, of all merged so far; else they count up

  void start(const TcpFrame& f) noexcept {
    head = f;
    tail = nullptr;
    segments = segments_of(f);
    next_sequence = f.tcp().sequence.get() + f.payload_bytes;
    frames = 1;
    last_flags = 0;
    open = true;
    checked = ids_are_equal = false;
  }

  bool takes(const TcpFrame& f) noexcept {
    if (!f.may_join || f.tcp().sequence.get() != next_sequence) return false;
    const bool is_one = (f.m->ol_flags & kNeedsSegment) == 0;
    if (is_one ? f.payload_bytes > head.mss : f.mss != head.mss) return false;
    if (head.m->pkt_len + f.payload_bytes > kMaxFrameBytes || head.m->nb_segs + f.m->nb_segs > kMaxSegments) {
      return false;
    }
    if (!same_headers(head, f) || (f.is_v4 && !takes_id(f.ip4()))) return false;
    if (!checked) checked = checksums_right(head);
    return checked && checksums_right(f);
  }

  // After takes().
  void append(const TcpFrame& f) noexcept {
    if (f.is_v4) ids_are_equal = f.ip4().id == head.ip4().id;
    last_flags |= f.tcp().flags & kLastOnly;
    open = last_flags == 0 && f.payload_bytes % head.mss == 0;
    segments = static_cast<uint16_t>(segments + segments_of(f));
    next_sequence += f.payload_bytes;
    ++frames;
    rte_mbuf* payload = f.m;
    uint16_t count = payload->nb_segs;
    if (payload->data_len == f.header_bytes) {  // no empty mbufs: there are devices that hang on one
      payload = f.m->next;
      --count;
      rte_pktmbuf_free_seg(f.m);
    } else {
      payload->data_off = static_cast<uint16_t>(payload->data_off + f.header_bytes);
      payload->data_len = static_cast<uint16_t>(payload->data_len - f.header_bytes);
    }
    if (tail == nullptr) tail = rte_pktmbuf_lastseg(head.m);
    tail->next = payload;
    tail = count == 1 ? payload : rte_pktmbuf_lastseg(payload);
    head.m->nb_segs = static_cast<uint16_t>(head.m->nb_segs + count);
    head.m->pkt_len += f.payload_bytes;
  }

  // No more comes: the head's headers become those of the whole.
  void finish(Coalesced& counts) noexcept {
    open = false;
    if (frames == 1) return;
    const uint32_t frame_bytes = head.m->pkt_len;
    const uint32_t l4_bytes = frame_bytes - head.l4;
    TcpHeader& tcp = head.tcp();
    tcp.flags |= last_flags;
    if (head.is_v4) {
      Ipv4Header& ip = head.ip4();
      ip.total_bytes.set(static_cast<uint16_t>(frame_bytes - head.l3));
      ip.checksum = ipv4_checksum(ip);
    } else {
      head.ip6().payload_bytes.set(static_cast<uint16_t>(l4_bytes));
    }
    tcp.checksum = be16::from_raw(static_cast<uint16_t>(head.pseudo_sum(l4_bytes)));
    Intent intent;
    intent.csum_start = head.l4;
    intent.csum_offset = offsetof(TcpHeader, checksum);
    intent.gso_size = head.mss;
    intent.gso_type = head.is_v4 ? GsoType::tcp4 : GsoType::tcp6;
    set_intent(head.m, intent, kNeedsChecksum | kNeedsSegment);
    counts.in = static_cast<uint16_t>(counts.in + frames);
    ++counts.out;
    frames = 1;
  }

 private:
  static uint16_t segments_of(const TcpFrame& f) noexcept {
    return f.payload_bytes <= f.mss ? uint16_t{1} : static_cast<uint16_t>((f.payload_bytes + f.mss - 1) / f.mss);
  }

  // Ids that count up, or with DF stay the same.
  bool takes_id(const Ipv4Header& ip) const noexcept {
    const auto step = static_cast<uint16_t>(ip.id.get() - head.ip4().id.get());
    if (step == 0) return ip.dont_fragment() && (ids_are_equal || frames == 1);
    return step == segments && !ids_are_equal;
  }
};

// Every flow of one call that has had a head, by hash.
class Runs {
 public:
  Runs() noexcept { buckets_.fill(kNone); }

  Run* find(const TcpFrame& f) noexcept {
    for (uint8_t i = bucket(f); i != kNone; i = runs_[i].next) {
      if (same_flow(runs_[i].head, f)) return &runs_[i];
    }
    return nullptr;
  }

  // At most once a frame.
  void add(const TcpFrame& f) noexcept {
    Run& run = runs_[count_];
    run.start(f);
    run.next = bucket(f);
    bucket(f) = count_++;
  }

  void finish_all(Coalesced& counts) noexcept {
    for (uint8_t i = 0; i < count_; ++i) runs_[i].finish(counts);
  }

 private:
  static constexpr uint8_t kNone = 0xff;
  static_assert(kMaxCoalesced < kNone);

  uint8_t& bucket(const TcpFrame& f) noexcept { return buckets_[f.hash % buckets_.size()]; }

  std::array<uint8_t, 64> buckets_;
  uint8_t count_ = 0;
  std::array<Run, kMaxCoalesced> runs_;  // the first count_
};

// Whether a segment may follow this one, which is ours to write.
bool may_lead(const TcpFrame& f) noexcept {
  return f.may_join && (f.tcp().flags & kLastOnly) == 0 && RTE_MBUF_DIRECT(f.m) &&
         (f.payload_bytes == f.mss || f.payload_bytes % f.mss == 0);
}

}  // namespace

Coalesced coalesce(rte_mbuf** frames, uint16_t count, const TxCapabilities& caps) noexcept {
  Coalesced result;
  Runs runs;
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    TcpFrame f;
    const Content content = read(frames[i], caps, f);
    if (content == Content::tcp) {
      Run* const run = runs.find(f);
      if (run != nullptr && run->open && run->takes(f)) {
        run->append(f);
        result.bytes_less += f.header_bytes;
        continue;
      }
      if (run != nullptr) run->finish(result);
      if (may_lead(f)) {
        run != nullptr ? run->start(f) : runs.add(f);
      }
    } else if (content == Content::hidden) {
      runs.finish_all(result);
    }
    frames[kept++] = frames[i];
  }
  runs.finish_all(result);
  result.frames = kept;
  return result;
}

}  // namespace causeway
