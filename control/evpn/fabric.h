// The gateway's side of EVPN (RFC 7432, RFC 8365): what BGP says of a VNI becomes VTEPs, flood lists and FDB entries of
// a bridge, and what lives here is told to it. Who carries it to a routing daemon is evpn/kernel_fabric. An instance's
// tunnel (config::Tunnel::evpn) has no remotes of its own: its VTEPs are made when a route first names them, and
// released with the last one. Control thread.
//
// A MAC lives in one place. Where a frame of it is heard at a port here, it has moved here: it is advertised, and what
// BGP said of it is forgotten, unless that was sticky (RFC 7432 section 15.2). Where BGP names it, it has moved there.
//
// A routing daemon that dies withdraws all that it knew, one by one: ours the whole fabric, another gateway's what is
// behind that VTEP. So what is withdrawn counts once no more has been for a moment. A VTEP of which nothing is left by
// then is held: it, its MACs and their hosts are believed for the instance's `hold`, unless they are named again, or
// elsewhere. A gateway that stops looks the same. One that goes while others are held has its time behind theirs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/bridge/bridges.h"
#include "control/bridge/fdb.h"
#include "control/config/config.h"
#include "control/evpn/kernel_fabric.h"
#include "control/tunnel/tunnels.h"
#include "pmd/error.h"

namespace causeway {

class Fabric final : public FabricListener {
 public:
  using Clock = std::chrono::steady_clock;
  // After the last withdrawal of several; and when it never is quiet, after the first.
  static constexpr std::chrono::milliseconds kQuiet{200};
  static constexpr std::chrono::seconds kPatience{20};

  struct Hooks {
    // To the routing daemon.
    std::function<Error(uint32_t vni, const IpAddress& local)> join;
    std::function<void(uint32_t vni)> leave;
    std::function<void(uint32_t vni, const MacAddress& mac, bool sticky)> advertise;
    std::function<void(uint32_t vni, const MacAddress& mac)> withdraw;
    std::function<void(uint32_t vni, const IpAddress& ip, const MacAddress& mac)> advertise_host;
    std::function<void(uint32_t vni, const IpAddress& ip)> withdraw_host;
    // Hosts elsewhere, to who answers for them.
    std::function<void(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac)> host;
    std::function<void(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip)> host_gone;
    // Ends of tunnels were made or released.
    std::function<void()> vteps_changed;
  };

  // What has become of something that BGP said.
  enum class State : uint8_t {
    said,
    withdrawn,  // and not judged yet, or waiting to be held
    held,       // withdrawn, and kept for a while
  };
  struct Vtep {
    AdjacencyIndex end = kNoAdjacency;
    size_t macs = 0;      // behind it
    bool floods = false;  // a type-3 route names it; `state` is that one's
    State state = State::said;
  };
  struct Mac {
    IpAddress vtep;
    bool sticky = false;
    State state = State::said;
  };
  struct Host {
    MacAddress mac;
    State state = State::said;
  };
  struct Instance {
    std::string tunnel;
    BridgeIndex bridge = kNoBridge;
    uint16_t vlan = 0;
    IpAddress local;
    std::map<IpAddress, Vtep> vteps;
    std::unordered_map<MacAddress, Mac> macs;
    std::unordered_map<IpAddress, Host> hosts;
    std::unordered_map<MacAddress, bool> advertised;  // sticky or not
    // Not judged yet.
    std::vector<IpAddress> withdrawn_vteps;
    std::vector<MacAddress> withdrawn_macs;
    std::vector<IpAddress> withdrawn_hosts;
    Clock::time_point first_withdrawn{};
    Clock::time_point last_withdrawn{};
    std::optional<Clock::time_point> held_until;
    bool unjudged = false;  // something was withdrawn since the last judgement
  };
  struct Held {
    size_t vteps = 0;
    size_t macs = 0;
    std::chrono::seconds left{0};
  };

  Fabric(Tunnels& tunnels, Bridges& bridges, Fdb& fdb, Hooks hooks);

  // The instance's tunnel has joined a bridge. An error: nothing has changed.
  Error add(const std::string& tunnel, BridgeIndex bridge);
  // It is about to leave: what came of it goes, and what was advertised is withdrawn. No instance: nothing happens.
  void remove(const std::string& tunnel);
  // Tells a new routing daemon's side all there is.
  void join_again();

  void remote_mac(uint32_t vni, MacAddress mac, IpAddress vtep, bool sticky) override;
  void remote_mac_gone(uint32_t vni, MacAddress mac) override;
  void remote_host(uint32_t vni, IpAddress ip, MacAddress mac) override;
  void remote_host_gone(uint32_t vni, IpAddress ip) override;
  void vtep(uint32_t vni, IpAddress vtep) override;
  void vtep_gone(uint32_t vni, IpAddress vtep) override;

  // Fdb::Hooks::changed.
  void mac_changed(BridgeIndex bridge, MacVlan key) { changed_.emplace_back(bridge, key); }
  // A host's address at a port here was found, or is no longer there.
  void local_host(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac, bool gone);

  // Called each turn of the control thread: advertises what has changed until there is no more or the time has come,
  // publishes flood lists, judges withdrawals. Returns how many MACs that were.
  size_t serve(Clock::time_point until);

  const std::map<uint32_t, Instance>& all() const { return instances_; }  // by VNI
  Held held(const Instance& instance, Clock::time_point now) const;

 private:
  using Instances = std::map<uint32_t, Instance>;

  Instance* find(uint32_t vni);
  Vtep* name_vtep(Instance& instance, const IpAddress& remote);
  // One MAC less is behind it.
  void leave_vtep(uint32_t vni, Instance& instance, const IpAddress& remote);
  void set_floods(uint32_t vni, Instance& instance, const IpAddress& remote, bool floods);
  void note_withdrawal(uint32_t vni, Instance& instance);

  void advertise_hosts(uint32_t vni, const Instance& instance) const;
  void read_new_bridges();
  void reconcile(BridgeIndex bridge, MacVlan key);
  void publish_flood_lists();
  // VTEPs that nothing names any more.
  void release_vteps();
  void judge(Clock::time_point now);
  void hold(Instance& instance, Clock::time_point now);
  // Of what was withdrawn, or held, all that hasn't come again.
  void forget(uint32_t vni, Instance& instance, State state);
  void forget_held(uint32_t vni, Instance& instance);
  std::chrono::seconds hold_of(const Instance& instance) const;

  Tunnels& tunnels_;
  Bridges& bridges_;
  Fdb& fdb_;
  Hooks hooks_;
  Instances instances_;
  std::map<std::pair<BridgeIndex, uint16_t>, uint32_t> vni_at_;  // by bridge and VLAN
  // Of hosts here, whether there is an instance or not.
  std::map<std::pair<BridgeIndex, uint16_t>, std::unordered_map<IpAddress, MacAddress>> local_hosts_;
  std::vector<std::pair<BridgeIndex, MacVlan>> changed_;  // in the FDB, and not looked at yet
  size_t next_changed_ = 0;                               // the first of them that is to be looked at
  std::set<BridgeIndex> new_bridges_;                     // whose MACs were there first
  std::set<uint32_t> floods_changed_;                     // VNIs
  std::set<std::pair<uint32_t, IpAddress>> unused_;       // VNI and VTEP, perhaps named again since
  std::set<uint32_t> unsettled_;                          // VNIs with something withdrawn or held
  Clock::time_point next_judgement_{};
  bool vteps_changed_ = false;
};

}  // namespace causeway
