#include "control/config/value_text.h"

#include <variant>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/config/vlan_rules.h"

namespace causeway::config {
namespace {

std::string text_of(const NicFeatures& features) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kNicFeatureNames.size(); ++i) {
    if (features.has(static_cast<NicFeature>(i))) names.emplace_back(kNicFeatureNames[i]);
  }
  return fmt::format("[{}]", joined(names));
}

std::string text_of(const NicModelSettings& model) {
  const bool tap = model.over == NicModelSettings::Over::tap;
  const std::string over = model.over == NicModelSettings::Over::dpdk ? model.devargs : tap ? "tap" : "interface";
  std::string text = fmt::format("nic-model over {} flow-rules {}", over, model.flow_rules);
  if (!model.switch_name.empty()) text += " switch " + model.switch_name;
  if (!model.without.empty()) text += " without " + text_of(model.without);
  if (!model.misreport.empty()) text += " misreport " + text_of(model.misreport);
  return text;
}

// In brackets, however many there are.
std::string list_text(const std::vector<unsigned>& numbers) {
  std::vector<std::string> texts;
  for (const unsigned number : numbers) texts.push_back(std::to_string(number));
  return fmt::format("[{}]", joined(texts));
}

std::string field_text(const Range& form, uint64_t value) {
  const auto byte = [value](unsigned shift) { return static_cast<uint8_t>(value >> shift); };
  if (form.of == Range::Of::mac) return to_string(MacAddress::from_u64(value));
  if (form.of == Range::Of::ipv4) return to_string(IpAddress::v4(byte(24), byte(16), byte(8), byte(0)));
  return std::to_string(value);
}

}  // namespace

std::string joined(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + text;
  return result;
}

std::string text_of(Toggle toggle) {
  return toggle == Toggle::automatic ? "auto" : toggle == Toggle::on ? "on" : "off";
}

std::string text_of(const MssClamp& clamp) {
  if (clamp.mode == MssClamp::Mode::fixed) return std::to_string(clamp.bytes);
  return clamp.mode == MssClamp::Mode::automatic ? "auto" : "off";
}

std::string text_of(const MacAddress& mac) { return to_string(mac); }
std::string text_of(const IpAddress& ip) { return to_string(ip); }
std::string text_of(const IpPrefix& prefix) { return to_string(prefix); }

std::string text_of(const Route& route) {
  const std::string text =
      fmt::format("{} via {}", route.to.length == 0 ? "default" : to_string(route.to), to_string(route.via));
  return text + (route.metric == 0 ? "" : fmt::format(" metric {}", route.metric)) + (route.on_link ? " on-link" : "");
}

std::string text_of(const StaticNeighbor& neighbor) {
  return fmt::format("{} at {}", to_string(neighbor.to), to_string(neighbor.mac));
}

std::string text_of(const SflowTarget& target) {
  const std::string address = to_string(target.address);
  return fmt::format(fmt::runtime(target.address.is_v4() ? "{}:{}" : "[{}]:{}"), address, target.port);
}

std::string text_of(const Binding& binding) {
  return to_string(binding.mac) + (binding.addresses.empty() ? "" : " with " + text_of(binding.addresses));
}

std::string text_of(TunnelType type) { return std::string(row_of(type).name); }

std::string text_of(const Tunnel& tunnel) {
  const std::string id = tunnel.id ? fmt::format(" id {}", *tunnel.id) : "";
  const std::string local = tunnel.local.is_unspecified() ? "" : text_of(tunnel.local) + ' ';
  if (tunnel.evpn) return fmt::format("evpn {}{} {}hold {}", text_of(tunnel.mode), id, local, tunnel.evpn->hold_s);
  return fmt::format("{}{} {}-> {}", text_of(tunnel.mode), id, local, text_of(tunnel.remotes));
}

std::string text_of(const Ethernet& ethernet) {
  if (const auto* dpdk = std::get_if<DpdkDevice>(&ethernet.device)) return "dpdk " + dpdk->devargs;
  if (const auto* generator = std::get_if<GeneratorSettings>(&ethernet.device)) {
    const std::string rate = generator->rate != 0 ? fmt::format(" rate {}", generator->rate) : "";
    return fmt::format("generator flows {} frame-bytes {}{}", generator->flows, text_of(generator->frame_bytes), rate);
  }
  if (const auto* model = std::get_if<NicModelSettings>(&ethernet.device)) return text_of(*model);
  if (const VlanDevice* const vlan = ethernet.vlan_device()) return fmt::format("id {} link {}", vlan->id, vlan->link);
  if (const HostDevice* const host = ethernet.host_device()) return "of " + host->underlay;
  return std::holds_alternative<TapDevice>(ethernet.device) ? "tap" : "interface";
}

std::string text_of(const Bytes&, uint64_t bytes) {
  const bool whole = bytes % (1ULL << 20) == 0;
  return whole ? fmt::format("{}M", bytes >> 20) : std::to_string(bytes);
}

std::string text_of(const Range& form, uint32_t value) { return field_text(form, value); }

std::string text_of(const Range& form, const GeneratorRange& range) {
  const std::string first = field_text(form, range.first);
  return range.count == 1 ? first : fmt::format("{} from {}", range.count, first);
}

std::string workers_text(const System& system) {
  return system.worker_cores.empty() ? std::to_string(system.workers) : list_text(system.worker_cores);
}

std::string rx_workers_text(const Ethernet& ethernet) {
  return ethernet.rx_workers.empty() ? "default" : list_text(ethernet.rx_workers);
}

std::string addresses_text(const Ethernet& ethernet) {
  return ethernet.host_addresses ? "host" : text_of(ethernet.addresses);
}

std::string table_text(uint32_t table) { return table == kMainTable ? "main" : std::to_string(table); }

std::string local_text(const Tunnel& tunnel) {
  return tunnel.local.is_unspecified() ? "by route" : text_of(tunnel.local);
}

std::string ethernet_vlan_text(const Ethernet& ethernet) { return to_string(ethernet.vlan); }
std::string tunnel_vlan_text(const Tunnel& tunnel) { return to_string(tunnel.vlan); }

std::string tos_text(const Tunnel& tunnel) {
  return tunnel.tos_inherit ? "inherit" : std::to_string(unsigned{tunnel.tos});
}

std::string options_text(const Tunnel& tunnel) {
  std::string text;
  for (const GeneveOption& option : tunnel.options) {
    text += fmt::format("{}{:04x}/{:02x}", text.empty() ? "" : ",", option.option_class, option.type);
    for (size_t i = 0; i < option.data.size(); ++i) text += fmt::format("{}{:02x}", i == 0 ? "/" : "", option.data[i]);
  }
  return text.empty() ? "none" : text;
}

std::string text_of(const Mirror& mirror) {
  return mirror.output_vlan != 0 ? fmt::format("to VLAN {}", mirror.output_vlan)
                                 : fmt::format("to {}", mirror.output_port);
}

}  // namespace causeway::config
