// `show evpn`: a row for each VNI, of what the gateway makes of it, and of what the kernel's tables hold.
#include <chrono>

#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "dataplane/wire/tunnel_type.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct EvpnView {
  const Gateway& gateway;
  uint32_t vni;
  const Fabric::Instance& instance;
  const KernelFabric::Vni* kernel;  // null: it hasn't joined
  Fabric::Held held;
};

RecordStream<EvpnView> evpn_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<EvpnView>(gateway.evpn().fabric().all(),
                              [&gateway](uint32_t vni, const Fabric::Instance& instance, const auto& add) {
                                const KernelFabric* const kernel = gateway.evpn().kernel();
                                add({gateway, vni, instance, kernel != nullptr ? kernel->find(vni) : nullptr,
                                     gateway.evpn().fabric().held(instance, Fabric::Clock::now())});
                              });
}

json mode_json(const EvpnView& view) {
  const auto* const tunnel = view.gateway.tunnels().find(view.instance.tunnel);
  return tunnel != nullptr ? json(row_of(tunnel->settings.mode).name) : json();
}

json state_json(const EvpnView& view) {
  if (view.kernel == nullptr || view.kernel->missing) return "missing";
  if (view.held.vteps + view.held.macs != 0) return "held";
  return view.instance.vteps.empty() ? "alone" : "up";
}

// Of what the kernel's tables hold; null: there are none.
json kernel_json(const EvpnView& view, size_t KernelFabric::Vni::*count) {
  return view.kernel != nullptr ? json(view.kernel->*count) : json();
}

constexpr Column<EvpnView> kColumns[] = {
    {{"vni", "VNI", text, "", "The VNI."}, [](const EvpnView& view) -> json { return view.vni; }},
    {{"name", "NAME", text, "", "Its tunnel, which `show tunnels` has."},
     [](const EvpnView& view) -> json { return view.instance.tunnel; }},
    {{"bridge", "BRIDGE", text, "", "The bridge that it joins to the fabric."},
     [](const EvpnView& view) -> json { return view.gateway.bridges().name_of(view.instance.bridge); }},
    {{"vlan", "VLAN", text, "", "The VLAN of the bridge that it carries; null: frames as they are."},
     [](const EvpnView& view) { return view.instance.vlan != 0 ? json(view.instance.vlan) : json(); }},
    {{"mode", "MODE", text, "", "The format of its outer headers."}, mode_json},
    {{"local", "LOCAL", text, "", "The address that is advertised as the VTEP's."},
     [](const EvpnView& view) -> json { return to_string(view.instance.local); }},
    {{"vteps", "VTEPS", gauge, "VTEPs", "How many other VTEPs the fabric names."},
     [](const EvpnView& view) -> json { return view.instance.vteps.size(); }},
    {{"local_macs", "LOCAL MACS", gauge, "MACs", "How many MACs are advertised."},
     [](const EvpnView& view) { return kernel_json(view, &KernelFabric::Vni::local_macs); }},
    {{"remote_macs", "REMOTE MACS", gauge, "MACs", "How many MACs the fabric names."},
     [](const EvpnView& view) -> json { return view.instance.macs.size(); }},
    {{"local_hosts", "LOCAL HOSTS", gauge, "hosts", "How many addresses of hosts are advertised, with their MACs."},
     [](const EvpnView& view) { return kernel_json(view, &KernelFabric::Vni::local_hosts); }},
    {{"remote_hosts", "REMOTE HOSTS", gauge, "hosts", "How many addresses of hosts the fabric names."},
     [](const EvpnView& view) -> json { return view.instance.hosts.size(); }},
    {{"held_vteps", "", gauge, "VTEPs", "VTEPs that were withdrawn whole, and are kept for a while."},
     [](const EvpnView& view) -> json { return view.held.vteps; }},
    {{"held_macs", "HELD", gauge, "MACs", "MACs that were withdrawn with their VTEP, and are kept for a while."},
     [](const EvpnView& view) -> json { return view.held.macs; }},
    {{"held_s", "HELD S", gauge, "seconds", "For how much longer, at most; 0: nothing is held."},
     [](const EvpnView& view) -> json { return view.held.left.count(); }},
    {{"state", "STATE", text, "",
      "`up`, `alone`: the fabric names no other VTEP, `held`, or `missing`: the kernel has no devices for it."},
     state_json},
    {{"error", "", text, "", "Why the kernel has no devices for it; null: it has."},
     [](const EvpnView& view) {
       const bool missing = view.kernel != nullptr && view.kernel->missing;
       return missing ? json(view.kernel->missing.text()) : json();
     }},
};

}  // namespace

Table evpn_table() { return table_of(kColumns, evpn_views); }

}  // namespace causeway
