// EVPN as the kernel carries it between Causeway and a routing daemon (FRR's zebra): for each VNI shadow devices
// (shadow_devices.h), which no frame ever passes. What stands in their tables on the fake port is ours, local MACs that
// the daemon advertises; what stands on the vxlan device the daemon put there: remote MACs (type-2 routes, RFC 7432
// section 7.2) and the VTEPs that want floods (type-3). MACs with an address are neighbors of the bridge device: the
// daemon's have NTF_EXT_LEARNED, ours haven't. So who owns an entry can be told after any restart. Control thread.
//
// The kernel's tables are mirrored here: rtnetlink tells each change, and what the listener hears are the differences
// between what it was told and what stands there now. Events that were lost (ENOBUFS) make a dump of all tables: what
// is missing in two of them in a row is gone, since the kernel may leave an entry out while others come and go.
//
// What fails, and what becomes of it:
// - The socket's buffer is full, as when the gateway was stopped for a while: a dump (`show control` counts them).
// - causewayd is killed: its devices and entries stay, so the fabric goes on sending to us. The next one adopts them.
//   What it doesn't advertise itself within 30 s is withdrawn, and devices that it has no VNI for are removed.
// - causewayd stops: its devices go, which withdraws all.
// - bgpd dies: zebra withdraws all at once. What is kept for a while (`hold`) is the listener's affair.
// - zebra dies, alone or with FRR: its entries stay in the kernel, and so does traffic. A new zebra neither knows nor
//   removes the stale ones. That somebody follows neighbors anew is seen (zebra_restarts.h). From a minute later on,
//   once most entries have been written again, the others are taken out of the kernel: zebra answers by putting back
//   what it knows. What hasn't come back after two seconds is gone, and the listener hears only of that.
// - Somebody removes a device: within seconds it is made anew, with what is advertised; where that fails the VNI is
//   `missing` in `show evpn`.
// - FRR isn't there: nothing is heard, and what is advertised waits in the kernel's tables.
// - More hosts than the kernel takes (net.ipv4.neigh.default.gc_thresh3, and net.ipv6.): the daemon's entries and ours
//   don't count, since neither ages. A refusal is logged, and counted in `show control`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/evpn/shadow_devices.h"
#include "control/evpn/zebra_restarts.h"
#include "dataplane/wire/address.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"
#include "pmd/kernel/interface_lock.h"

namespace causeway {

struct NeighborEntry;

// Called from KernelFabric::serve() alone; may call advertise() and its like.
class FabricListener {
 public:
  virtual ~FabricListener() = default;
  // New, or moved between VTEPs, or from here (which ends what was advertised of it), or sticky (RFC 7432 section 15.2)
  // from now on.
  virtual void remote_mac(uint32_t vni, MacAddress mac, IpAddress vtep, bool sticky) = 0;
  // Not called for a MAC that has become local by advertise().
  virtual void remote_mac_gone(uint32_t vni, MacAddress mac) = 0;
  virtual void remote_host(uint32_t vni, IpAddress ip, MacAddress mac) = 0;  // of a type-2 route with an address
  virtual void remote_host_gone(uint32_t vni, IpAddress ip) = 0;             // nor for one by advertise_host()
  virtual void vtep(uint32_t vni, IpAddress vtep) = 0;                       // type-3: wants floods
  virtual void vtep_gone(uint32_t vni, IpAddress vtep) = 0;
};

class KernelFabric {
 public:
  using Clock = std::chrono::steady_clock;

  // In the calling thread's network namespace. `listener` outlives it.
  explicit KernelFabric(FabricListener& listener);
  // The devices stay, for whoever takes this process's place.
  ~KernelFabric() = default;
  KernelFabric(const KernelFabric&) = delete;
  KernelFabric& operator=(const KernelFabric&) = delete;

