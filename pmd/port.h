// The interface every port meets, whatever device is behind it. Owned and configured by the control
// thread; the PortIo half is for workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port_io.h"
#include "dataplane/wire/address.h"
#include "pmd/error.h"
#include "pmd/generator_settings.h"
#include "pmd/host_network.h"
#include "pmd/nic_model_settings.h"
#include "pmd/open_error.h"

struct rte_mbuf;
struct rte_mempool;

namespace causeway {

enum class Toggle : uint8_t { automatic, on, off };

struct OffloadSettings {
  Toggle checksum = Toggle::automatic;
  Toggle tso = Toggle::automatic;
  Toggle tunnel_tso = Toggle::automatic;
  Toggle flow = Toggle::automatic;
  Toggle gro = Toggle::automatic;  // ours, not the device's
  Toggle lro = Toggle::automatic;  // off: what a device merges does not always come apart again as it was
  Toggle elephants = Toggle::automatic;
  auto operator<=>(const OffloadSettings&) const = default;
};

// What a port is opened with.
struct PortOptions {
  std::string name;          // as in the YAML; also the Linux interface's name for tap and packet ports
  uint16_t rx_queues = 1;    // 0: one a worker, where the device spreads flows over several
  uint16_t tx_queues = 1;    // one a worker
  uint16_t mtu = 0;          // bytes of IP packet; 0: leave the device's own
  MacAddress mac{};          // zero: leave the device's own
  bool underlay = false;     // carries tunnels: promiscuous mode off where it can be, complete checksums on the wire
  bool promiscuous = false;  // on even then: some of its frames are bridged
  bool host = false;         // the host's end of an underlay's host path
  OffloadSettings offloads{};
  rte_mempool* pool = nullptr;  // receive buffers; outlives the port
  // Port::descriptors() of the process that had the device, which need them no longer once the port is open. It goes on
  // with what waits in them. If they aren't as many as it wants it opens the device anew: busy while others have it.
  std::vector<int> handed_over{};

  uint16_t wanted_rx_queues() const noexcept { return rx_queues != 0 ? rx_queues : tx_queues; }
};

// What keeps the frames of a flow on one rx queue.
enum class RxSpread : uint8_t {
  none,    // nothing that we know of: the device fills its queues as it pleases
  outer,   // RSS over the outer headers: of a tunnel's frames the UDP source port
  inner,   // RSS over the innermost headers
  kernel,  // Linux' own flow hash
};

// Counters of the device itself: what it lost before a worker saw it, or after a worker gave it away.
struct PortDeviceStats {
  uint64_t rx_missed = 0;  // frames lost for want of a descriptor or buffer
  uint64_t rx_errors = 0;
  uint64_t tx_errors = 0;  // frames taken by tx_burst and lost
};

// What the host is to see of an underlay on its end of the host path.
struct HostSide {
  MacAddress mac;                   // zero, and an MTU of 0: leave them as they are
  uint16_t mtu = 0;                 // bytes of IP packet
  bool link_up = false;             // its carrier
  std::vector<IpPrefix> addresses;  // those that we give it; others that it has are the host's own
};

// A port in its NIC's switch. Ports of one domain can hand frames to each other.
struct SwitchPort {
  std::string domain;  // empty: none
  uint16_t id = 0;
};

class FlowRules;
class SwitchRules;

class Port : public PortIo {
 public:
  // Looks at the device again, which others may change, too: gone(), mac(), mtu() and link_up() are as of the last
  // look.
  virtual void look() {}
  // The device is no more, or no longer to be had by its name: all that is left is to close it.
  virtual bool gone() const noexcept { return false; }

  // All that another process needs to go on with the device as it is; none: that one has to open it anew.
  virtual std::vector<int> descriptors() const { return {}; }

