#include "control/keep/descriptor_store.h"

#include <fmt/format.h>
#include <net/if.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <utility>
#include <vector>

namespace causeway {
namespace {

void forget(const std::string& name) { sd_notify(0, fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name).c_str()); }

}  // namespace

Ports::HandedOver DescriptorStore::take() {
  Ports::HandedOver devices;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    FileDescriptor fd(SD_LISTEN_FDS_START + i);
    const std::string name = names[i];
    std::free(names[i]);
    stored_[name] = {-1, if_nametoindex(name.c_str())};
    if (devices[name].empty()) devices[name].push_back(std::move(fd));
  }
  std::free(static_cast<void*>(names));
  return devices;
}

void DescriptorStore::follow(const Ports& ports) {
  std::map<std::string, Stored> wanted;
  for (const auto& [name, record] : ports.all()) {
    if (record.settings.host_device() == nullptr || record.port == nullptr) continue;
    const std::vector<int> descriptors = record.port->descriptors();
    if (descriptors.size() != 1) continue;
    wanted[name] = {descriptors.front(), if_nametoindex(record.port->name().c_str())};
  }
  for (const auto& [name, stored] : stored_) {
    const auto found = wanted.find(name);
    if (found == wanted.end() || found->second.interface != stored.interface) forget(name);
  }
  for (const auto& [name, device] : wanted) {
    const auto found = stored_.find(name);
    if (found != stored_.end() && found->second == device) continue;
    // Of a descriptor of the same TAP that is in there already systemd takes no second one.
    sd_pid_notify_with_fds(0, 0, fmt::format("FDSTORE=1\nFDNAME={}", name).c_str(), &device.fd, 1);
  }
  stored_ = std::move(wanted);
}

}  // namespace causeway
