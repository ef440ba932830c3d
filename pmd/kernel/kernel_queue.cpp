#include "pmd/kernel/kernel_queue.h"

#include <rte_mempool.h>

#include <algorithm>
#include <cstring>

namespace causeway {

RxChain::RxChain(rte_mempool* pool, size_t header_bytes)
    : pool_(pool), room_bytes_(static_cast<size_t>(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM)) {
  const size_t buffers = (kMaxFrameBytes + room_bytes_ - 1) / room_bytes_;
  buffers_.resize(buffers, nullptr);
  used_ = buffers;
  rest_ = std::make_unique_for_overwrite<uint8_t[]>(kRestBytes);
  iov_.resize(1 + buffers + 1);
  iov_.front() = {&header_, header_bytes};
  iov_.back() = {rest_.get(), kRestBytes};
}

RxChain::~RxChain() {
  for (size_t i = used_; i < buffers_.size(); ++i) rte_pktmbuf_free(buffers_[i]);
}

bool RxChain::refill() noexcept {
  if (used_ == 0) return true;
  if (rte_pktmbuf_alloc_bulk(pool_, buffers_.data(), static_cast<unsigned>(used_)) != 0) return false;
  for (size_t i = 0; i < used_; ++i) iov_[1 + i] = {rte_pktmbuf_mtod(buffers_[i], void*), room_bytes_};
  used_ = 0;
  return true;
}

rte_mbuf* RxChain::take(size_t bytes) noexcept {
  rte_mbuf* frame = buffers_[0];
  frame->pkt_len = static_cast<uint32_t>(bytes);
  rte_mbuf* last = nullptr;
  do {
    rte_mbuf* buffer = buffers_[used_++];
    buffer->data_len = static_cast<uint16_t>(std::min(bytes, room_bytes_));
    bytes -= buffer->data_len;
    if (last != nullptr) last->next = buffer;
    last = buffer;
  } while (bytes > 0 && used_ < buffers_.size());
  frame->nb_segs = static_cast<uint16_t>(used_);
  return frame;
}

namespace {

// Puts a tag behind the two MAC addresses, which move forward by its 4 bytes (IEEE 802.1Q 9.3).
bool insert_tag(rte_mbuf* frame, const VlanTag& tag) noexcept {
  if (frame->data_len < 14) return false;
  char* start = rte_pktmbuf_prepend(frame, 4);
  if (start == nullptr) return false;
  std::memmove(start, start + 4, 12);
  const std::array<uint8_t, 4> bytes{static_cast<uint8_t>(tag.tpid >> 8), static_cast<uint8_t>(tag.tpid),
                                     static_cast<uint8_t>(tag.tci >> 8), static_cast<uint8_t>(tag.tci)};
  std::memcpy(start + 12, bytes.data(), bytes.size());
  return true;
}

}  // namespace

KernelRxQueue::~KernelRxQueue() {
  for (; pieces_taken < pieces.count; ++pieces_taken) rte_pktmbuf_free(pieces.frame[pieces_taken]);
}

uint16_t KernelRxQueue::take_pieces(rte_mbuf** frames, uint16_t count, Turn& turn) noexcept {
  if (pieces.count == 0) [[likely]] {
    return 0;
  }
  uint16_t taken = 0;
  while (taken < count && pieces_taken < pieces.count && !turn.over()) {
    turn.add(pieces.frame[pieces_taken]);
    frames[taken++] = pieces.frame[pieces_taken++];
  }
  if (pieces_taken == pieces.count) pieces_taken = pieces.count = 0;
  return taken;
}

bool KernelRxQueue::part(rte_mbuf* frame) noexcept {
  if (!has_many_segments(frame)) [[likely]] {
    return false;
  }
  return split_many_segments(frame, chain.pool(), pieces);
}

rte_mbuf* finish_rx(RxChain& chain, const ReadResult& result) noexcept {
  const auto bytes = static_cast<size_t>(result.bytes);
  const size_t header_bytes = chain.header_bytes();
  if (bytes <= header_bytes) return nullptr;
  rte_mbuf* frame = chain.take(bytes - header_bytes);
  const bool tag_is_in = !result.tag || insert_tag(frame, *result.tag);
  const uint16_t inserted_bytes = result.tag ? 4 : 0;
  if (tag_is_in && apply_vnet_header(chain.header(), inserted_bytes, frame)) return frame;
  rte_pktmbuf_free(frame);
  return nullptr;
}

Pieces finish_big_rx(RxChain& chain, const ReadResult& result) noexcept {
  const size_t bytes = static_cast<size_t>(result.bytes) - chain.header_bytes();
  const size_t in_chain = std::min(bytes, chain.chain_bytes());
  const uint8_t type = chain.header().gso_type & static_cast<uint8_t>(~kVnetGsoEcn);
  Pieces pieces;
  if (bytes == in_chain && type != kVnetGsoTcp4 && type != kVnetGsoTcp6) {  // 64 KB behind tags
    pieces.frame[0] = finish_rx(chain, result);
    pieces.count = pieces.frame[0] != nullptr ? 1 : 0;
    return pieces;
  }
  rte_mbuf* frame = chain.take(in_chain);
  if (!result.tag || insert_tag(frame, *result.tag)) {
    return split_big_tcp(frame, chain.rest(bytes - in_chain), chain.header(), result.tag ? 4 : 0, chain.pool());
  }
  rte_pktmbuf_free(frame);
  return pieces;
}

bool TxVector::assign(rte_mbuf* frame, size_t header_bytes) noexcept {
  if (frame->nb_segs > kMaxSegments || !make_vnet_header(frame, header_)) return false;
  iov_[0] = {&header_, header_bytes};
  count_ = 1;
  for (rte_mbuf* segment = frame; segment != nullptr && count_ < iov_.size(); segment = segment->next) {
    iov_[count_++] = {rte_pktmbuf_mtod(segment, void*), segment->data_len};
  }
  return true;
}

std::string kernel_lacks(Outer outer, const char* why_no_tunnels) {
  if (outer == Outer::none) return "an underlay's frames go finished onto the wire";
  if (outer == Outer::gre4 || outer == Outer::gre6) return "Linux takes no GRE super-packets from a program";
  return std::string("no tx-udp_tnl-segmentation: ") + why_no_tunnels;
}

KernelOffloads kernel_offloads(const OffloadSettings& settings, bool automatic, bool tunnels, bool to_stack,
                               const char* why_not) {
  const auto chosen = [&](Toggle toggle) { return toggle == Toggle::on || (toggle == Toggle::automatic && automatic); };
  const bool checksum = chosen(settings.checksum) ||
                        (settings.checksum == Toggle::automatic && tunnels && settings.tunnel_tso == Toggle::on);
  KernelOffloads result;
  if (settings.tunnel_tso == Toggle::on && !tunnels) {
    result.error = std::string("offloads.tunnel-tso: the device lacks tx-udp_tnl-segmentation (") + why_not + ")";
  } else if (settings.flow == Toggle::on) {
    result.error = "offloads.flow: the device takes no rte_flow rules (a kernel interface)";
  } else if (settings.tso == Toggle::on && settings.checksum == Toggle::off) {
    result.error = "offloads.tso: needs offloads.checksum, which is off";
  } else if (settings.tunnel_tso == Toggle::on && settings.checksum == Toggle::off) {
    result.error = "offloads.tunnel-tso: needs offloads.checksum, which is off";
  }
  TxCapabilities& caps = result.capabilities;
  caps.multi_segment = true;
  if (!checksum && settings.tso != Toggle::on) return result;
  // Wherever it starts, a checksum is one to the kernel.
  for (uint8_t& can : caps.can) can |= TxCapabilities::kChecksum;
  if (chosen(settings.tso)) caps.add(Outer::none, TxCapabilities::kTcp | TxCapabilities::kUdp);
  // A container takes the outer headers of its own tunnel off a super-packet as it is. Any device in front of it would
  // have to know the tunnel's kind, which a virtio-net header can't say: Linux drops what it can't look into
  // (SKB_GSO_DODGY), as on its way out of a packet socket.
  if (chosen(settings.tso) && to_stack && settings.tunnel_tso != Toggle::off) {
    caps.add(Outer::other, TxCapabilities::kTcp | TxCapabilities::kUdp);
  }
  if (!tunnels || settings.tunnel_tso == Toggle::off) return result;
  for (const Outer outer : {Outer::geneve4, Outer::geneve6, Outer::vxlan4, Outer::vxlan6}) {
    caps.add(outer, TxCapabilities::kTcp | TxCapabilities::kUdp | TxCapabilities::kOuterChecksum);
  }
  return result;
}

}  // namespace causeway
