#include "control/sflow/agent.h"

#include <net/if.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

using sflow::CounterRecord;
using sflow::FlowRecord;
using sflow::TunnelEnd;

constexpr size_t kRingBytes = size_t{256} << 10;  // a worker
constexpr size_t kSamplesOfEach = 64;             // taken of a worker's at once
constexpr size_t kCountersAtOnce = 64;            // ports told of in one tick: the collector's buffer is finite, too
// Ports that Linux has no interface of are numbered from here on. An ifIndex of sFlow has 24 bits.
constexpr uint32_t kOwnInterfaces = 1U << 23;

bool is_linux_interface(const config::Ethernet& ethernet) {
  return std::holds_alternative<config::PacketDevice>(ethernet.device) ||
         std::holds_alternative<config::TapDevice>(ethernet.device);
}

}  // namespace

SflowAgent::SflowAgent(const Subjects& subjects, uint64_t seed) : subjects_(subjects), seed_(seed) {}

SflowAgent::~SflowAgent() { replace_samplers({}); }

void SflowAgent::set(const config::Sflow* settings) {
  if (settings == nullptr) {
    replace_samplers({});
    flush();
    settings_.reset();
    collectors_.reset();
    return;
  }
  const bool begins = !settings_;
  if (begins || settings_->sampling != settings->sampling || settings_->header_bytes != settings->header_bytes) {
    Samplers samplers;
    for (size_t i = 0; i < subjects_.workers.size(); ++i) {
      const auto seed = static_cast<uint32_t>(hash_words(seed_, i, 0));
      samplers.push_back(std::make_shared<FlowSampler>(settings->sampling, settings->header_bytes, seed, kRingBytes));
    }
    replace_samplers(std::move(samplers));
    for (auto& [port, sent] : sent_) sent.flows = 0;  // as their pools begin anew (sFlow version 5, sample_pool)
  }
  if (begins) {
    counts_ = {};
    lost_before_ = 0;
    sequence_ = 0;
    began_ = Clock::now();
    sent_.clear();
  }
  for (auto& [port, sent] : sent_) sent.poll_at = {};
  settings_ = *settings;
  collectors_.emplace(settings->targets);
  agent_ = settings->agent;
}

// What the old ones still hold is sent first, as what they were picked by.
void SflowAgent::replace_samplers(Samplers samplers) {
  for (size_t i = 0; i < subjects_.workers.size(); ++i) {
    subjects_.workers[i]->set_flow_sampler(samplers.empty() ? nullptr : samplers[i].get());
  }
  if (settings_) {
    while (serve() != 0) {
    }
  }
  lost_before_ = lost();
  subjects_.publisher.after_grace([old = std::exchange(samplers_, std::move(samplers))] {});
}

size_t SflowAgent::serve() {
  size_t taken = 0;
  for (const auto& sampler : samplers_) {
    FlowSample sample;
    for (size_t i = 0; i < kSamplesOfEach && sampler->front(sample); ++i, ++taken) {
      tell(sample);
      sampler->pop();
    }
  }
  return taken;
}

void SflowAgent::tick(Clock::time_point now) {
  if (!settings_) return;
  interfaces_.clear();
  std::erase_if(sent_, [&](const auto& entry) { return subjects_.ports.find(entry.first) == nullptr; });
  size_t told = 0;
  if (settings_->polling_s != 0) {
    for (const auto& [name, record] : subjects_.ports.all()) {
      Sent& sent = sent_[record.index];
      if (sent.poll_at > now) continue;
      if (++told > kCountersAtOnce) break;
      tell(name, record, sent);
      sent.poll_at = now + std::chrono::seconds(settings_->polling_s);
    }
  }
  flush();
}

std::optional<SflowCounts> SflowAgent::counts() const {
  if (!settings_) return std::nullopt;
  SflowCounts counts = counts_;
  counts.lost_samples = lost();
  return counts;
}

uint64_t SflowAgent::lost() const {
  uint64_t lost = lost_before_;
  for (const auto& sampler : samplers_) {
    for (PortIndex port = 0; port < kMaxPorts; ++port) lost += sampler->lost(port);
  }
  return lost;
}

void SflowAgent::tell(const FlowSample& sample) {
  uint64_t pool = 0;
  uint64_t drops = 0;
  for (const auto& sampler : samplers_) {
    pool += sampler->looked_at(sample.port);
    drops += sampler->lost(sample.port);
  }
  FlowRecord record;
  record.source = {interface_of(sample.port), ++sent_[sample.port].flows};
  record.sampling = settings_->sampling;
  record.pool = static_cast<uint32_t>(pool);
  record.drops = static_cast<uint32_t>(drops);
  record.input = record.source.index;
  record.output = output_of(sample.way.to);
  record.frame_bytes = sample.frame_bytes;
  record.header = {sample.header, sample.header_bytes};
  record.vlan = sample.way.vlan;
  record.ingress = end_of(sample.way.from, sample.frame_bytes, false);
  if (sample.way.to != kFlood) record.egress = end_of(sample.way.to, sample.frame_bytes, true);
  add(encode(record));
  ++counts_.samples;
}

