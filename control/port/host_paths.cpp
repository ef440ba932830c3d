// Underlays, and what one and the host's end of its path have to do with each other.
#include <fmt/format.h>

#include "control/port/ports.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

// A NIC's link comes up within a few seconds; a carrier that was there all the time ends no BGP session meanwhile.
constexpr Ports::Clock::duration kSettling = std::chrono::seconds(5);

// RFC 4291 section 2.8: who has an IPv6 address has a link-local one, too.
// Routes of the host's may have IPv6 next hops where all else is IPv4 (RFC 8950).
std::vector<IpPrefix> with_link_local(std::vector<IpPrefix> addresses, const MacAddress& mac, bool follows_host) {
  const auto is_v6 = [](const IpPrefix& own) { return own.address.is_v6(); };
  const auto is_local = [](const IpPrefix& own) { return is_link_local(own.address); };
  if ((follows_host || std::ranges::any_of(addresses, is_v6)) && std::ranges::none_of(addresses, is_local)) {
    addresses.push_back({link_local_address(mac), 64});
  }
  return addresses;
}

}  // namespace

void Ports::set_underlay(const std::string& name, const Record& record) {
  if (!record.settings.is_underlay() || record.port == nullptr) return;
  Underlay::Port underlay;
  underlay.name = name;
  underlay.mac = record.port->mac();
  underlay.mtu = record.port->mtu();
  underlay.link_up = record.link_up;
  underlay.host = record.settings.host_addresses;
  underlay.host_path = !record.settings.host.empty();
  const auto tables = record.settings.followed_tables();
  underlay.followed_tables = {tables.begin(), tables.end()};
  underlay.interface = record.settings.host_interface(name);
  if (underlay.host) {
    underlay.addresses = record.host.addresses;
  } else {
    underlay.addresses = with_link_local(record.settings.addresses, underlay.mac, !tables.empty());
    underlay.routes = record.settings.routes;
  }
  underlay_.set(record.index, std::move(underlay));
  show_host(record);
}

// Of a record's host path; null: it has none, or its other end isn't configured now.
Ports::Record* Ports::other_end(const Record& record) {
  const config::HostDevice* const host = record.settings.host_device();
  const auto found = ports_.find(host != nullptr ? host->underlay : record.settings.host);
  if (found == ports_.end()) return nullptr;
  Record& other = found->second;
  const config::HostDevice* const there = other.settings.host_device();
  const bool fits =
      host != nullptr ? other.settings.is_underlay() : there != nullptr && there->underlay == names_.at(record.index);
  return fits ? &other : nullptr;
}

// The host sees what the underlay is now. Without a device that has no link; its MAC and MTU stay.
void Ports::show_host(const Record& underlay) {
  Record* const host = underlay.settings.host_device() == nullptr ? other_end(underlay) : nullptr;
  if (host == nullptr || host->port == nullptr) return;
  HostSide side;
  side.addresses = underlay.settings.addresses;
  if (underlay.port != nullptr) {
    side.mac = underlay.port->mac();
    side.mtu = underlay.port->mtu();
    if (underlay.link_up) host->settles_at = {};
    side.link_up = underlay.link_up || host->settles_at > Clock::now();
  }
  if (const Error error = host->port->show_host(side)) {
    log(kHostPath, *host, spdlog::level::warn, fmt::format("{}: {}", names_.at(host->index), error.text()));
  }
  note(*host);
}

// A host's end that was just opened.
void Ports::join_underlay(Record& host) {
  if (handed_over_.contains(names_.at(host.index))) host.settles_at = Clock::now() + kSettling;
  Record* const underlay = other_end(host);
  if (underlay == nullptr) return;
  if (underlay->port == nullptr) return show_host(*underlay);
  read_host_network(*underlay);
  set_underlay(names_.at(underlay->index), *underlay);
}

void Ports::settle_hosts(Clock::time_point now) {
  for (auto& [name, record] : ports_) {
    if (record.settles_at == Clock::time_point{} || now < record.settles_at) continue;
    record.settles_at = {};
    if (const Record* const underlay = other_end(record)) show_host(*underlay);
  }
}

// Where the kernel doesn't say, what it said last stands.
void Ports::read_host_network(Record& record) {
  if (!record.settings.host_addresses) return;
  const Record* const there = record.settings.host.empty() ? &record : other_end(record);
  if (there == nullptr || there->port == nullptr) return;
  if (auto network = there->port->host_network()) record.host = std::move(*network);
}

}  // namespace causeway
