"""What it costs a worker at full load that somebody looks: captures, mirrors, samples, traces, metrics; README.md has the method.

    ./run bench inspect --quick     two short rounds
    ./run bench inspect             nine rounds
"""

import dataclasses
import os
import socket
import statistics
import sys
import time
import typing

from bench import machine, report
from bench.looking import looks
from bench.looking.jobs import jobs
from bench.looking.keeping import RATE_SHARE, keep_everything
from bench.pipeline import FIGURES, in_short, parser_of_rounds, say
from bench.scale import Scale
from tests.support.process import LabError

LOOPBACK = "127.0.0.1"
APPLIED_S = 0.2     # from a change to its measurement


@dataclasses.dataclass(frozen=True)
class Slot:
    """One measurement of a round."""
    name: str
    job: str = "plain"
    look: typing.Callable = looks.nothing


# In turn. What nobody looks at is measured again and again: it is what others are held against.
SLOTS = (Slot("plain"), Slot("capture", look=looks.capture_one_flow), Slot("capture-off"), Slot("mirror", "mirror", looks.mirror),
         Slot("flooded", "flooded"), Slot("plain-again"), Slot("sflow", "sflow", looks.sflow), Slot("trace", look=looks.trace),
         Slot("metrics", look=looks.metrics), Slot("plain-at-last"))
PLAIN = ("plain", "capture-off", "plain-again", "plain-at-last")


@dataclasses.dataclass(frozen=True)
class Row:
    slot: str
    over: str           # a slot; nothing: the mean of the plain ones
    what: str
    bar: float = 0      # at most; 0: none


ROWS = (Row("capture", "", "capture of all ports, one frame in 1,000 kept", 1.15),
        Row("capture-off", "plain", "nobody looks any more, over nobody has", 1.01),
        Row("mirror", "", "mirror of the port to another"),
        Row("flooded", "", "the same frames flooded to two ports"),
        Row("mirror", "flooded", "mirror, over flooded", 1),
        Row("sflow", "", "sFlow, one frame in 1,000"),
        Row("trace", "", "ten traces a second"),
        Row("metrics", "", "metrics read once a second"))


def measure_slot(gateway, slot, job, seconds):
    try:
        if gateway.row is not job:
            gateway.apply(job)
            gateway.row = job
            time.sleep(APPLIED_S)
        with slot.look(gateway) as seen:
            run = gateway.measure_now(seconds)
    except LabError as error:
        return {"wrong": str(error)}
    wrong = seen.pop("wrong", None) or run.get("wrong")
    return {**run, **({"seen": seen} if seen else {}), **({"wrong": wrong} if wrong else {})}


def measure_round(bench, addresses):
    """Slot -> run."""
    known = jobs(*addresses)
    runs = {}
    with bench.gateway(known["plain"]) as gateway:
        gateway.settle()
        for slot in SLOTS:
            runs[slot.name] = measure_slot(gateway, slot, known[slot.job], bench.seconds)
            say(f"  {slot.name:14} {in_short(runs[slot.name])}  {runs[slot.name].get('seen', '')}")
    return runs


def ratio(runs, row):
    """Cycles of a round's slot over another's; None where one of the two was no good."""
    over = (row.over,) if row.over else PLAIN
    if any(name not in runs or "wrong" in runs[name] for name in (row.slot, *over)):
        return None
    return runs[row.slot]["cycles"] / statistics.mean(runs[name]["cycles"] for name in over)


def collect(rounds, kept, arguments):
    rows = []
    for row in ROWS:
        each = [value for value in (ratio(runs, row) for runs in rounds) if value]
        cycles = [runs[row.slot]["cycles"] for runs in rounds if "cycles" in runs.get(row.slot, {})]
        rows.append({"name": row.slot, "over": row.over or "plain", "what": row.what, "bar": row.bar or None,
                     "cycles": report.spread(cycles), "ratio": report.spread(each, 3)})
    shares = [run["share"] for runs in rounds for run in runs.values() if "share" in run]
    plain = [runs[name]["cycles"] for runs in rounds for name in PLAIN if "cycles" in runs.get(name, {})]
    return {**report.circumstances(arguments), "least_share": min(shares, default=None), "plain_cycles": report.spread(plain),
            "rows": rows, "keeping": kept, "runs": rounds}


def failures(collected):
    wrong = [f"{name}: {run['wrong']}" for runs in collected["runs"] for name, run in runs.items() if "wrong" in run]
    return wrong + [f"capture of every frame: {one['wrong']}" for one in collected["keeping"] if "wrong" in one]


def table(collected):
    lines = [["row", "what", "over", "cycles", "ratio (min-max)", "at most", ""]]
    for row in collected["rows"]:
        cycles = report.number(row["cycles"] and row["cycles"]["median"], 1)
        lines.append([row["name"], row["what"], row["over"], cycles, report.spread_text(row["ratio"], 3), report.number(row["bar"], 2),
                      report.at_most(row["ratio"], row["bar"])])
    plain = collected["plain_cycles"]
    text = f"Plain: {report.number(plain and plain['median'], 1)} cycles a frame.\n\n" + report.aligned(lines, left=3)
    return "\n\n".join([text, keeping_table(collected["keeping"]), *(f"FAILED: {one}" for one in failures(collected))])


def keeping_table(kept):
    lines = [["every frame captured", "Mpps", "at both ports", "kept", "said lost", "late for the worker: without a capture",
              "with one"]]
    for number, one in enumerate(kept, 1):
        if "capture" in one:
            counts, seen = one["captured"], one["capture"]
            lines.append([f"round {number}", f"{one['rate'] / 1e6:.2f}", str(counts["came"] + counts["went"]), str(seen["kept"]),
                          str(seen["lost"]), *(f"{counts['missed']} ({counts['waited_ms']:.1f} ms its core was others')"
                                               for counts in (one["alone"], counts))])
    return report.aligned(lines)


def free_port():
    with socket.create_server((LOOPBACK, 0)) as server:
        return server.getsockname()[1]


def measure(arguments, under_way, rounds, kept):
    bench = Scale(arguments, under_way.directory, under_way.provide_hugepages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind((LOOPBACK, 0))
        addresses = (f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{collector.getsockname()[1]}")
        for number in range(1, arguments.rounds + 1):
            say(f"round {number} of {arguments.rounds}")
            runs = measure_round(bench, addresses)
            rounds.append(runs)
            if "mpps" in runs["plain"]:
                kept.append(kept_or_wrong(bench, runs["plain"]["mpps"]))
                say(f"  every frame    {kept[-1]}")


def kept_or_wrong(bench, mpps):
    try:
        return keep_everything(bench, mpps)
    except LabError as error:
        return {"wrong": str(error)}


def main():
    parser = parser_of_rounds(__doc__, "two rounds of half a second each")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = min(arguments.seconds, 0.5)
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 9)
    rounds, kept, started = [], [], time.monotonic()
    with machine.measuring(arguments) as under_way:
        measure(arguments, under_way, rounds, kept)
    if not rounds:
        sys.exit("bench: nothing measured")
    whole = not (arguments.quick or under_way.interrupted)
    collected = collect(rounds, kept, arguments)
    report.write_json(collected, os.path.join(FIGURES, "inspect.json" if whole else "inspect-part.json"))
    if whole:
        report.write_section("inspect", collected, table(collected))
    say("\n" + table(collected))
    say(f"\n{RATE_SHARE:.0%} of the plain rate where every frame is captured; {time.monotonic() - started:.0f} s")
    return 1 if failures(collected) or under_way.interrupted else 0
