#include "pmd/kernel/sctp_checksum.h"

#include <rte_byteorder.h>
#include <rte_hash_crc.h>

#include <cstring>

#include "dataplane/gso/segment_layout.h"
#include "dataplane/wire/word_at.h"

namespace causeway {
namespace {

constexpr uint8_t kIpProtocolSctp = 132;

// As rte_hash_crc, which reads words where they would have to be aligned.
uint32_t crc32c_of(const uint8_t* at, size_t bytes, uint32_t crc) noexcept {
  for (; bytes >= sizeof(uint64_t); at += sizeof(uint64_t), bytes -= sizeof(uint64_t)) {
    crc = rte_hash_crc_8byte(word_at<uint64_t>(at), crc);
  }
  for (; bytes != 0; ++at, --bytes) crc = rte_hash_crc_1byte(*at, crc);
  return crc;
}

// Appendix A of RFC 9260: what goes out is the complement, lowest byte first.
uint32_t crc32c(const rte_mbuf* m, uint32_t offset) noexcept {
  uint32_t crc = 0xffffffff;
  for (; m != nullptr; m = m->next) {
    if (offset < m->data_len) {
      crc = crc32c_of(rte_pktmbuf_mtod_offset(m, const uint8_t*, offset), m->data_len - offset, crc);
      offset = 0;
    } else {
      offset -= m->data_len;
    }
  }
  return rte_cpu_to_le_32(~crc);
}

}  // namespace

bool wants_sctp_checksum(const rte_mbuf* frame, const Intent& intent) noexcept {
  if (intent.csum_offset != kSctpChecksumOffset) return false;
  const NetworkHeader ip = find_ip({rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len}, 0);
  return ip.l4 != intent.csum_start || ip.protocol == kIpProtocolSctp;
}

bool fill_sctp_checksum(rte_mbuf* frame, uint16_t sctp_offset) noexcept {
  const uint32_t field = uint32_t{sctp_offset} + kSctpChecksumOffset;
  uint32_t checksum = 0;
  if (field + sizeof(checksum) > frame->data_len) return false;
  auto* const at = rte_pktmbuf_mtod_offset(frame, char*, field);
  std::memcpy(at, &checksum, sizeof(checksum));
  checksum = crc32c(frame, sctp_offset);
  std::memcpy(at, &checksum, sizeof(checksum));
  return true;
}

}  // namespace causeway
