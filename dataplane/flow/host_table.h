// Which MAC an IP address in a bridge belongs to: (bridge, VLAN, IP) -> host, for ARP and neighbor discovery that
// needn't be flooded (dataplane/bridging/suppress.h). Open addressing with linear probing, at most half full. One
// writer (the control thread, control/hosts), readers without locks (workers). A slot is a pointer to an immutable
// host: who takes one out, or puts another in its place, frees the old one after a grace period.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/key.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// Who says so: the file's `bindings`, the fabric (EVPN type 2), or the host itself on a bridge port.
enum class HostSource : uint8_t { bound, fabric, snooped };

struct KnownHost {
  BridgeIndex bridge = kNoBridge;
  uint16_t vlan = 0;
  IpAddress ip;
  MacAddress mac;
  HostSource source = HostSource::snooped;
  uint32_t nd_flags = 0;  // of its advertisements: kNdAdvertisementRouter, kNdAdvertisementOverride
  // When it last said so itself, seconds modulo 65536. Workers write it once a second, though the host is const to
  // them.
  mutable std::atomic<uint16_t> seen_s{0};
};

class HostTable {
 public:
  // `slots` is a power of two. `prober`: the MAC that the control thread's probes come from.
  HostTable(uint32_t slots, uint64_t seed, const MacAddress& prober)
      : mask_(slots - 1), seed_(seed), prober_(prober), slots_(slots) {}

  uint32_t capacity() const noexcept { return mask_ + 1; }
  const MacAddress& prober() const noexcept { return prober_; }

  // Null: nobody knows it. Any thread; good until the caller's next quiescent state.
  const KnownHost* find(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip) const noexcept {
    for (uint32_t index = home(bridge, vlan, ip);; index = (index + 1) & mask_) {
      const KnownHost* const host = slots_[index].load(std::memory_order_acquire);
      if (host == nullptr) return nullptr;
      if (host->bridge == bridge && host->vlan == vlan && host->ip == ip) return host;
    }
  }

  // Writer only. `host` isn't in the table, which the caller keeps at most half full. True: a never-used slot was
  // taken.
  bool insert(const KnownHost& host) noexcept {
    uint32_t index = home(host.bridge, host.vlan, host.ip);
    const KnownHost* found = slots_[index].load(std::memory_order_relaxed);
    while (found != nullptr && found != &kRemoved) {
      index = (index + 1) & mask_;
      found = slots_[index].load(std::memory_order_relaxed);
    }
    slots_[index].store(&host, std::memory_order_release);
    return found == nullptr;
  }
  // Writer only. `old` is in the table; `next`, of the same address, takes its place. Null: nobody does.
  void replace(const KnownHost& old, const KnownHost* next) noexcept {
    uint32_t index = home(old.bridge, old.vlan, old.ip);
    while (slots_[index].load(std::memory_order_relaxed) != &old) index = (index + 1) & mask_;
    slots_[index].store(next != nullptr ? next : &kRemoved, std::memory_order_release);
  }

 private:
  inline static const KnownHost kRemoved{};  // of no bridge, so that nobody asks for it

  uint32_t home(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip) const noexcept {
    const auto high = word_at<uint64_t>(ip.bytes.data());
    const auto low = word_at<uint64_t>(ip.bytes.data() + 8);
    const uint64_t place = uint64_t{bridge} << 16 | vlan;
    return static_cast<uint32_t>(hash_words(hash_words(high, low, seed_), place, seed_) >> 32) & mask_;
  }

  uint32_t mask_;
  uint64_t seed_;
  MacAddress prober_;
  LazyArray<std::atomic<const KnownHost*>> slots_;
};

}  // namespace causeway
