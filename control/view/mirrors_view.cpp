// `show mirrors`.
#include "control/view/tables.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct MirrorView {
  const std::string& name;
  const config::Mirror& settings;
  PortMirrors::Counts counts;
};

RecordStream<MirrorView> mirror_views(const Running& running) {
  return records_of<MirrorView>(running.gateway.mirrors().all(),
                                [](const std::string& name, const PortMirrors::Record& record, const auto& add) {
                                  add({name, record.settings, record.totals()});
                                });
}

json selects_json(const MirrorView& view) {
  json selects = json::array();
  if (view.settings.select_all) selects.push_back("all");
  for (const std::string& name : view.settings.select_src_port) selects.push_back("from " + name);
  for (const std::string& name : view.settings.select_dst_port) selects.push_back("to " + name);
  return selects;
}

json output_json(const MirrorView& view) {
  const config::Mirror& settings = view.settings;
  return settings.output_vlan != 0 ? "VLAN " + std::to_string(settings.output_vlan) : settings.output_port;
}

constexpr Column<MirrorView> kColumns[] = {
    {{"name", "NAME", text, "", "The mirror's name."}, [](const MirrorView& view) -> json { return view.name; }},
    {{"selects", "SELECTS", text, "", "The ports and tunnels whose frames are copied."}, selects_json},
    {{"vlans", "VLANS", text, "", "The VLANs of the frames that are copied; none: all."},
     [](const MirrorView& view) -> json { return view.settings.select_vlan; }},
    {{"output", "OUTPUT", text, "", "The port, tunnel or VLAN that the copies go to."}, output_json},
    {{"selected", "SELECTED", counter, "packets", "Frames that were to be copied."},
     [](const MirrorView& view) -> json { return view.counts.selected(); }},
    {{"copies", "COPIES", counter, "packets", "Those whose copy was sent."},
     [](const MirrorView& view) -> json { return view.counts.sent; }},
    {{"lost", "LOST", counter, "packets", "Those whose copy was lost: no buffer, or a way out that is down or full."},
     [](const MirrorView& view) -> json { return view.counts.lost; }},
};

}  // namespace

Table mirrors_table() { return table_of(kColumns, mirror_views); }

}  // namespace causeway
