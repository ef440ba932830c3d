"""The rows of the scale bench. Each is a function of the bench that measures and returns a dict: `value` to hold against
the row's bar, and whatever else is worth knowing."""

import dataclasses
import os
import time
import typing

from bench import machine
from bench.flood import flood_row
from bench.latency import latency_row
from bench.scale_gateway import LOCAL, REMOTE, Job, underlay
from tests.support.causeway import program
from tests.support.process import run

SOURCES, DESTINATIONS = "02:01:00:00:00:00", "02:02:00:00:00:00"
ONE_MAC = DESTINATIONS


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    what: str                   # the value
    bar: float
    measure: typing.Callable
    at_most: bool = False       # the bar is an upper one
    quick: bool = True
    digits: int = 2

    def met(self, value):
        return value <= self.bar if self.at_most else value >= self.bar


def mac(first, number):
    return ":".join(f"{byte:02x}" for byte in (int(first.replace(":", ""), 16) + number).to_bytes(6, "big"))


def geneve(number, remote=REMOTE, **settings):
    return {"mode": "geneve", "id": number, "local": LOCAL, "remote": remote, **settings}


def sized(flows):
    """What a user of so many flows, each between two MACs of its own, would set: (bridge parameters, system)."""
    return ({"max-macs": 3 * flows}, {"flow-cache": 4 * flows}) if flows > 30000 else ({}, {})


# --- flows and MACs ----------------------------------------------------------------------------------------------

def encap_job(flows, distribution="sequential", rate=0):
    """gen0's flows leave through a tunnel. Their destinations are learned, too: each sends a few frames beforehand."""
    parameters, system = sized(flows)
    back = {"flows": flows, "limit": 4 * flows, "rate": max(flows, 100000), "source-mac": {"first": DESTINATIONS},
            "destination-mac": {"first": SOURCES},
            "tunnel": {"mode": "geneve", "id": 1, "source-address": REMOTE, "destination-address": LOCAL}}
    return Job(f"encap-{distribution}-{flows}", system=system,
               ethernets={"gen0": {"generator": {"flows": flows, "distribution": distribution, "rate": rate}},
                          "up0": underlay(back)},
               bridges={"br-int": {"interfaces": ["gen0", "gnv0"], "parameters": parameters}},
               tunnels={"gnv0": geneve(1)})


def source_job(flows, distribution):
    """The generator alone: its port is in no bridge, so frames die where the switch's work would begin."""
    return Job(f"source-{distribution}-{flows}", drops=("port_unassigned",),
               ethernets={"gen0": {"generator": {"flows": flows, "distribution": distribution}}})


def flows_row(distribution):
    def measure(bench):
        counts = (1000, 1000000) if bench.quick else (1000, 10000, 100000, 1000000)
        cycles, source, misses = {}, {}, {}
        for flows in counts:
            source[flows] = bench.measure(source_job(flows, distribution))["cycles"]
            run = bench.measure(encap_job(flows, distribution))
            cycles[flows], misses[flows] = run["cycles"], run["cache_misses"]
        few, many = counts[0], counts[-1]
        return {"value": cycles[few] / cycles[many], "cycles": cycles, "generator_cycles": source, "cache_misses": misses,
                "without_generator": (cycles[few] - source[few]) / (cycles[many] - source[many])}
    return measure


# --- tunnels -----------------------------------------------------------------------------------------------------

FLOWS_A_TUNNEL = 16
TUNNELS = 1000


def stitch_job(bridges):
    """VXLAN in, GENEVE out: as many bridges as said, each with one tunnel of either kind; the same flows in all."""
    flows = FLOWS_A_TUNNEL * TUNNELS
    source = {"flows": flows, "tunnel": {"mode": "vxlan", "id": {"first": 1, "count": bridges}, "source-address": REMOTE,
                                         "destination-address": LOCAL}}
    numbers = range(bridges)
    return Job(f"stitch-{bridges}", ethernets={"up0": underlay(source)},
               tunnels={f"vx{i}": {"mode": "vxlan", "id": 1 + i, "local": LOCAL, "remote": REMOTE} for i in numbers}
               | {f"gnv{i}": geneve(1 + i, isolated=False) for i in numbers},
               bridges={f"br{i}": {"interfaces": [f"vx{i}", f"gnv{i}"],
                                   "static-macs": [{"mac": mac(DESTINATIONS, flow), "port": f"gnv{i}"}
                                                   for flow in range(i, flows, bridges)]} for i in numbers})


