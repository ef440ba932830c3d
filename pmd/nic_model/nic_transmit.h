// The transmit side of a modelled NIC: what a frame's flags and lengths (rte_mbuf_core.h) ask of a device, done
// byte by byte. It believes them as a NIC does, knows no tunnel's format, and shares no code with dataplane/, so
// that one can be held against the other.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "pmd/nic_model_settings.h"

namespace causeway {

class NicTransmit {
 public:
  // Frames are made of `pool`'s buffers. What is in `misreport` it doesn't do.
  NicTransmit(rte_mempool* pool, NicFeatures misreport) : pool_(pool), misreport_(misreport) {}

  // Appends what goes onto the wire, and takes the frame. False: flags and lengths contradict the frame, or no buffer
  // was left; then nothing is appended.
  bool transmit(rte_mbuf* frame, std::vector<rte_mbuf*>& wire);

 private:
  // Bytes from the frame's start.
  struct Offsets {
    uint32_t outer_l3 = 0;
    uint32_t outer_l4 = 0;
    uint32_t l3 = 0;
    uint32_t l4 = 0;
    uint32_t payload = 0;
  };

  Offsets offsets(const rte_mbuf* frame) const;
  bool does_cut(uint64_t flags) const;
  bool cut(const rte_mbuf* frame, const Offsets& at, std::vector<rte_mbuf*>& wire);
  void finish_inner(uint64_t flags, const Offsets& at, uint32_t index, uint32_t sent, bool last);
  void finish_outer(uint64_t flags, const Offsets& at, uint32_t index);
  void finish_l4(uint64_t flags, uint32_t l4, bool add_length);
  void put16(uint32_t offset, uint32_t value);
  uint32_t get16(uint32_t offset) const;
  uint32_t sum(uint32_t from, uint32_t to) const;
  bool emit(const rte_mbuf* from, std::vector<rte_mbuf*>& wire) const;

  rte_mempool* pool_;
  NicFeatures misreport_;
  std::vector<uint8_t> whole_;    // the frame as it was handed over
  std::vector<uint8_t> segment_;  // what is being made of it
};

}  // namespace causeway
