// What `top` shows, without how: of each look at the daemon, and the one before it, objects with their rates.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::top {

// A second; none: at the first look, of what is new, and where a counter was reset.
using Rate = std::optional<double>;

struct Rates {
  Rate in_packets;
  Rate in_bits;
  Rate out_packets;
  Rate out_bits;
  Rate drops;
};

// A bridge, with its ports and tunnels; a port; a tunnel, with its VTEPs; a VTEP.
struct Item {
  enum class Kind : uint8_t { bridge, port, tunnel, vtep };
  Kind kind = Kind::bridge;
  std::string name;
  std::string owner;   // of a VTEP: its tunnel
  std::string what;    // "packet", "geneve 123"
  std::string state;   // "up", or in a word what is wrong
  std::string detail;  // more of the same, where there is more
  bool wrong = false;
  Rates rates;
  std::vector<Item> below;
};

// Of all ports, and who tells it.
struct Summary {
  std::string name;
  std::string version;
  uint64_t uptime_s = 0;
  Rates rates;
};

struct WorkerLoad {
  std::string id;
  std::string core;
  std::string queues;
  std::string busy_percent;
  std::string hit_percent;  // of the flow cache
  Rate cycles_a_packet;
  Rate packets;
  uint64_t flows = 0;  // in its cache
};

struct Drops {
  std::string reason;
  std::string meaning;
  uint64_t total = 0;
  Rate rate;
  bool ordinary = false;  // where others talk to each other it happens all the time
  bool alarming() const { return !ordinary && rate.value_or(0) > 0; }
};

class Model {
 public:
  // The requests of a look, to be answered one after the other.
  static const std::vector<nlohmann::json>& questions();

  // Good replies to these. Throws nlohmann::json::exception where one isn't as it should be.
  void take(const std::vector<nlohmann::json>& replies);

  bool empty() const { return raw_.empty(); }
  const Summary& summary() const { return summary_; }
  // Bridges first; then ports and tunnels that are in none, underlays among them.
  const std::vector<Item>& items() const { return items_; }
  const std::vector<WorkerLoad>& workers() const { return workers_; }
  // Only of reasons that something has died of; most at the moment first.
  const std::vector<Drops>& drops() const { return drops_; }

  // Everything known of a bridge, port or tunnel, a line a column; empty: there is none of this name any more.
  std::string describe(Item::Kind kind, const std::string& name) const;

 private:
  using Tables = std::map<std::string, nlohmann::json, std::less<>>;  // replies to `show`, by subject

  const nlohmann::json& rows(std::string_view subject) const { return rated_.find(subject)->second.at("result"); }
  void arrange();

  Tables raw_;
  Tables rated_;  // with what counters have grown by since the look before
  Summary summary_;
  std::vector<Item> items_;
  std::vector<WorkerLoad> workers_;
  std::vector<Drops> drops_;
};

}  // namespace causeway::top