void SflowAgent::tell(const std::string& name, const Ports::Record& record, Sent& sent) {
  CounterRecord counters;
  counters.source = {interface_of(record.index), ++sent.counters};
  counters.name = name;
  counters.up = record.link_up;
  const PortDeviceStats device = record.port != nullptr ? record.port->device_stats() : PortDeviceStats{};
  counters.rx_drops = device.rx_missed;
  counters.rx_errors = device.rx_errors;
  counters.tx_errors = device.tx_errors;
  const SwitchedTraffic& switched = subjects_.elephants.of_port(record.index);
  counters.rx_packets = switched.rx_packets;
  counters.rx_bytes = switched.rx_bytes;
  counters.tx_packets = switched.tx_packets;
  counters.tx_bytes = switched.tx_bytes;
  for (const auto& worker : subjects_.workers) {
    const PortCounters& of_worker = worker->counters().ports[record.index];
    counters.rx_packets += of_worker.traffic.rx_packets.get();
    counters.rx_bytes += of_worker.traffic.rx_bytes.get();
    counters.tx_packets += of_worker.traffic.tx_packets.get();
    counters.tx_bytes += of_worker.traffic.tx_bytes.get();
    counters.rx_drops += of_worker.rx_drops.get();
    counters.tx_drops += of_worker.tx_drops.get();
  }
  add(encode(counters));
}

// What the end sends, and so, the other way round, what it receives. The lengths are those of its own headers.
std::optional<TunnelEnd> SflowAgent::end_of(AdjacencyIndex index, uint32_t frame_bytes, bool egress) const {
  const Adjacency* const adjacency = subjects_.adjacencies.get(index);
  if (adjacency == nullptr || adjacency->kind == TunnelType::none) return std::nullopt;
  const Adjacencies::Owner& owner = subjects_.adjacencies.owner(index);
  const Tunnels::Tunnel* const tunnel = subjects_.tunnels.find(owner.interface);
  if (tunnel == nullptr || !owner.remote) return std::nullopt;
  const config::Tunnel& settings = tunnel->settings;
  TunnelEnd end;
  end.source = settings.local;
  end.destination = *owner.remote;
  if (!egress) std::swap(end.source, end.destination);
  // An IPv6 packet's length counts its header, too: it is what the packet has without lower layers.
  end.ip_bytes = frame_bytes + adjacency->outer_bytes - adjacency->ip_offset;
  end.protocol = row_of(settings.mode).ip_protocol;
  end.tos = egress ? settings.tos : uint8_t{0};
  end.destination_port = settings.port;
  end.vni = egress && settings.sent_id ? settings.sent_id : settings.id;
  return end;
}

uint32_t SflowAgent::interface_of(PortIndex port) {
  const auto [known, is_new] = interfaces_.try_emplace(port, 0);
  if (is_new) {
    const Ports::Record* const record = subjects_.ports.find(port);
    const bool of_linux = record != nullptr && record->port != nullptr && is_linux_interface(record->settings);
    const unsigned index = of_linux ? if_nametoindex(record->port->name().c_str()) : 0;
    known->second = index != 0 ? index : kOwnInterfaces + port;
  }
  return known->second;
}

uint32_t SflowAgent::output_of(AdjacencyIndex to) {
  if (to == kFlood) return sflow::kSeveralInterfaces;
  const Adjacency* const adjacency = subjects_.adjacencies.get(to);
  const bool one_way = adjacency != nullptr && adjacency->blocked == DropReason::none && adjacency->ways == nullptr;
  return one_way ? interface_of(adjacency->port) : sflow::kUnknownInterface;
}

void SflowAgent::add(const sflow::Datagram::Bytes& sample) {
  if (!datagram_.takes(sample)) flush();
  datagram_.add(sample);
}

void SflowAgent::flush() {
  if (datagram_.empty()) return;
  if (agent_.is_unspecified()) agent_ = sflow::source_address_to(settings_->targets.front());
  const auto uptime = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
  const size_t sent = collectors_->send(datagram_.finish(agent_, ++sequence_, uptime));
  counts_.datagrams += sent;
  counts_.unsent_datagrams += collectors_->size() - sent;
}

}  // namespace causeway
