#include "control/yaml/generator_key.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/vxlan.h"

namespace causeway::config {
namespace {

constexpr size_t kMostSizes = 64;
constexpr uint64_t kLargestMac = 0xffff'ffff'ffff;

// One value of a field as a number; nothing, and reported, if it is none.
using ReadOne = std::optional<uint64_t> (*)(const Value&);

std::optional<uint64_t> read_mac(const Value& value) {
  const auto mac = value.unicast_mac();
  return mac ? std::optional(mac->to_u64()) : std::nullopt;
}

std::optional<uint64_t> read_v4(const Value& value) {
  const auto ip = value.address();
  if (ip && !ip->is_v4()) value.error("a generator's addresses are IPv4");
  if (!ip || !ip->is_v4()) return std::nullopt;
  uint64_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | ip->v4_wire()[i];
  return number;
}

std::optional<uint64_t> read_port(const Value& value) { return value.number(0, 65535); }
std::optional<uint64_t> read_vni(const Value& value) { return value.number(0, 0xffffff); }
std::optional<uint64_t> read_gre_key(const Value& value) { return value.number(0, UINT32_MAX); }

// A field that is not in the file: a value of its own for each flow, as far as they go.
GeneratorRange of_flows(uint64_t first, uint64_t last, uint32_t flows) {
  return {first, static_cast<uint32_t>(std::min<uint64_t>(std::max(flows, 1U), last - first + 1))};
}

// `02:01:00:00:00:00`: that one for all flows. `{first: ..., count: N}`: N of them; without count, one for each flow.
void read_range(const Fields& fields, std::string_view key, ReadOne read_one, uint64_t largest, uint32_t flows,
                GeneratorRange& range) {
  const auto value = fields.find(key);
  if (!value) return;
  if (!value->is_map()) {
    if (const auto number = read_one(*value)) range = {*number, 1};
    return;
  }
  const Fields range_fields(*value, kKeyNames<kRangeKeys>);
  range_fields.require({"first"});
  const auto first = range_fields.find("first");
  const auto number = first ? read_one(*first) : std::nullopt;
  if (!number) return;
  range = of_flows(*number, largest, flows);
  const auto count = range_fields.find("count");
  if (!count) return;
  const auto wanted = count->number(1, UINT32_MAX);
  if (wanted && *wanted - 1 > largest - *number) {
    count->error(fmt::format("{} go beyond the largest value", *wanted));
  } else if (wanted) {
    range.count = static_cast<uint32_t>(*wanted);
  }
}

void read_sizes(const Value& value, std::vector<uint16_t>& sizes) {
  const auto read_one = [&](const Value& item) {
    const auto bytes = item.number(GeneratorSettings::kLeastFrameBytes, GeneratorSettings::kMostFrameBytes);
    if (bytes) sizes.push_back(static_cast<uint16_t>(*bytes));
  };
  sizes.clear();
  if (value.is_list()) {
    const size_t errors = value.error_count();
    value.for_each_item(read_one);
    if (value.error_count() == errors && (sizes.empty() || sizes.size() > kMostSizes)) {
      value.error(fmt::format("{} sizes are out of range (1 to {})", sizes.size(), kMostSizes));
    }
  } else {
    read_one(value);
  }
}

void read_tunnel(const Value& value, uint32_t flows, GeneratorTunnel& tunnel) {
  const Fields fields(value, kKeyNames<kGeneratorTunnelKeys>);
  fields.require({"mode", "id", "source-address", "destination-address"});
  const auto mode = fields.find("mode");
  const auto type = mode ? mode->tunnel_type(std::get<0>(kGeneratorTunnelKeys).form.types) : std::nullopt;
  if (!type) return;
  tunnel.mode = *type;
  const bool gre = over_gre(*type);
  read_range(fields, "id", gre ? read_gre_key : read_vni, row_of(*type).highest_id, flows, tunnel.id);
  read_keys(fields, kGeneratorTunnelKeys, tunnel);
  read_range(fields, "source-address", read_v4, UINT32_MAX, flows, tunnel.source_address);
  if (const auto destination = fields.find("destination-address")) {
    tunnel.destination_address = static_cast<uint32_t>(read_v4(*destination).value_or(0));
  }
  if (const auto port = fields.find("port"); port && gre) return port->key_error("gretap has no port");
  if (const auto checksum = fields.find("checksum"); checksum && gre) {
    return checksum->key_error("a generator's gretap has no checksum");
  }
  tunnel.port = row_of(*type).udp_port;
  fields.number("port", tunnel.port, 1, 65535);
}

}  // namespace

// One flow's number, MACs, addresses and ports tell it apart: by default each flow has all of its own, as far as
// these go. Addresses from 198.18.0.0/15, the network for benchmarks (RFC 2544).
void default_ranges(GeneratorSettings& settings) {
  settings.source_mac = of_flows(0x0201'0000'0000, kLargestMac, settings.flows);
  settings.destination_mac = of_flows(0x0202'0000'0000, kLargestMac, settings.flows);
  settings.source_address = of_flows(0xc612'0000, 0xc612'ffff, settings.flows);
  settings.destination_address = of_flows(0xc613'0000, 0xc613'ffff, settings.flows);
  settings.source_port = of_flows(1024, 65535, settings.flows);
  settings.destination_port = of_flows(1024, 65535, settings.flows);
}

GeneratorSettings read_generator(const Value& value) {
  using Distribution = GeneratorSettings::Distribution;
  GeneratorSettings settings;
  const Fields fields(value, kKeyNames<kGeneratorKeys>);
  read_keys(fields, kGeneratorKeys, settings);
  if (const auto sizes = fields.find("frame-bytes")) read_sizes(*sizes, settings.frame_bytes);
  const auto distribution = fields.find("distribution");
  if (settings.distribution == Distribution::zipf && settings.flows > GeneratorSettings::kMostZipfFlows) {
    distribution->error(fmt::format("zipf is for up to {} flows", GeneratorSettings::kMostZipfFlows));
  }
  if (settings.flows != 0 && settings.rx_queues > settings.flows) {
    fields.find("rx-queues")->error(fmt::format("{} queues, but {} flows", settings.rx_queues, settings.flows));
  }
  const uint32_t flows = settings.flows;
  default_ranges(settings);
  read_range(fields, "source-mac", read_mac, kLargestMac, flows, settings.source_mac);
  read_range(fields, "destination-mac", read_mac, kLargestMac, flows, settings.destination_mac);
  read_range(fields, "source-address", read_v4, UINT32_MAX, flows, settings.source_address);
  read_range(fields, "destination-address", read_v4, UINT32_MAX, flows, settings.destination_address);
  read_range(fields, "source-port", read_port, 65535, flows, settings.source_port);
  read_range(fields, "destination-port", read_port, 65535, flows, settings.destination_port);
  if (const auto tunnel = fields.find("tunnel")) read_tunnel(*tunnel, flows, settings.tunnel);
  return settings;
}

}  // namespace causeway::config
