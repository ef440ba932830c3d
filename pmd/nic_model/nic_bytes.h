// A frame's bytes as a modelled NIC reads them, wherever its buffers end. What lies behind the end is 0.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

namespace causeway {

class NicBytes {
 public:
  explicit NicBytes(const rte_mbuf* frame) {
    for (const rte_mbuf* m = frame; m != nullptr; m = m->next) {
      const auto* from = rte_pktmbuf_mtod(m, const uint8_t*);
      bytes_.insert(bytes_.end(), from, from + m->data_len);
    }
  }

  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
  uint32_t get8(uint32_t at) const { return at < bytes_.size() ? bytes_[at] : 0; }
  uint32_t get16(uint32_t at) const { return get8(at) << 8 | get8(at + 1); }
  // RFC 1071, carries folded.
  uint32_t sum(uint32_t from, uint32_t to, uint32_t initial = 0) const {
    uint32_t total = initial;
    for (uint32_t at = from; at < to; at += 2) {
      total += at + 1 < to ? get16(at) : get8(at) << 8;
      total = (total & 0xffff) + (total >> 16);
    }
    return total;
  }

 private:
  std::vector<uint8_t> bytes_;
};

// Where the first IP and L4 header behind an Ethernet header stand.
struct NicHeaders {
  uint32_t l3 = 0;
  uint32_t l4 = 0;  // 0: no IP
  uint32_t end = 0;
  uint32_t protocol = 0;
  bool v4 = false;
};

inline NicHeaders nic_headers(const NicBytes& frame, uint32_t ethernet) {
  NicHeaders at;
  at.l3 = ethernet + 14;
  const uint32_t type = frame.get16(ethernet + 12);
  if (type == 0x0800 && frame.get8(at.l3) >> 4 == 4) {
    at.v4 = true;
    at.l4 = at.l3 + (frame.get8(at.l3) & 0xf) * 4;
    at.end = at.l3 + frame.get16(at.l3 + 2);
    at.protocol = frame.get8(at.l3 + 9);
  } else if (type == 0x86dd) {
    at.l4 = at.l3 + 40;
    at.end = at.l4 + frame.get16(at.l3 + 4);
    at.protocol = frame.get8(at.l3 + 6);
  }
  return at;
}

}  // namespace causeway
