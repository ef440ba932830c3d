"""What each feature of the gateway costs a packet, over the same job without it; README.md has the method.

    ./run bench features --quick                    two short rounds
    ./run bench features                            all rows, five rounds
    ./run bench features --row 'decap-.*checksum'   rows that match, and those they are held against
"""

import os
import re
import shutil
import statistics
import sys
import time

from bench import machine, micro, report
from bench.features.frames import write_pcap
from bench.features.gateway import FeatureGateway, job_of
from bench.features.rows import ROWS
from bench.pipeline import FIGURES, HUGEPAGES_MB, in_short, parser_of_rounds, say
from bench.subject import Place
from tests.support.process import LabError


MICRO_ROUNDS = 9
OVER_SUM = 1.1      # the bar of a row whose large frames are summed: this times plain and the sum


def chosen_rows(pattern):
    """In the table's order, each with the row beside it."""
    wanted = {row.name for row in ROWS if re.search(pattern, row.name)}
    wanted |= {row.plain for row in ROWS if row.name in wanted}
    if not wanted:
        sys.exit(f"bench: no row matches '{pattern}'")
    return [row for row in ROWS if row.name in wanted]


def measure(row, arguments, directory):
    pcap = os.path.join(directory, f"{row.name}.pcap")
    if not (row.generator or os.path.exists(pcap)):
        write_pcap(row, pcap)
    place = Place(os.path.join(directory, "gateway"), pcap, arguments.core, arguments.control_core)
    try:
        with FeatureGateway(job_of(row), place) as running:
            return running.measure(arguments.seconds)
    except LabError as error:
        return {"wrong": str(error)}
    finally:
        shutil.rmtree(place.directory, ignore_errors=True)


def measure_rounds(rows, arguments, directory, provide_hugepages, results):
    for number in range(1, arguments.rounds + 1):
        for row in rows:
            provide_hugepages(HUGEPAGES_MB)
            run = measure(row, arguments, directory)
            results[row.name].append(run)
            say(f"round {number} of {arguments.rounds}  {row.name:28} {in_short(run)}")


def sums_large(row):
    return row.verifies and row.size == 1400


def cycles_of_sum(core):
    """Of one frame of 1,400 bytes in a tunnel, by the micro bench."""
    micro.build()
    ns = micro.measure(core, MICRO_ROUNDS, only=" ".join(micro.SUM_1400))[micro.SUM_1400]
    return round(statistics.median(ns) * machine.tsc_hz() / 1e9, 1)


def bar_of(row, plain_cycles, sum_cycles):
    """Most cycles over the plain row's; None: no bar."""
    if sums_large(row) and plain_cycles and sum_cycles:
        return round(OVER_SUM * (plain_cycles + sum_cycles) / plain_cycles, 2)
    return row.bar or None


def collect(rows, results, arguments, sum_cycles):
    table = []
    for row in rows:
        runs = results[row.name]
        cycles = [run["cycles"] for run in runs if "wrong" not in run]
        entry = {"name": row.name, "plain": row.plain if row.plain != row.name else None, "runs": runs,
                 "bar": bar_of(row, report.median(results[row.plain], "cycles"), sum_cycles), "cycles": report.spread(cycles)}
        if entry["plain"]:
            entry["of_plain"] = report.spread(report.ratios(results[row.plain], runs))
        table.append(entry)
    shares = [run["share"] for runs in results.values() for run in runs if "share" in run]
    return {**report.circumstances(arguments), "least_share": min(shares, default=None), "sum_1400_cycles": sum_cycles,
            "rows": table}


def failures(collected):
    return [f"{entry['name']}: {run['wrong']}" for entry in collected["rows"] for run in entry["runs"] if "wrong" in run]


def cells(entry):
    cycles, ratio = entry["cycles"], entry.get("of_plain")
    text = f"{cycles['median']:.0f} ({cycles['min']:.0f}-{cycles['max']:.0f})" if cycles else "-"
    return [entry["name"], entry["plain"] or "", text, report.spread_text(ratio), report.number(entry["bar"], 2),
            report.at_most(ratio, entry["bar"])]


def table(collected):
    lines = [["row", "plain row", "cycles (min-max)", "of plain (min-max)", "bar", ""], *map(cells, collected["rows"])]
    summed = collected["sum_1400_cycles"]
    text = f"The sum of a frame of 1,400 bytes: {summed:.0f} cycles (`./run bench micro`).\n\n" if summed else ""
    return text + report.aligned(lines, left=2) + "".join(f"\nFAILED: {one}" for one in failures(collected))


def parse():
    parser = parser_of_rounds(__doc__, "two rounds of a second each")
    parser.add_argument("--row", metavar="REGEX", default="", help="rows whose name this matches somewhere")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = arguments.rounds or 2, min(arguments.seconds, 1)
    arguments.rounds = arguments.rounds or 5
    arguments.whole = not (arguments.quick or arguments.row)
    return arguments


def main():
    arguments = parse()
    rows = chosen_rows(arguments.row)
    results = {row.name: [] for row in rows}
    sum_cycles = cycles_of_sum(arguments.core) if any(map(sums_large, rows)) else None
    started = time.monotonic()
    with machine.measuring(arguments) as bench:
        measure_rounds(rows, arguments, bench.directory, bench.provide_hugepages, results)
    whole = arguments.whole and not bench.interrupted
    collected = collect(rows, results, arguments, sum_cycles)
    report.write_json(collected, os.path.join(FIGURES, "features.json" if whole else "features-part.json"))
    if whole:
        report.write_section("features", collected, table(collected))
    say("\n" + table(collected))
    say(f"\n{time.monotonic() - started:.0f} s")
    return 1 if failures(collected) or whole != arguments.whole else 0
