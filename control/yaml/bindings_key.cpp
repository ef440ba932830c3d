// The bindings of bridge ports.
#include <fmt/format.h>

#include <set>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"

namespace causeway::config {
namespace {

// 10.0.0.5, or 10.0.0.0/24 for all of them.
std::optional<IpPrefix> read_bound_address(const Value& item) {
  const auto ip = item.is_text() ? parse_ip(*item.text("")) : std::nullopt;
  const auto prefix = ip ? IpPrefix{*ip, static_cast<uint8_t>(ip->is_v4() ? 32 : 128)} : item.prefix();
  if (!prefix) return {};
  const IpAddress& address = prefix->address;
  if (address.is_multicast() || (address.is_unspecified() && ip)) {
    item.error(fmt::format("{} is no address of a host", to_string(address)));
    return {};
  }
  return network_of(*prefix);
}

}  // namespace

void read_bindings(const Fields& fields, Ethernet& ethernet) {
  const auto list = fields.find("bindings");
  if (!list) return;
  if (ethernet.is_underlay()) return list->key_error("an underlay is no bridge port");
  std::set<MacAddress> seen;
  const size_t errors = list->error_count();
  list->for_each_item([&](const Value& item) {
    const Fields binding_fields(item, kKeyNames<kBindingKeys>);
    binding_fields.require({"mac"});
    Binding binding;
    read_keys(binding_fields, kBindingKeys, binding);
    if (!binding.mac.is_zero() && !seen.insert(binding.mac).second) {
      binding_fields.find("mac")->error("this MAC is bound already: give it all its addresses in one place");
    }
    if (const auto addresses = binding_fields.find("addresses")) {
      const size_t before = addresses->error_count();
      addresses->for_each_item([&](const Value& address) {
        if (const auto prefix = read_bound_address(address)) binding.addresses.push_back(*prefix);
      });
      if (binding.addresses.empty() && addresses->error_count() == before) {
        addresses->error("the list is empty; without it any address is allowed");
      }
    }
    ethernet.bindings.push_back(std::move(binding));
  });
  if (ethernet.bindings.empty() && list->error_count() == errors) {
    list->error("the list is empty; without it anybody may speak");
  }
}

}  // namespace causeway::config
