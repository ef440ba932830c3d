#include "pmd/nic_model/nic_switch.h"

#include <cstring>

#include "pmd/nic_model/nic_bytes.h"

namespace causeway {
namespace {

void put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// What an encapsulation leaves to the device: lengths, and the IPv4 header's checksum.
void fill_in(rte_mbuf* frame) {
  auto* const bytes = rte_pktmbuf_mtod(frame, uint8_t*);
  const uint32_t size = frame->pkt_len;
  const bool v4 = NicBytes(frame).get16(12) == 0x0800;
  const uint32_t l4 = v4 ? 34 : 54;
  put16(bytes + (v4 ? 16 : 18), v4 ? size - 14 : size - l4);
  if (v4) put16(bytes + 24, ~NicBytes(frame).sum(14, 34));
  if (bytes[v4 ? 23 : 20] == 17) put16(bytes + l4 + 4, size - l4);
}

bool rewrite(rte_mbuf* frame, const NicFlows::Verdict& verdict) {
  if (rte_pktmbuf_linearize(frame) != 0) return false;
  if (verdict.strip_bytes != 0 && rte_pktmbuf_adj(frame, static_cast<uint16_t>(verdict.strip_bytes)) == nullptr) {
    return false;
  }
  if (verdict.prepend.empty()) return true;
  char* const room = rte_pktmbuf_prepend(frame, static_cast<uint16_t>(verdict.prepend.size()));
  if (room == nullptr) return false;
  std::memcpy(room, verdict.prepend.data(), verdict.prepend.size());
  fill_in(frame);
  return true;
}

}  // namespace

std::shared_ptr<NicSwitch> NicSwitch::of(const std::string& name) {
  static std::mutex lock;
  static std::map<std::string, std::weak_ptr<NicSwitch>> all;
  const std::scoped_lock guard(lock);
  std::shared_ptr<NicSwitch> found = all[name].lock();
  if (found == nullptr) all[name] = found = std::make_shared<NicSwitch>();
  return found;
}

uint16_t NicSwitch::add(Cable cable) {
  const std::scoped_lock guard(lock_);
  cables_.emplace(++last_, std::move(cable));
  return last_;
}

void NicSwitch::remove(uint16_t port) {
  const std::scoped_lock guard(lock_);
  cables_.erase(port);
}

bool NicSwitch::forward(rte_mbuf* frame, const NicFlows::Verdict& verdict) {
  const std::scoped_lock guard(lock_);
  const auto to = cables_.find(*verdict.to);
  frame->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  if (to != cables_.end() && rewrite(frame, verdict)) return to->second(frame);
  rte_pktmbuf_free(frame);
  return false;
}

}  // namespace causeway