  // Makes the shadow devices of a VNI, some milliseconds, or adopts those that are there. `udp_port`: where the
  // kernel's vxlan device listens, and nobody speaks to it: kShadowUdpPort, not the tunnels' port. An error: nothing
  // has changed.
  Error add(uint32_t vni, const IpAddress& local, uint16_t udp_port = kShadowUdpPort);
  // What was learnt of it is forgotten, without a word to the listener; its devices go in the background.
  void remove(uint32_t vni);
  // A stop: all devices go, which withdraws what was advertised. Returns once they are gone: 17 ms each, workers go on.
  void remove_all();

  // A local MAC; `sticky`: it may not move. A remote one of the same MAC ends, but for a sticky one: then this one
  // waits until that has gone. Done by serve(), some thousand a turn.
  void advertise(uint32_t vni, const MacAddress& mac, bool sticky);
  void withdraw(uint32_t vni, const MacAddress& mac);
  // A local host's address; its MAC is to be advertised, too.
  void advertise_host(uint32_t vni, const IpAddress& ip, const MacAddress& mac);
  void withdraw_host(uint32_t vni, const IpAddress& ip);

  // Takes what the kernel says, and sends what is to be said, for 2 ms each at most. Called each turn of the loop:
  // dumps and timers have no descriptor.
  void serve();
  // Readable: the kernel has something to say; -1: no such socket is to be had.
  int descriptor() const noexcept { return events_.get(); }

  // What the kernel's tables hold of a MAC, and what we want there.
  struct Mac {
    IpAddress self{};          // the VTEP in the vxlan device's own FDB; unspecified: no entry
    bool on_vxlan = false;     // the bridge's entry is on the vxlan device: remote
    bool on_port = false;      // or on the fake port: local
    bool sticky = false;       // the remote one
    bool port_sticky = false;  // the local one
    bool wanted = false;       // advertised
    bool wanted_sticky = false;
    bool queued = false;       // something is to be sent about it
    bool awaits_echo = false;  // what the kernel says is older than what we have sent
    bool asked = false;        // taken out, for zebra to put it back
    bool told_sticky = false;
    IpAddress told{};          // the VTEP that the listener knows; unspecified: none
    uint32_t self_dump = 0;    // the last dump that the one entry was in, or came after
    uint32_t bridge_dump = 0;  // and the other
  };
  struct Host {
    MacAddress remote{};  // zebra's; zero: none
    MacAddress local{};   // ours, as the kernel has it
    MacAddress wanted{};
    MacAddress told{};
    bool queued = false;
    bool awaits_echo = false;
    bool asked = false;
    uint32_t dump = 0;
  };
  struct Vtep {
    bool there = false;
    bool told = false;
    bool asked = false;
    uint32_t dump = 0;
  };
  struct Vni {
    IpAddress local{};
    uint16_t udp_port = 0;
    ShadowDevices::Indexes devices{};
    Error missing{};         // why there are no devices; none: there are
    size_t remote_macs = 0;  // that the listener knows
    size_t local_macs = 0;   // advertised
    size_t remote_hosts = 0;
    size_t local_hosts = 0;
    std::unordered_map<MacAddress, Mac> macs{};
    std::unordered_map<IpAddress, Host> hosts{};
    std::map<IpAddress, Vtep> vteps{};
    std::optional<Clock::time_point> settles{};  // then entries of ours that nobody wants go; null: at once
    std::optional<InterfaceLock> lock{};         // on the bridge device; null: another process still has it
  };
  const std::map<uint32_t, Vni>& all() const { return vnis_; }
  const Vni* find(uint32_t vni) const;

  struct Counts {
    uint64_t events = 0;
    uint64_t dumps = 0;     // of all tables
    uint64_t overruns = 0;  // ENOBUFS: events were lost
    uint64_t refused = 0;   // requests that the kernel refused
    uint64_t asked = 0;     // entries taken out for zebra to put back
  };
  const Counts& counts() const { return counts_; }
  // Nothing is left to be told or sent, and no dump is under way.
  bool idle() const {
    return phase_ == Phase::following && !dump_wanted_ && queue_.empty() && changed_.empty() && changed_vteps_.empty();
  }