  virtual const std::string& name() const noexcept = 0;
  virtual const char* kind() const noexcept = 0;  // "dpdk", "tap", "packet", "generator", "nic-model", "vlan", "host"
  virtual MacAddress mac() const noexcept = 0;
  virtual uint16_t mtu() const noexcept = 0;  // bytes of IP packet, without the Ethernet header
  virtual uint16_t rx_queues() const noexcept = 0;
  virtual uint16_t tx_queues() const noexcept = 0;
  // The device at the other end needs as many queues as this one, or the link stays down (memif).
  virtual bool equal_queues() const noexcept { return false; }
  virtual RxSpread rx_spread() const noexcept = 0;  // whether there are several queues or not
  virtual bool link_up() const noexcept = 0;
  virtual TxCapabilities capabilities() const noexcept = 0;
  // Why capabilities() misses `bits` (TxCapabilities) for frames in such a tunnel though no toggle is off; for people.
  virtual std::string lacks(Outer outer, uint8_t bits) const {
    (void)outer;
    (void)bits;
    return "the device can't";
  }
  virtual PortDeviceStats device_stats() const noexcept = 0;
  // Both change a running port.
  virtual Error set_mtu(uint16_t mtu) = 0;
  virtual Error set_mac(const MacAddress& mac) = 0;
  // Null: the device takes none (pmd/flow_rules.h).
  virtual FlowRules* flow_rules() noexcept { return nullptr; }
  // The same for its NIC's switch (pmd/switch_rules.h).
  virtual SwitchRules* switch_rules() noexcept { return nullptr; }
  virtual SwitchPort switch_port() const { return {}; }

  // Of an interface that the host's kernel has, too: its addresses and neighbors there now. Null: it isn't one.
  virtual std::optional<HostNetwork> host_network() const { return std::nullopt; }

  // Of an underlay: what comes in reaches the host by the end of its host path alone, or as it did before.
  virtual Error set_host_path(bool on) {
    (void)on;
    return {};
  }
  // Of a port with PortOptions::host: makes its interface so; as much of it as can be.
  virtual Error show_host(const HostSide& side) {
    (void)side;
    return {};
  }
  // The interface is to be gone with the port, whoever else holds a descriptor of it.
  virtual void destroy() {}

  // Whether it merges TCP segments as they come in.
  virtual bool lro() const noexcept { return false; }

  // For a self-test (control/port/self_test.h). Sends a frame as tx_burst would, but gets it back as if received:
  // appends to `received` what comes of it. Takes the frame. False: the device has no loop, and nothing is taken.
  struct Received {
    rte_mbuf* frame;
    uint16_t queue;
  };
  virtual bool loop(rte_mbuf* frame, std::vector<Received>& received) {
    (void)frame;
    (void)received;
    return false;
  }
  // For the same: what its LRO makes of frames that come in together. Returns how many are left of them.
  virtual uint16_t merge(rte_mbuf** frames, uint16_t count) {
    (void)frames;
    return count;
  }
  // From now on the device's opinion on received checksums doesn't count.
  virtual void distrust_rx_checksums() {}
};

// Each opens a device and starts it; on failure returns null and says why in `error` (one line, no name in front).
std::unique_ptr<Port> open_ethdev_port(const PortOptions& options, const std::string& devargs, OpenError& error);
std::unique_ptr<Port> open_tap_port(const PortOptions& options, OpenError& error);
std::unique_ptr<Port> open_packet_port(const PortOptions& options, OpenError& error);
std::unique_ptr<Port> open_generator_port(const PortOptions& options, const GeneratorSettings& settings,
                                          OpenError& error);
std::unique_ptr<Port> open_nic_model(const PortOptions& options, const NicModelSettings& settings, OpenError& error);
// VLAN `id` of `link`, which must outlive it. Of the options only name, mtu and tx_queues count; its MTU is the link's
// if that is smaller.
std::unique_ptr<Port> open_vlan_port(const PortOptions& options, Port& link, uint16_t id);

}  // namespace causeway
