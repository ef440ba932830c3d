// The devices: opened, closed, shown to the workers, and their queues dealt out to them.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/config/config.h"
#include "control/port/device_trials.h"
#include "control/port/rx_queues.h"
#include "control/port/self_test.h"
#include "control/process/log_limit.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "control/underlay/underlay.h"
#include "dataplane/worker.h"
#include "pmd/error.h"
#include "pmd/file_descriptor.h"
#include "pmd/port.h"

namespace causeway {

// Opens the device of one `ethernets` entry; null and `error` when it can't. Tests put their own in.
using PortOpener = std::function<std::unique_ptr<Port>(const config::Ethernet& ethernet, const PortOptions& options,
                                                       OpenError& error)>;
std::unique_ptr<Port> open_port(const config::Ethernet& ethernet, const PortOptions& options, OpenError& error);

// Whether TCP segments are merged on their way out of a port (dataplane/egress/coalesce.h), and why or why not.
struct GroChoice {
  bool on = false;
  std::string reason;
};
GroChoice choose_gro(const config::Ethernet& ethernet, const Port& port);

const char* to_string(RxSpread spread);

class Ports {
 public:
  using Clock = std::chrono::steady_clock;
  // A device that is not there: why, and when it is to be tried again (an absent interface: when one has come).
  struct Missing {
    OpenError why;
    Clock::time_point try_at{};
    Clock::duration pause{};
  };
  struct Record {
    std::unique_ptr<Port> port;  // null: missing
    config::Ethernet settings;
    PortIndex index = 0;
    AdjacencyIndex adjacency = kNoAdjacency;  // as a bridge port; an underlay has none
    BridgeIndex bridge = kNoBridge;
    SplitGroups::Membership group{};  // null: in none
    bool polled = false;              // by workers
    bool link_up = false;
    uint16_t mtu = 0;  // as is mac, when the device was last looked at
    MacAddress mac{};
    Missing missing{};
    HostNetwork host{};                    // of one with `addresses: host`, when it was last read
    Clock::time_point settles_at{};        // of a host's end handed over: so long its underlay's link may be coming up
    std::vector<OffloadVerdict> verdicts;  // of its self-test; none: it can't be tested

    // What the device says it can, without what its test showed to be wrong; but where somebody has put a toggle
    // to `on`, he knows better.
    TxCapabilities capabilities() const;
    FlowRules* flow_rules() const;  // null: none
  };

  Ports(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, Underlay& underlay,
        std::vector<std::unique_ptr<Worker>>& workers, rte_mempool* pool, uint64_t seed, PortOpener opener);
  ~Ports();

  // Where one fails nothing has changed. An interface that isn't there is none: its port joins
  // when one of that name has come. Until start_is_over() the same goes for any device that can't be had now.
  Error add(const std::string& name, const config::Ethernet& settings);
  Error change(const std::string& name, const config::Ethernet& settings);  // in place
  Error reopen(const std::string& name,
               const config::Ethernet& settings);  // device closed and opened; keeps its adjacency
  // Its device is free for another port; reopen() opens one again.
  void close(const std::string& name);
  void remove(const std::string& name);
  void set_bridge(const std::string& name, BridgeIndex bridge);
  // Tests its offloads again, and believes the result.
  void test(const std::string& name);
  // What the underlay accepts on a port has changed.
  void listen_anew(PortIndex index);
  // From now on workers receive from devices that were opened since the last time: behind what makes bridge ports and
  // underlays of them, so that no first frame is lost.
  void commit();
  void start_is_over() { starting_ = false; }
  // From now on devices are tried in other processes first (control/port/device_trials.h).
  void try_devices_with(const std::string& program) { trials_ = std::make_unique<DeviceTrials>(program); }
  // Of what a file asks for, those that are to be opened. Then add() and the like know, once none is left.
  void start_trials(const std::map<std::string, config::Ethernet>& wanted);
  bool look_at_trials() { return trials_ != nullptr && trials_->look(DeviceTrials::Clock::now()); }
  void end_trials();
  // Devices that another process has open, by their ports' names: opened by these descriptors until end_take_over().
  using HandedOver = std::map<std::string, std::vector<FileDescriptor>>;
  void take_over(HandedOver devices) { handed_over_ = std::move(devices); }
  void end_take_over() { handed_over_.clear(); }
  // What has become of devices, and is done about here; routes, tunnels, floods and MACs are the caller's.
  struct Changes {
    std::vector<PortIndex> bridge_ports;  // link, MTU or device
    std::vector<PortIndex> underlays;     // of these: link, MTU, MAC or device
    std::vector<PortIndex> gone;          // of both: closed
    std::vector<PortIndex> to_announce;   // underlays that are up now, and weren't with this MAC
    std::vector<std::pair<PortIndex, std::vector<IpPrefix>>> readdressed;  // underlays, and what they had before
    std::vector<std::pair<PortIndex, HostNetwork>> host_networks;          // the same of what the host has
    bool none() const { return bridge_ports.empty() && underlays.empty(); }
  };
  // Looks at every device: at its link, MTU and MAC, and whether it is still there. What has gone is closed.
  Changes look();
  // The host's addresses or neighbors may be others at the next look.
  void host_networks_changed() { host_networks_changed_ = true; }
  // Opens what is missing: an absent interface where `interfaces_changed` says that one may have come, others by and
  // by.
  Changes open_missing(bool interfaces_changed, Clock::time_point now);