def tunnels_row(bench):
    one, many = bench.measure(stitch_job(1)), bench.measure(stitch_job(TUNNELS))
    return {"value": one["cycles"] / many["cycles"], "cycles": {1: one["cycles"], TUNNELS: many["cycles"]},
            "cache_misses": {1: one["cache_misses"], TUNNELS: many["cache_misses"]}}


# --- what should not disturb ---------------------------------------------------------------------------------------

def learning_job(new_macs):
    """Known flows at a rate from gen1, and a new source MAC in each frame of gen0."""
    known = {"flows": 1000, "rate": 2000000, "source-mac": {"first": "02:05:00:00:00:00"}, "destination-mac": ONE_MAC}
    strange = {"flows": 4000000000, "rate": 2000000, "destination-mac": ONE_MAC} if new_macs else {"flows": 0}
    return Job("learning" if new_macs else "known",
               ethernets={"gen0": {"generator": strange}, "gen1": {"generator": known}, "up0": underlay({"flows": 0})},
               bridges={"br-int": {"interfaces": ["gen0", "gen1", "gnv0"], "parameters": {"max-macs": 16777216},
                                   "static-macs": [{"mac": ONE_MAC, "port": "gnv0"}]}},
               tunnels={"gnv0": geneve(1)})


def learning(bench):
    with bench.gateway(learning_job(True)) as gateway:
        time.sleep(1)
        before, started, waited = gateway.learned(), time.monotonic(), gateway.waited_ms()
        run = bench.checked(gateway.measure_now(bench.seconds))
        learned, seconds = gateway.learned() - before, time.monotonic() - started
        waited = gateway.waited_ms() - waited
    return {"value": learned / seconds / 1000, "known_per_second": run["ports_per_second"]["gen1"]["rx_packets"],
            "known_missed_per_second": run["ports_per_second"]["gen1"]["rx_drops"],
            "new_per_second": run["ports_per_second"]["gen0"]["rx_packets"], "cycles": run["cycles"],
            "waited_ms": round(waited, 2)}


def learning_beside(bench):
    alone = bench.measure(learning_job(False))["ports_per_second"]["gen1"]["rx_packets"]
    figures = learning(bench)
    return {**figures, "value": figures["known_per_second"] / alone, "alone_per_second": alone}


def decap_job(second_id):
    """Two underlays, 256 flows each, into one bridge; those of the second carry this VNI."""
    def source(number):
        return {"flows": 256, "destination-mac": ONE_MAC, "tunnel": {
            "mode": "geneve", "id": number, "source-address": REMOTE, "destination-address": LOCAL}}
    up1 = {"generator": source(second_id), "macaddress": "02:00:00:00:00:03", "addresses": ["172.30.0.1/24"]}
    return Job(f"decap-vni-{second_id}", drops=("unknown_vni",) if second_id != 1 else (),
               ethernets={"up0": underlay(source(1)), "up1": up1, "out": {"generator": {"flows": 0}}},
               bridges={"br-int": {"interfaces": ["gnv0", "out"], "static-macs": [{"mac": ONE_MAC, "port": "out"}]}},
               tunnels={"gnv0": geneve(1)})


def unknown_vni(bench):
    good, bad = bench.measure(decap_job(1)), bench.measure(decap_job(2))
    # Of the worker's own time, whatever else ran on its core.
    rates = [run["ports_per_second"]["up0"]["rx_packets"] / run["share"] for run in (good, bad)]
    return {"value": rates[1] / rates[0], "beside_good_per_second": round(rates[0]), "beside_unknown_per_second": round(rates[1])}


# --- changes, and what all this takes --------------------------------------------------------------------------------

APPLY_TUNNELS, APPLY_MACS, APPLY_BRIDGES = 10000, 100000, 100


def with_more(job):
    """The job, and beside it 10,000 tunnels and 100,000 static MACs in 100 bridges."""
    tunnels = {f"t{i}": geneve(100 + i) for i in range(APPLY_TUNNELS)}
    bridges = {f"b{b}": {"interfaces": [f"t{i}" for i in range(b, APPLY_TUNNELS, APPLY_BRIDGES)],
                         "parameters": {"max-macs": 100000},
                         "static-macs": [{"mac": mac("02:06:00:00:00:00", m), "port": f"t{m % APPLY_TUNNELS}"}
                                         for m in range(b, APPLY_MACS, APPLY_BRIDGES)]} for b in range(APPLY_BRIDGES)}
    return dataclasses.replace(job, tunnels=job.tunnels | tunnels, bridges=job.bridges | bridges)


