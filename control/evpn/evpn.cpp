#include "control/evpn/evpn.h"

#include <thread>
#include <utility>

namespace causeway {

Evpn::Evpn(Tunnels& tunnels, Bridges& bridges, Fdb& fdb, Hooks hooks)
    : fabric_(tunnels, bridges, fdb, fabric_hooks(std::move(hooks))) {}

Fabric::Hooks Evpn::fabric_hooks(Hooks hooks) {
  Fabric::Hooks all;
  all.join = [this](uint32_t vni, const IpAddress& local) -> Error {
    if (!joins_) return {};
    if (kernel_ == nullptr) kernel_ = std::make_unique<KernelFabric>(fabric_);
    return kernel_->add(vni, local);
  };
  all.leave = [this](uint32_t vni) {
    if (kernel_ != nullptr) kernel_->remove(vni);
  };
  all.advertise = [this](uint32_t vni, const MacAddress& mac, bool sticky) {
    if (kernel_ != nullptr) kernel_->advertise(vni, mac, sticky);
  };
  all.withdraw = [this](uint32_t vni, const MacAddress& mac) {
    if (kernel_ != nullptr) kernel_->withdraw(vni, mac);
  };
  all.advertise_host = [this](uint32_t vni, const IpAddress& ip, const MacAddress& mac) {
    if (kernel_ != nullptr) kernel_->advertise_host(vni, ip, mac);
  };
  all.withdraw_host = [this](uint32_t vni, const IpAddress& ip) {
    if (kernel_ != nullptr) kernel_->withdraw_host(vni, ip);
  };
  all.host = std::move(hooks.host);
  all.host_gone = std::move(hooks.host_gone);
  all.vteps_changed = std::move(hooks.vteps_changed);
  return all;
}

void Evpn::catch_up(Clock::time_point until) {
  if (!joins_) return;
  if (fabric_.all().empty()) {
    // Of a gateway that was killed devices may be left, which the fabric goes on sending to.
    if (kernel_ == nullptr && !ShadowDevices().present().empty()) kernel_ = std::make_unique<KernelFabric>(fabric_);
    return;
  }
  if (kernel_ == nullptr) fabric_.join_again();  // after let_go()
  while (kernel_ != nullptr && !kernel_->idle() && Clock::now() < until) {
    if (serve(until) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

size_t Evpn::serve(Clock::time_point until) {
  if (kernel_ != nullptr) kernel_->serve();
  return fabric_.serve(until);
}

void Evpn::say_goodbye() {
  if (kernel_ != nullptr) kernel_->remove_all();
}

}  // namespace causeway
