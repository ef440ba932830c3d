#include "tests/pipeline/bed/bed.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <spdlog/spdlog.h>

#include <stdexcept>

#include "control/yaml/load.h"
#include "dataplane/context.h"
#include "pmd/nic_model/nic_model.h"

namespace causeway::test {

namespace {

// Only who looks for lines (tests/support/log_lines.h) makes a log that has some.
[[maybe_unused]] const bool kSilent = (spdlog::set_level(spdlog::level::off), true);

constexpr const char* kEveryTunnel = R"(
version: 1
ethernets:
  lan0: {macaddress: 02:00:00:00:00:0a, mtu: 2000}
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: 2000
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
      - {to: "fd00:31::2", macaddress: 02:00:00:00:00:02}
tunnels:
  gnv4: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
  gnv6: {mode: geneve, id: 123, local: "fd00:31::1", remote: "fd00:31::2"}
  gnv6zero: {mode: geneve, id: 124, local: "fd00:31::1", remote: "fd00:31::2", udp6-zero-checksum-rx: true}
  gnv4port: {mode: geneve, id: 125, local: 172.31.0.1, remote: 172.31.0.2, port: 16081}
  gnv4sum: {mode: geneve, id: 126, local: 172.31.0.1, remote: 172.31.0.2, checksum: true}
  gnv4tos: {mode: geneve, id: 127, local: 172.31.0.1, remote: 172.31.0.2, ttl: 5, tos: 184}
  gnv4inherit: {mode: geneve, id: 128, local: 172.31.0.1, remote: 172.31.0.2, tos: inherit}
  gnv6inherit: {mode: geneve, id: 129, local: "fd00:31::1", remote: "fd00:31::2", tos: inherit, ttl: 255}
  gnv4other: {mode: geneve, id: 130, local: 172.31.0.1, remote: 172.31.0.3}
  gnv4lost: {mode: geneve, id: 999, local: 172.31.0.1, remote: 172.31.0.2}
  vx4: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2}
  vx6: {mode: vxlan, id: 100, local: "fd00:31::1", remote: "fd00:31::2"}
  vx6nosum: {mode: vxlan, id: 131, local: "fd00:31::1", remote: "fd00:31::2", checksum: false}
  vx4ecn: {mode: vxlan, id: 132, local: 172.31.0.1, remote: 172.31.0.2, tos: 75}
  gnv4opt: {mode: geneve, id: 133, local: 172.31.0.1, remote: 172.31.0.2,
            options: [{class: 0x0102, type: 0x03, data: "a1a2a3a4"}]}
  gnv6opt: {mode: geneve, id: 134, local: "fd00:31::1", remote: "fd00:31::2",
            options: [{class: 0xffff, type: 0x84, data: "000102030405060708090a0b0c0d0e0f10111213"}, {class: 5, type: 6},
                      {class: 7, type: 8, data: "0011223344556677"}, {class: 7, type: 9, data: "00112233"}]}
  gre4: {mode: gretap, key: 7, local: 172.31.0.1, remote: 172.31.0.2}
  gre4nokey: {mode: gretap, local: 172.31.0.1, remote: 172.31.0.2}
  gre4sum: {mode: gretap, key: 9, local: 172.31.0.1, remote: 172.31.0.2, checksum: true}
  gre4keys: {mode: gretap, keys: {input: 21, output: 22}, local: 172.31.0.1, remote: 172.31.0.2}
  vx4keys: {mode: vxlan, keys: {input: 321, output: 322}, local: 172.31.0.1, remote: 172.31.0.2}
  nv4: {mode: nvgre, id: 0x123456, local: 172.31.0.1, remote: 172.31.0.2}
  nv6: {mode: nvgre, id: 0x123456, local: "fd00:31::1", remote: "fd00:31::2", ttl: 7}
  gnv4match: {mode: geneve, id: 135, local: 172.31.0.1, remote: 172.31.0.2, match-options: true,
              options: [{class: 0x0102, type: 0x83, data: "a1a2a3a4"}, {class: 0x0103, type: 1}]}
  gre6: {mode: gretap, key: 7, local: "fd00:31::1", remote: "fd00:31::2"}
bridges:
  br0:
    interfaces: [lan0, gnv4, gnv6, gnv6zero, gnv4port, gnv4sum, gnv4tos, gnv4inherit, gnv6inherit, gnv4other, vx4, vx6,
                 vx6nosum, vx4ecn, gnv4opt, gnv6opt, gre4, gre4nokey, gre4sum, gre6, gre4keys, vx4keys, nv4, nv6, gnv4match]
    static-macs:
)";