def frames_lost(gateway, what):
    """While what() runs on the control core: (frames that came too late for the worker, frames that came in, ms that its core
    was somebody else's, what the counters say is wrong)."""
    first, waited = gateway.sample(), gateway.waited_ms()
    with machine.pinned(gateway.place.control_core):  # not where the worker is
        what()
    last, waited = gateway.sample(), gateway.waited_ms() - waited
    before, after = (sample.extra["ports"]["gen0"] for sample in (first, last))
    return (after["rx_drops"] - before["rx_drops"], after["rx_packets"] - before["rx_packets"], waited,
            gateway.check(first, last))


def apply_large(bench):
    """Beside it, as a measure of the machine: what is lost while a stranger to the gateway reads the same file, for as long."""
    most = bench.measure(encap_job(1000))["mpps"]
    job = encap_job(1000, rate=int(most * 1e6 / 2))
    more = with_more(job)
    with bench.gateway(job) as gateway:
        gateway.settle()
        file = os.path.join(gateway.place.directory, "more.yaml")
        with open(file, "w") as text:
            text.write(more.configuration(gateway.place))
        seconds = []
        lost, frames, waited, wrong = frames_lost(gateway, lambda: seconds.append(gateway.apply(more)))
        # The gateway as it was, then, and the same work beside it.
        gateway.apply(job)

        def read_by_a_stranger():
            until = time.monotonic() + seconds[0]
            while time.monotonic() < until:
                run([program("causewayd"), "-c", file, "--check"], timeout=60)
        beside, _, waited_beside, _ = frames_lost(gateway, read_by_a_stranger)
    figures = {"value": seconds[0], "frames_meanwhile": frames, "frames_lost": lost, "rate_mpps": round(most / 2, 2),
               "waited_ms": round(waited, 2), "frames_lost_beside_a_stranger": beside,
               "waited_beside_a_stranger_ms": round(waited_beside, 2)}
    if wrong or lost:
        figures["wrong"] = wrong or (f"{lost} frames lost, {beside} while a stranger read the file; "
                                     f"others had the worker's core for {waited:.1f} ms")
    return figures


def memory(bench):
    """A million MACs at one port, the settings of a user who has them; buffers as many as these ports need."""
    flows = 1000000
    job = encap_job(flows)
    job.system["memory"] = "128M"
    job.ethernets["gen0"]["generator"]["destination-mac"] = ONE_MAC
    job.ethernets["up0"] = underlay({"flows": 0})
    job.bridges["br-int"]["static-macs"] = [{"mac": ONE_MAC, "port": "gnv0"}]
    with bench.gateway(job) as gateway:
        gateway.settle()
        known = gateway.learned()
        rss, huge = gateway.resident_mb()
    figures = {"value": rss + huge, "rss_mb": round(rss), "hugepages_mb": round(huge), "macs": known}
    if known < flows:
        figures["wrong"] = f"learned {known} MACs"
    return figures


ROWS = [
    Row("flows-uniform", "throughput at 1M flows over 1k", 0.5, flows_row("uniform")),
    Row("flows-zipf", "throughput at 1M flows over 1k", 0.5, flows_row("zipf")),
    Row("tunnels-1000", "throughput of 1,000 bridges over one", 0.7, tunnels_row),
    Row("learning", "new MACs a second, thousands", 500, learning, digits=0),
    Row("learning-beside", "rate of known flows beside it over alone", 0.9, learning_beside, quick=False, digits=3),
    Row("unknown-vni", "good traffic beside unknown VNIs over beside good", 0.9, unknown_vni),
    Row("flood-16", "copies a second over Open vSwitch's, 16 tunnels", 3, flood_row(16)),
    Row("flood-64", "copies a second over Open vSwitch's, 64 tunnels", 3, flood_row(64), quick=False),
    Row("apply-10000", "seconds for 10,000 tunnels, 100,000 MACs", 5, apply_large, at_most=True),
    Row("round-trip", "p99 over testpmd macswap's, at its worst of 10, 50, 90 %", 2, latency_row, at_most=True),
    Row("memory-1m", "MB resident, hugepages included", 512, memory, at_most=True, digits=0),
]