 private:
  enum class Phase : uint8_t { following, draining, dumping };
  struct Place {  // of a device of ours
    enum class Kind : uint8_t { bridge, vxlan, port } kind;
    uint32_t vni;
  };
  struct Key {  // of an entry
    uint32_t vni = 0;
    MacAddress mac{};  // zero: a host
    IpAddress ip{};
  };

  Vni* get(uint32_t vni);
  void know(uint32_t vni, const ShadowDevices::Indexes& devices);
  void forget(const ShadowDevices::Indexes& devices);

  // Reading, by the phase.
  void follow(Clock::time_point until);
  void drain(Clock::time_point until);
  void dump(Clock::time_point until);
  bool dump_next_family();
  void end_dump();
  bool sweep(uint32_t number, Vni& vni);

  // What the kernel says of an entry.
  void take(const NeighborEntry& entry);
  void take_vtep(uint32_t number, Vni& vni, const NeighborEntry& entry);
  void take_remote(uint32_t number, Vni& vni, const NeighborEntry& entry);
  void take_local(uint32_t number, Vni& vni, const NeighborEntry& entry);
  void take_host(uint32_t number, Vni& vni, const NeighborEntry& entry);

  // Tells the listener what has changed.
  void settle(Clock::time_point until);
  void settle_mac(uint32_t number, const MacAddress& address);
  void settle_host(uint32_t number, const IpAddress& address);
  void settle_vtep(uint32_t number, const IpAddress& address);

  // What is to be sent.
  void queue(uint32_t number, const MacAddress& address, Mac& mac);
  void queue(uint32_t number, const IpAddress& address, Host& host);
  void send_queued(Clock::time_point until);
  void put(const NeighborEntry& entry);
  void put_mac(const Key& key, const Vni& vni, Mac& mac);
  void put_host(const Key& key, const Vni& vni, Host& host);
  void flush();
  void read_refusals();
  // All that was sent has been told by now.
  void hear_echoes();

  // What is done by the clock.
  void tick(Clock::time_point now);
  void remove_strays(uint32_t number, Vni& vni);
  void remove_strangers();
  void look_after_devices();
  void restore(uint32_t number, Vni& vni);
  void ask_zebra(Clock::time_point now);
  void send_asks(Clock::time_point until);
  void end_asking(Clock::time_point now);

  FabricListener& listener_;
  ShadowDevices devices_;
  FileDescriptor events_;    // hears of neighbors
  FileDescriptor requests_;  // sends, and hears refusals
  std::map<uint32_t, Vni> vnis_;
  std::unordered_map<int, Place> places_;  // by interface index
  Phase phase_ = Phase::following;
  bool dump_wanted_ = false;
  bool dump_interrupted_ = false;
  uint32_t dumps_begun_ = 0;
  size_t dump_family_ = 0;
  FileDescriptor dump_;      // of the family under way
  std::deque<Key> changed_;  // what the listener may have to be told of
  std::deque<std::pair<uint32_t, IpAddress>> changed_vteps_;
  std::deque<Key> queue_;
  std::vector<Key> sent_;  // whose echo hasn't come
  std::vector<char> batch_;
  Counts counts_;
  uint32_t looked_after_ = 0;  // the last VNI
  Clock::time_point made_at_ = Clock::now();
  Clock::time_point ticked_at_{};
  Clock::time_point complained_at_{};
  bool strangers_removed_ = false;
  // Of zebra's last restart.
  struct Asking {
    Clock::time_point came{};                 // zebra
    std::optional<Clock::time_point> next{};  // dump that looks for what it hasn't written; null: nothing to do
    int left = 0;                             // dumps, until it is given up
    bool looks = false;                       // the dump under way is one
    size_t written = 0;                       // MACs that zebra has
    std::vector<Key> unwritten{};
    std::vector<std::pair<uint32_t, IpAddress>> vteps{};
    std::vector<Key> to_ask{};
    std::vector<Key> asked{};
    std::vector<std::pair<uint32_t, IpAddress>> asked_vteps{};
    Clock::time_point asked_at{};
  };
  ZebraRestarts zebra_;
  Asking asking_;
};

}  // namespace causeway
