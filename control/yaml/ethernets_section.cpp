// The ethernets section.
#include <fmt/format.h>

#include "control/config/keys.h"
#include "control/yaml/generator_key.h"
#include "control/yaml/nic_model_key.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::config {
namespace {

// A device is one ethernet's; what its driver is told doesn't matter.
void check_devargs(Reading& reading, std::string_view name, const Value& value, std::string_view devargs) {
  if (std::string error = devargs_error(devargs); !error.empty()) return value.error(std::move(error));
  const std::string id = device_name(devargs).name;
  const auto [owner, is_new] = reading.claims.devices.try_emplace(id, Claims::Owner{name, value.place().line});
  if (is_new) return;
  value.error(fmt::format("{} is ethernets.{} already, on line {}", id, owner->second.name, owner->second.line));
}

void read_device(Reading& reading, std::string_view name, const Fields& fields, Ethernet& ethernet) {
  const auto packet = fields.find("packet");
  const auto dpdk = fields.find("dpdk");
  const auto tap = fields.find("tap");
  const auto generator = fields.find("generator");
  if (dpdk && tap) tap->key_error("an interface is either dpdk or tap");
  if (generator && (dpdk || tap)) (tap ? tap : dpdk)->key_error("an interface is either dpdk, tap or generator");
  if (packet && (dpdk || tap || generator)) packet->key_error("an interface of another kind is no packet interface");
  if (generator) {
    const GeneratorSettings settings = read_generator(*generator);
    ethernet.rx_queues = settings.rx_queues;
    ethernet.device = settings;
  }
  const auto read_queues = [&](const Value& value) {
    read_keys(Fields(value, kKeyNames<kQueueKeys>), kQueueKeys, ethernet);
  };
  if (packet) read_queues(*packet);
  if (const auto model = fields.find("nic-model")) {
    if (packet || dpdk || tap || generator) model->key_error("an interface of another kind is no nic-model");
    ethernet.device = read_nic_model(*model, ethernet);
  }
  if (tap) {
    read_queues(*tap);
    ethernet.device = TapDevice{};
  }
  if (!dpdk) return;
  const Fields dpdk_fields(*dpdk, kKeyNames<kDpdkKeys>);
  dpdk_fields.require({"devargs"});
  DpdkDevice device;
  read_keys(dpdk_fields, kDpdkKeys, ethernet);
  if (const auto devargs = dpdk_fields.find("devargs")) {
    device.devargs = devargs->text("a PCI address or a vdev").value_or("");
    if (devargs->is_text()) check_devargs(reading, name, *devargs, device.devargs);
  }
  ethernet.device = std::move(device);
}

// One worker a queue; without a number of queues the list's length is it.
void read_rx_workers(Reading& reading, const Value& list, Ethernet& ethernet) {
  const unsigned workers = reading.config.system.workers;
  bool good = true;
  list.for_each_item([&](const Value& item) {
    const auto worker = item.number(0, kMaxWorkers - 1);
    good = good && worker.has_value();
    if (!worker) return;
    if (reading.claims.workers_complete && *worker >= workers) {
      item.error(workers == 1 ? fmt::format("there is no worker {}, only worker 0", *worker)
                              : fmt::format("there is no worker {}, only 0 to {}", *worker, workers - 1));
    }
    ethernet.rx_workers.push_back(static_cast<unsigned>(*worker));
  });
  const size_t count = ethernet.rx_workers.size();
  if (!list.is_list() || !good) return;
  if (count == 0 || count > kMaxWorkers) {
    list.error(fmt::format("{} rx queues are out of range (1 to {})", count, kMaxWorkers));
  } else if (ethernet.rx_queues != 0 && ethernet.rx_queues != count) {
    list.error(fmt::format("one worker for each rx queue is needed: {}, not {}", ethernet.rx_queues, count));
  } else {
    ethernet.rx_queues = static_cast<uint16_t>(count);
  }
}

void read_ethernet(Reading& reading, std::string_view name, const Value& value, Ethernet& ethernet) {
  const Fields fields(value, kKeyNames<kEthernetKeys>);
  read_device(reading, name, fields, ethernet);
  if (const auto workers = fields.find("rx-workers")) read_rx_workers(reading, *workers, ethernet);
  read_keys(fields, kEthernetKeys, ethernet);
  if (ethernet.spread == Spread::software && (ethernet.rx_queues > 1 || !ethernet.rx_workers.empty())) {
    fields.find("spread")->error("for one rx queue, which all workers share; there is rx-queues or rx-workers, too");
  }
  read_network(reading, name, fields, ethernet);
}

}  // namespace

void read_ethernets(const Value& section, Reading& reading) {
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface(reading, "ethernets", name, value, kLongestInterfaceName)) return;
    Ethernet ethernet;
    read_ethernet(reading, name, value, ethernet);
    reading.claims.interfaces[name].underlay = ethernet.is_underlay();
    reading.config.ethernets.emplace(name, std::move(ethernet));
  });
}

}  // namespace causeway::config
