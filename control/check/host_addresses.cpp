#include "control/check/host_addresses.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "control/config/address_text.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

template <class Bytes>
uint8_t ones_in(const Bytes& mask) {
  unsigned bits = 0;
  for (const uint8_t byte : mask) bits += static_cast<unsigned>(std::popcount(byte));
  return static_cast<uint8_t>(bits);
}

// Whether frames of the device pass the kernel on their way to us.
bool kernel_sees(const config::Config& config, const config::Ethernet& ethernet) {
  if (const config::VlanDevice* const vlan = ethernet.vlan_device()) {
    return kernel_sees(config, config.ethernets.at(vlan->link));
  }
  if (const auto* model = std::get_if<NicModelSettings>(&ethernet.device)) {
    return model->over != NicModelSettings::Over::dpdk;
  }
  return std::holds_alternative<config::PacketDevice>(ethernet.device) ||
         std::holds_alternative<config::TapDevice>(ethernet.device);
}

}  // namespace

std::vector<InterfaceAddress> addresses_of_host() {
  std::vector<InterfaceAddress> addresses;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      std::array<uint8_t, 4> mask{};
      std::memcpy(mask.data(), &reinterpret_cast<const sockaddr_in*>(entry->ifa_netmask)->sin_addr, mask.size());
      addresses.push_back({entry->ifa_name, {IpAddress::v4(&address->sin_addr), ones_in(mask)}});
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      std::array<uint8_t, 16> mask{};
      std::memcpy(mask.data(), &reinterpret_cast<const sockaddr_in6*>(entry->ifa_netmask)->sin6_addr, mask.size());
      addresses.push_back({entry->ifa_name, {IpAddress::v6(&address->sin6_addr), ones_in(mask)}});
    }
  }
  return addresses;
}

std::vector<HostAddress> shared_with_host(const config::Config& config) {
  std::vector<HostAddress> shared;
  std::unordered_multimap<IpAddress, InterfaceAddress> held;
  for (const InterfaceAddress& each : addresses_of_host()) held.emplace(each.address.address, each);
  for (const auto& [name, ethernet] : config.ethernets) {
    // The other end of a host path is the host's, and tunnels' packets don't get there.
    if (!ethernet.is_underlay() || !ethernet.host.empty() || !kernel_sees(config, ethernet)) continue;
    for (const IpPrefix& own : ethernet.addresses) {
      const auto [first, last] = held.equal_range(own.address);
      for (auto item = first; item != last; ++item) {
        const InterfaceAddress& host = item->second;
        // On another link the same link-local address is another one.
        if (is_link_local(own.address) && host.interface != name) continue;
        shared.push_back({name, host.address, host.interface});
      }
    }
  }
  return shared;
}

std::string to_string(const HostAddress& shared) {
  return fmt::format(
      "{} is the host's own address, too, on {}: its kernel answers tunnels' packets with \"port unreachable\"; take "
      "it "
      "from the host: ip addr del {} dev {}",
      to_string(shared.address.address), shared.interface, to_string(shared.address), shared.interface);
}

}  // namespace causeway
