// `show neighbors`: the next hops on the underlay.
#include <chrono>

#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct NeighborView {
  const Gateway& gateway;
  const NextHop& hop;
  const Neighbors::Neighbor& neighbor;
};

RecordStream<NeighborView> neighbor_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<NeighborView>(gateway.neighbors().all(),
                                  [&gateway](const NextHop& hop, const Neighbors::Neighbor& neighbor, const auto& add) {
                                    add({gateway, hop, neighbor});
                                  });
}

json age_json(const NeighborView& view) {
  if (!view.neighbor.usable()) return 0;
  const auto age = std::chrono::steady_clock::now() - view.neighbor.confirmed;
  return std::chrono::duration_cast<std::chrono::seconds>(age).count();
}

constexpr Column<NeighborView> kColumns[] = {
    {{"port", "PORT", text, "", "The underlay port that it is on."},
     [](const NeighborView& view) -> json { return underlay_name(view.gateway, view.hop.port); }},
    {{"address", "ADDRESS", text, "", "Its IP address."},
     [](const NeighborView& view) -> json { return to_string(view.hop.address); }},
    {{"mac", "MAC", text, "", "Its MAC address."},
     [](const NeighborView& view) { return view.neighbor.usable() ? json(to_string(view.neighbor.mac)) : json(); }},
    {{"state", "STATE", text, "", "What is known of it."},
     [](const NeighborView& view) -> json { return to_string(view.neighbor.state); }},
    {{"age_s", "AGE S", gauge, "seconds", "How long ago its MAC was confirmed; 0 where it has none."}, age_json},
    {{"waiting_frames", "WAITING FRAMES", gauge, "frames", "How many frames wait for its MAC."},
     [](const NeighborView& view) -> json { return view.gateway.neighbors().held().count(view.hop); }},
};

}  // namespace

Table neighbors_table() { return table_of(kColumns, neighbor_views); }

}  // namespace causeway