  const Record* find(const std::string& name) const;
  const Record* find(PortIndex index) const;
  const std::map<std::string, Record>& all() const { return ports_; }
  // Called before a device is closed, while it still works.
  void before_closing(std::function<void(PortIndex)> callback) { before_closing_ = std::move(callback); }
  const RxQueues& rx_queues() const { return rx_queues_; }
  // From now on it is known what each queue takes of its worker (control/port/rebalance.h).
  void measure_queues() { rx_queues_.measure(); }
  // Where a queue shall be, unless its settings say; at the next deal_queues().
  void prefer(PortIndex port, uint16_t queue, unsigned worker) { rx_queues_.prefer(port, queue, worker); }
  void deal_queues();

 private:
  std::unique_ptr<Port> open(const std::string& name, const config::Ethernet& settings, OpenError& error) const;
  PortOptions options_for(const std::string& name, const config::Ethernet& settings) const;
  using Vlans = std::vector<Record*>;
  Vlans vlans_of(const std::string& link);
  Vlans open_vlans(const std::string& link);
  Vlans start(const std::string& name, Record& record);
  bool may_be_missing(const OpenError& error) const;
  static void note(Record& record);
  void await(Record& record, const OpenError& why);
  void look_at(const std::string& name, Record& record, Changes& changes);
  void lose(const std::string& name, Record& record, Changes& changes);
  void open_again(const std::string& name, Record& record, Changes& changes);
  bool has_device(std::string_view devargs) const;
  // It is being tried, or is from now on.
  bool awaits_trial(const Record& record);
  void tell(const Record& record, Changes& changes) const;
  enum Line : LogLimit::Kind { kPresence, kLink, kMtu, kMac, kAddresses, kHostPath };
  // A line about an interface that may flap.
  void log(Line line, const Record& record, spdlog::level::level_enum level, const std::string& text) {
    lines_.state(level, line, record.index, [&] { return text; });
  }
  void publish(Record& record, const Vlans& vlans);
  void publish_all();
  void publish_adjacency(const Record& record);
  Record* other_end(const Record& record);
  void show_host(const Record& underlay);
  void join_underlay(Record& host);
  void settle_hosts(Clock::time_point now);
  void read_host_network(Record& record);
  void follow_host_networks(Changes& changes);
  void set_underlay(const std::string& name, const Record& record);
  void close(Record& record);
  void test(Record& record);
  void log_queues(const Record& record) const;

  Tables& tables_;
  Publisher& publisher_;
  Adjacencies& adjacencies_;
  Underlay& underlay_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  RxQueues rx_queues_;
  rte_mempool* pool_;
  uint64_t seed_;  // of the binding tables
  PortOpener opener_;
  std::unique_ptr<DeviceTrials> trials_;  // null: none
  HandedOver handed_over_;
  bool starting_ = true;
  bool host_networks_changed_ = false;
  std::function<void(PortIndex)> before_closing_;
  std::map<std::string, Record> ports_;
  std::map<PortIndex, std::string> names_;
  LogLimit lines_;
};

}  // namespace causeway
