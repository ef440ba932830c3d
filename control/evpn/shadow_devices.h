// The kernel's devices that show a routing daemon a VNI, whose frames never pass them: a bridge cwbV, in it a vxlan
// device cwvV and a TAP cwpV that nobody has open, where local MACs stand (V: the VNI in decimal). They outlive the
// process; their link group (ip-link(8)) says whose they are.
//
// zebra advertises a VNI whatever the UDP port of its vxlan device. The tunnels' own, 4789, would be taken from nobody
// while Causeway has the interface, but where the host has it, too (`addresses: host`, `host`), the kernel would take
// tunnels' frames into the shadow bridges. So it is one that nobody uses, above those that Linux gives to sockets.
// Whoever sends there reaches a bridge without addresses, that answers no ARP and learns nothing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/wire/address.h"
#include "pmd/error.h"
#include "pmd/kernel/rtnetlink.h"

namespace causeway {

inline constexpr uint16_t kShadowUdpPort = 64789;
inline constexpr uint32_t kShadowGroup = 0x63770001;  // IFLA_GROUP

class ShadowDevices {
 public:
  struct Indexes {
    int bridge = 0;
    int vxlan = 0;
    int port = 0;
    bool operator==(const Indexes&) const = default;
  };
  struct Made {
    Indexes devices;
    bool adopted = false;  // they were there, with these settings
    Error error;           // then there is none of them
  };

  ShadowDevices() = default;
  // Waits for what is being removed.
  ~ShadowDevices();
  ShadowDevices(const ShadowDevices&) = delete;
  ShadowDevices& operator=(const ShadowDevices&) = delete;

  // Ours that are there with other settings are made anew; what is not ours is an error.
  Made make(uint32_t vni, const IpAddress& local, uint16_t udp_port);
  // What there is of a VNI's; zeros: no such device.
  static Indexes find(uint32_t vni);
  // VNIs that there are devices of ours for.
  std::vector<uint32_t> present() const;

  // In a thread of its own, some VNIs at a time: the kernel lets nobody else change devices meanwhile.
  void remove(uint32_t vni);
  // All of these at once, which is faster: 17 ms each. Returns when it is done.
  void remove_now(const std::vector<uint32_t>& vnis);

 private:
  Error build(uint32_t vni, const IpAddress& local, uint16_t udp_port, Indexes& devices) const;
  bool fits(uint32_t vni, const Indexes& devices, const IpAddress& local, uint16_t udp_port) const;
  // Takes it back if it still waits to be removed, or waits until it is.
  void keep(uint32_t vni);
  void work_off();

  Rtnetlink rtnetlink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<uint32_t> waiting_;
  std::set<uint32_t> going_;  // those that the thread is about
  bool ends_ = false;
  std::thread thread_;  // from the first removal on
};

}  // namespace causeway
