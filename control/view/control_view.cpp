// `show control`: how long the control thread was busy at a stretch, what became of changes, and who has the buffers.
#include <chrono>

#include "control/process/log.h"
#include "control/sflow/agent.h"
#include "control/view/tables.h"
#include "pmd/eal.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

double ms(std::chrono::nanoseconds time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) / 1000;
}

// There is one control thread: one record.
RecordStream<Running> control_views(const Running& running) {
  return [running](const auto& add) {
    add(running);
    return false;
  };
}

// What is shown is that one row, not a list of it.
json only_row(const Running&, json rows) { return rows.at(0); }

// null: there is no `sflow`.
json of_sflow(const Running& view, uint64_t SflowCounts::*count) {
  const auto counts = view.gateway.sflow().counts();
  return counts ? json((*counts).*count) : json();
}

// null: no bridge has `evpn`.
json of_evpn(const Running& view, uint64_t KernelFabric::Counts::*count) {
  const KernelFabric* const kernel = view.gateway.evpn().kernel();
  return kernel != nullptr ? json(kernel->counts().*count) : json();
}

constexpr Column<Running> kColumns[] = {
    {{"applies.done", "APPLIES DONE", counter, "changes", "How many files were applied."},
     [](const Running& view) -> json { return view.changes.applies.done; }},
    {{"applies.refused", "APPLIES REFUSED", counter, "changes",
      "How many files were not applied: all stayed as it was."},
     [](const Running& view) -> json { return view.changes.applies.refused; }},
    {{"buffers.all", "BUFFERS ALL", gauge, "buffers", "How many buffers there are for frames."},
     [](const Running& view) -> json { return view.gateway.pool()->size; }},
    {{"buffers.held_for_neighbors", "BUFFERS HELD FOR NEIGHBORS", gauge, "buffers",
      "Buffers of frames that wait for a neighbor's MAC."},
     [](const Running& view) -> json { return view.gateway.neighbors().held().buffers(); }},
    {{"buffers.held_most", "BUFFERS HELD MOST", gauge, "buffers", "How many buffers may be held like that."},
     [](const Running& view) -> json { return view.gateway.neighbors().held().most_buffers(); }},
    {{"buffers.used", "BUFFERS USED", gauge, "buffers", "Buffers in use, by whomever."},
     [](const Running& view) -> json { return buffers_in_use(view.gateway.pool()); }},
    {{"busy_ms", "BUSY MS", counter, "milliseconds", "How long the control thread was busy in all."},
     [](const Running& view) -> json { return ms(view.slices.all); }},
    {{"evpn.asked", "EVPN ASKED", counter, "entries",
      "EVPN: entries of the kernel's tables taken out after a restart of zebra, for it to put back what it knows."},
     [](const Running& view) { return of_evpn(view, &KernelFabric::Counts::asked); }},
    {{"evpn.dumps", "EVPN DUMPS", counter, "dumps", "EVPN: how often the kernel's tables were read as a whole."},
     [](const Running& view) { return of_evpn(view, &KernelFabric::Counts::dumps); }},
    {{"evpn.events", "EVPN EVENTS", counter, "events", "EVPN: changes that the kernel has told."},
     [](const Running& view) { return of_evpn(view, &KernelFabric::Counts::events); }},
    {{"evpn.overruns", "EVPN OVERRUNS", counter, "overruns",
      "EVPN: how often the kernel told more than its buffer holds, so that its tables were read."},
     [](const Running& view) { return of_evpn(view, &KernelFabric::Counts::overruns); }},
    {{"evpn.refused", "EVPN REFUSED", counter, "requests", "EVPN: what the kernel refused of local MACs and hosts."},
     [](const Running& view) { return of_evpn(view, &KernelFabric::Counts::refused); }},
    {{"longest_slice_ms", "LONGEST SLICE MS", gauge, "milliseconds",
      "The longest time that it was busy with one thing."},
     [](const Running& view) -> json { return ms(view.slices.longest); }},
    {{"longest_slice_of_minute_ms", "LONGEST SLICE OF MINUTE MS", gauge, "milliseconds",
      "The longest time that it was busy with one thing, in the last minute."},
     [](const Running& view) -> json { return ms(view.slices.longest_of_minute); }},
    {{"lost_log_lines", "LOST LOG LINES", counter, "lines", "Lines of the log that nobody took in time."},
     [](const Running&) -> json { return lost_log_lines(); }},
    {{"name", "", text, "", "The daemon's name."}, [](const Running& view) -> json { return view.program.name; }},
    {{"neighbors", "NEIGHBORS", gauge, "neighbors", "How many neighbors it keeps."},
     [](const Running& view) -> json { return view.gateway.neighbors().all().size(); }},
    {{"reloads.done", "RELOADS DONE", counter, "changes", "How often its own file was read anew."},
     [](const Running& view) -> json { return view.changes.reloads.done; }},
    {{"reloads.refused", "RELOADS REFUSED", counter, "changes",
      "How often its own file wasn't good, or couldn't be applied."},
     [](const Running& view) -> json { return view.changes.reloads.refused; }},
    {{"routes.dumps", "ROUTES DUMPS", counter, "dumps", "How often the host's kernel was asked for all its routes."},
     [](const Running& view) -> json { return view.gateway.host_routes().counts().dumps; }},
    {{"routes.losses", "ROUTES LOSSES", counter, "losses",
      "How often the kernel had more to tell of routes than found room: then it was asked for all."},
     [](const Running& view) -> json { return view.gateway.host_routes().counts().losses; }},
    {{"routes.networks", "ROUTES NETWORKS", gauge, "networks",
      "How many networks the followed routing tables of the host's have routes to."},
     [](const Running& view) -> json { return view.gateway.host_routes().all().size(); }},
    {{"sflow.datagrams", "SFLOW DATAGRAMS", counter, "datagrams", "sFlow: datagrams sent to collectors."},
     [](const Running& view) { return of_sflow(view, &SflowCounts::datagrams); }},
    {{"sflow.lost", "SFLOW LOST", counter, "samples",
      "sFlow: samples lost, since the control thread didn't take them in time."},
     [](const Running& view) { return of_sflow(view, &SflowCounts::lost_samples); }},
    {{"sflow.samples", "SFLOW SAMPLES", counter, "samples", "sFlow: samples of frames put into datagrams."},
     [](const Running& view) { return of_sflow(view, &SflowCounts::samples); }},
    {{"sflow.unsent", "SFLOW UNSENT", counter, "datagrams",
      "sFlow: datagrams that the host had no way for, or no room."},
     [](const Running& view) { return of_sflow(view, &SflowCounts::unsent_datagrams); }},
    {{"slices", "SLICES", counter, "slices", "How many things it was busy with."},
     [](const Running& view) -> json { return view.slices.count; }},
    {{"uptime_s", "", gauge, "seconds", "How long ago the daemon was started."},
     [](const Running& view) -> json { return view.program.uptime.count(); }},
    {{"version", "", text, "", "Causeway's version."},
     [](const Running& view) -> json { return view.program.version; }},
};

}  // namespace

Table control_table() {
  Table table = table_of(kColumns, control_views);
  table.result = only_row;
  return table;
}

}  // namespace causeway
