// The mirrors of the file: finds the ports and tunnels that they name, and hands the workers what to copy. Control
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/bridge/bridges.h"
#include "control/config/config.h"
#include "control/port/ports.h"
#include "control/publish/looks.h"
#include "control/tunnel/tunnels.h"

namespace causeway {

class PortMirrors {
 public:
  struct Counts {
    uint64_t sent = 0;
    uint64_t lost = 0;
    uint64_t selected() const { return sent + lost; }
  };
  struct Record {
    config::Mirror settings;
    std::shared_ptr<std::vector<MirrorCounts>> counts;  // a worker each
    Counts totals() const;
  };

  // All outlive it.
  PortMirrors(const Ports& ports, const Tunnels& tunnels, const Bridges& bridges, Looks& looks, const Tables& tables,
              rte_mempool* pool, size_t workers)
      : ports_(ports),
        tunnels_(tunnels),
        bridges_(bridges),
        looks_(looks),
        tables_(tables),
        pool_(pool),
        workers_(workers) {}

  // A new one, or one that has changed: its counters go on.
  void set(const std::string& name, const config::Mirror& settings);
  void remove(const std::string& name) { all_.erase(name); }
  const std::map<std::string, Record>& all() const { return all_; }

  // Publishes what the names mean by now, if that is something else than before. To be asked again and again: ports
  // come and go, and VTEPs are learnt.
  void commit();

 private:
  // Where a port's or tunnel's frames come in and go out.
  void mark(const std::string& interface, std::vector<bool>& ports, std::vector<bool>& tunnels) const;
  MirrorChoice choice_of(const config::Mirror& settings) const;

  const Ports& ports_;
  const Tunnels& tunnels_;
  const Bridges& bridges_;
  Looks& looks_;
  const Tables& tables_;
  rte_mempool* pool_;
  const size_t workers_;
  std::map<std::string, Record> all_;
  std::map<std::string, MirrorChoice> published_;
};

}  // namespace causeway