// Behind each a static MAC, 02:00:00:00:02:01 and so on.
constexpr const char* kTunnelsInOrder[] = {"gnv4",        "gnv6",      "gnv4port", "gnv4sum", "gnv4tos",  "gnv4inherit",
                                           "gnv6inherit", "gnv4other", "vx4",      "vx6",     "vx6nosum", "vx4ecn",
                                           "gre4",        "gre4nokey", "gre4sum",  "gre6",    "gnv4opt",  "gnv6opt",
                                           "gre4keys",    "vx4keys",   "nv4",      "nv6"};

}  // namespace

std::string every_tunnel() {
  std::string yaml = kEveryTunnel;
  int number = 0;
  for (const char* tunnel : kTunnelsInOrder) {
    ++number;
    for (const char* vlan : {"", ", vlan: 5", ", vlan: 77"}) {
      yaml += fmt::format("      - {{mac: 02:00:00:00:02:{:02x}, port: {}{}}}\n", number, tunnel, vlan);
    }
  }
  return yaml;
}

const Frames& pipeline_frames() {
  static const Frames frames = Frames::load(PIPELINE_FRAMES);
  return frames;
}

uint64_t Counts::all_drops() const {
  uint64_t sum = 0;
  for (const uint64_t count : drops) sum += count;
  return sum;
}

Counts Counts::operator-(const Counts& before) const {
  Counts rise = *this;
  for (size_t i = 0; i < kDropReasons; ++i) rise.drops[i] -= before.drops[i];
  rise.rx -= before.rx;
  rise.tx -= before.tx;
  rise.rx_drops -= before.rx_drops;
  rise.tx_drops -= before.tx_drops;
  rise.to_control -= before.to_control;
  rise.from_control -= before.from_control;
  rise.coalesced -= before.coalesced;
  return rise;
}

