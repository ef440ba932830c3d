"""Large frames in tunnels with checksums: what partial GSO saves the worker, and what checksums cost two containers' TCP; README.md
has the method.

    ./run bench large --quick     two rounds of two seconds each
    ./run bench large             five rounds
"""

import dataclasses
import os
import statistics
import time

from bench import lab, machine, micro, report
from bench.pipeline import FIGURES, parser_of_rounds, say
from tests.support.lab import Lab
from tests.support.process import LabError

MICRO_ROUNDS = 9
PARTIAL_BAR, TCP_BAR = 5, 0.95


@dataclasses.dataclass(frozen=True)
class Connection:
    """TCP between two containers, through two gateways with `tunnel-tso`."""
    name: str
    mode: str
    underlay: int   # IP version

    def rate(self, checksum, seconds):
        """One run: lab.measure_once's dict."""
        with Lab(echo=False) as network:
            start = lab.causeway("on", checksum=checksum)
            client, server = lab.build(network, start, False, self.mode, self.underlay)
            return lab.measure_once(client, server, 4, seconds, [])


CONNECTIONS = (Connection("tcp-geneve", "geneve", 4), Connection("tcp-vxlan-ipv6", "vxlan", 6))


def cycles_per_gb(ns_per_segment):
    """Of the worker, for a GB of payload."""
    return ns_per_segment / 1e9 * machine.tsc_hz() * 1e9 / micro.SEGMENT_BYTES


def partial_gso(runs):
    """A super-packet in a GENEVE tunnel with checksum, cut by the worker, and by a device that fills no outer checksum."""
    cut, partial = (runs[key] for key in (micro.ALL_CUT, micro.PARTIAL))
    return {"name": "partial-gso", "bar": PARTIAL_BAR, "cycles_per_gb": {
                "cut": round(cycles_per_gb(statistics.median(cut))), "partial": round(cycles_per_gb(statistics.median(partial)))},
            "ratio": report.spread([whole / part for whole, part in zip(cut, partial)]), "ns": {"cut": cut, "partial": partial}}


def connection_row(connection, runs):
    """`runs`: round by round, (without checksums, with)."""
    good = [pair for pair in runs if not any("wrong" in run for run in pair)]
    median = {name: statistics.median(pair[place]["bits_per_second"] for pair in good) if good else None
              for place, name in enumerate(("without", "with"))}
    return {"name": connection.name, "bar": TCP_BAR, "bits_per_second": median,
            "ratio": report.spread([with_sums["bits_per_second"] / without["bits_per_second"] for without, with_sums in good], 3),
            "runs": runs}


def measure(connection, seconds, label):
    pair = []
    for checksum in (False, True):
        try:
            run = connection.rate(checksum, seconds)
            text = f"{run['bits_per_second'] / 1e9:6.2f} Gbit/s {run['cpu_s_per_gb']:6.2f} s/GB"
        except LabError as error:
            run = {"wrong": str(error)}
            text = f"FAILED: {error}"
        say(f"{label}  {connection.name:16} {'checksum' if checksum else 'without ':8} {text}")
        pair.append(run)
    return pair


def failures(rows):
    return [f"{row['name']}: {run['wrong']}" for row in rows for pair in row.get("runs", []) for run in pair if "wrong" in run]


def table(rows):
    lines = [["row", "what", "figures", "ratio (min-max)", "at least", ""]]
    for row in rows:
        if "cycles_per_gb" in row:
            what = "worker's cycles a GB, all cut over partial GSO"
            figures = "{cut:,} and {partial:,}".format(**row["cycles_per_gb"])
        else:
            what = "Gbit/s with checksums over without"
            figures = " and ".join(report.number(rate and rate / 1e9, 2) for rate in reversed(row["bits_per_second"].values()))
        lines.append([row["name"], what, figures, report.spread_text(row["ratio"]), f"{row['bar']:g}",
                      report.at_least(row["ratio"], row["bar"])])
    return report.aligned(lines, left=2) + "".join(f"\nFAILED: {one}" for one in failures(rows))


def main():
    arguments = parser_of_rounds(__doc__, "two rounds of two seconds each").parse_args()
    if arguments.quick:
        arguments.seconds = 2
    arguments.seconds = int(arguments.seconds)
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    started = time.monotonic()
    micro.build()
    rows = [partial_gso(micro.measure(arguments.core, MICRO_ROUNDS, only="gso-geneve4-sum"))]
    runs = {connection: [] for connection in CONNECTIONS}
    interrupted = False
    try:
        for number in range(1, arguments.rounds + 1):
            for connection in CONNECTIONS:
                runs[connection].append(measure(connection, arguments.seconds, f"round {number} of {arguments.rounds}"))
    except KeyboardInterrupt:
        interrupted = True
    rows += [connection_row(connection, pairs) for connection, pairs in runs.items()]
    whole = not (arguments.quick or interrupted)
    collected = {**report.circumstances(arguments), "rows": rows}
    report.write_json(collected, os.path.join(FIGURES, "large.json" if whole else "large-part.json"))
    if whole:
        report.write_section("large", collected, table(rows))
    say("\n" + table(rows))
    say(f"\n{time.monotonic() - started:.0f} s")
    return 1 if failures(rows) or interrupted else 0
