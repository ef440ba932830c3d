"""Round trips: a probe (latency_probe.cpp) sends stamped frames through shared memory (`net_memif`) into a switch, and takes
them back from its other port. causewayd bridges them; dpdk-testpmd, which exchanges two MACs, is the measure."""

import json
import os

from bench.scale_gateway import Gateway, Job
from bench.switch_testpmd import MacswapCeiling
from tests.support.causeway import program
from tests.support.process import LabError, run

SOCKETS = ("in.sock", "out.sock")
PROBE_S = 10  # at most, beyond what it measures


def devices(directory):
    return [f"net_memif{number},role=server,socket-abstract=no,socket={directory}/{name}"
            for number, name in enumerate(SOCKETS)]


def job():
    ports = dict(zip(("in", "out"), devices("{directory}")))
    return Job("latency", ethernets={name: {"dpdk": {"devargs": devargs}} for name, devargs in ports.items()},
               bridges={"br-int": {"interfaces": list(ports), "static-macs": [{"mac": "02:02:00:00:00:00", "port": "out"}]}})


class MemifMacswap(MacswapCeiling):
    def devices(self):
        return devices(self.place.directory)


def round_trips(bench, kind, what):
    """Share of the maximum -> the probe's figures. It runs on the control core, before everything else there."""
    with bench.subject(kind, what) as running:
        sockets = [os.path.join(running.place.directory, name) for name in SOCKETS]
        answer = run(["nice", "-n", "-20", program("latency_probe"), *sockets, bench.seconds, bench.arguments.control_core],
                     timeout=4 * bench.seconds + PROBE_S).stdout
    figures = {line["share"]: line for line in map(json.loads, answer.splitlines())}
    # At 90 % of what came back at most a ring may be full for a moment; a switch that loses much isn't measured there.
    for share, line in figures.items():
        if share < 1 and line["received"] < line["sent"] * 0.99:
            raise LabError(f"{kind.name} at {share:.0%}: {line['sent']} frames sent, {line['received']} came back")
    return figures


def latency_row(bench):
    theirs, ours = round_trips(bench, MemifMacswap, None), round_trips(bench, Gateway, job())
    ratios = {share: round(ours[share]["p99_us"] / theirs[share]["p99_us"], 2) for share in (0.1, 0.5, 0.9)}
    return {"value": max(ratios.values()), "p99_ratios": ratios, "causeway": ours, "macswap": theirs}