std::string to_text(const Counts& counts) {
  std::string text;
  for (size_t i = 0; i < kDropReasons; ++i) {
    if (counts.drops[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(kDropReasonText[i].name) + " " + std::to_string(counts.drops[i]);
  }
  return text;
}

config::Config load_yaml(const std::string& yaml) {
  std::vector<config::ConfigError> errors;
  auto config = config::load_config("pipeline.yaml", yaml, errors);
  if (config) return *config;
  std::string text;
  for (const config::ConfigError& error : errors) text += error.to_string() + "\n";
  throw std::runtime_error(text);
}

TxCapabilities Bed::default_capabilities() {
  TxCapabilities capabilities;
  capabilities.multi_segment = true;
  return capabilities;
}

Bed::Bed(const std::string& yaml, TxCapabilities capabilities) : capabilities_(capabilities) {
  const config::Config config = load_yaml(yaml);
  gateway_ = std::make_unique<Gateway>(
      config.system, pool_, [this](const config::Ethernet& ethernet, const PortOptions& options, OpenError& error) {
        return open(ethernet, options, error);
      });
  config_.system = config.system;
  const auto errors = apply(yaml);
  if (!errors.empty()) throw std::runtime_error(errors.front().key + ": " + errors.front().what);
}

Bed::~Bed() { gateway_.reset(); }

std::unique_ptr<Port> Bed::open(const config::Ethernet& ethernet, const PortOptions& options, OpenError& error) {
  if (Failing& failing = failing_[options.name]; failing.times > 0) {
    --failing.times;
    error = failing.error;
    return nullptr;
  }
  const auto* dpdk = std::get_if<config::DpdkDevice>(&ethernet.device);
  if (dpdk != nullptr && !devices_[dpdk->devargs].expired()) {
    error = "device is in use already";
    return nullptr;
  }
  const MacAddress own{{0x02, 0, 0, 0, 0xff, static_cast<uint8_t>(options.name.back())}};
  const auto* model = std::get_if<NicModelSettings>(&ethernet.device);
  auto port = std::make_unique<MemoryPort>(model != nullptr ? cable_options(options) : options, capabilities_, own);
  ports_[options.name] = port.get();
  if (dpdk != nullptr) devices_[dpdk->devargs] = port->hold_device();
  if (model != nullptr) return make_nic_model(std::move(port), options, *model, error.text);
  return port;
}

std::vector<config::ApplyError> Bed::apply(const std::string& yaml) {
  config::Config next = load_yaml(yaml);
  std::vector<config::ApplyError> errors = apply_config(*gateway_, config_, next);
  if (errors.empty()) config_ = std::move(next);
  return errors;
}

void Bed::deliver(const std::string& port, const Bytes& bytes, const std::vector<uint16_t>& chain, uint64_t flags) {
  rte_mbuf* const m = to_mbuf(pool_, bytes, chain);
  m->ol_flags |= flags;
  deliver(port, m);
}

void Bed::run() {
  Worker& worker = this->worker();
  Quiescence& quiescence = gateway_->tables().quiescence;
  for (int idle = 0, turns = 0; idle < 2 && turns < 1000; ++turns) {
    // Offline in between, so that nobody waits for a worker that has no thread.
    quiescence.online(worker.id());
    const uint32_t frames = worker.run_once();
    quiescence.offline(worker.id());
    idle = gateway_->serve_workers() + frames == 0 ? idle + 1 : 0;
  }
}

void Bed::run_worker() {
  Worker& worker = this->worker();
  Quiescence& quiescence = gateway_->tables().quiescence;
  quiescence.online(worker.id());
  while (worker.run_once() != 0) {
  }
  quiescence.offline(worker.id());
}

void Bed::begin_epoch() {
  const uint32_t before = worker().flow_cache().epoch();
  gateway_->tables().changed();
  run();
  if (worker().flow_cache().epoch() == before) throw std::runtime_error("no new epoch");
}

void Bed::wait_a_tick() {
  run();
  const uint32_t tick = tick_of(rte_rdtsc());
  while (tick_of(rte_rdtsc()) == tick) run();
}

void Bed::send(const std::string& port, const Bytes& bytes, const std::vector<uint16_t>& chain, uint64_t flags) {
  deliver(port, bytes, chain, flags);
  run();
}

std::vector<Bytes> Bed::take_bytes(const std::string& port) {
  std::vector<Bytes> all;
  for (Sent& sent : take(port)) {
    if (sent.intent_flags != 0) throw std::runtime_error("a frame left " + port + " unfinished");
    all.push_back(std::move(sent.bytes));
  }
  return all;
}

bool Bed::nothing_sent() {
  bool nothing = true;
  for (const auto& [name, record] : gateway_->ports().all()) {
    if (record.settings.vlan_device() == nullptr) nothing &= port(name).take_sent().empty();
  }
  return nothing;
}

Counts Bed::counts() const {
  Counts counts;
  for (size_t i = 0; i < kDropReasons; ++i) counts.drops[i] = gateway_->drops()[i];
  for (const auto& worker : gateway_->workers()) {
    const WorkerCounters& all = worker->counters();
    for (size_t i = 0; i < kDropReasons; ++i) counts.drops[i] += all.drops[i].get();
    counts.to_control += all.to_control.get();
    counts.from_control += all.from_control.get();
    counts.coalesced += all.gro_in.get() - all.gro_out.get();
    for (const auto& [name, record] : gateway_->ports().all()) {
      const PortCounters& port = all.ports[record.index];
      counts.rx += port.traffic.rx_packets.get();
      counts.tx += port.traffic.tx_packets.get();
      counts.rx_drops += port.rx_drops.get();
      counts.tx_drops += port.tx_drops.get();
    }
  }
  return counts;
}

}  // namespace causeway::test
