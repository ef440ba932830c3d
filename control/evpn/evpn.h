// Both sides of EVPN: what the gateway makes of a fabric, and the kernel, which carries it between us and a routing
// daemon. Control thread.
#pragma once

#include <functional>
#include <memory>

#include "control/evpn/fabric.h"
#include "control/evpn/kernel_fabric.h"

namespace causeway {

class Evpn {
 public:
  using Clock = std::chrono::steady_clock;

  struct Hooks {
    // Hosts elsewhere, to who answers for them.
    std::function<void(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac)> host;
    std::function<void(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip)> host_gone;
    std::function<void()> vteps_changed;  // as Fabric's
  };

  Evpn(Tunnels& tunnels, Bridges& bridges, Fdb& fdb, Hooks hooks);

  // From now on the kernel hears of instances. Without it nobody does, and fabric() hears whoever calls it: in tests.
  void join_kernel() { joins_ = true; }
  // For a process that takes this one's place: the devices stay.
  void let_go() { kernel_.reset(); }
  // Before frames pass: hears what was said while nobody listened, or how much of it comes until then.
  void catch_up(Clock::time_point until);
  // Called each turn of the control thread. Returns how many MACs were looked at.
  size_t serve(Clock::time_point until);
  // A stop: withdraws all.
  void say_goodbye();

  Fabric& fabric() { return fabric_; }
  const Fabric& fabric() const { return fabric_; }
  const KernelFabric* kernel() const { return kernel_.get(); }  // null: there was no instance yet

 private:
  Fabric::Hooks fabric_hooks(Hooks hooks);

  bool joins_ = false;
  Fabric fabric_;
  std::unique_ptr<KernelFabric> kernel_;  // tells fabric_
};

}  // namespace causeway
