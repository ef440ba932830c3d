"""The segment and coalesce stages beside DPDK's own libraries, and the sum of a large frame: nanoseconds a segment, or a frame;
README.md has the method.

    ./run bench micro                  all rows, nine rounds, half a minute
    ./run bench micro --only gso       rows and subjects with this word in their names
"""

import argparse
import os
import statistics

from bench import report
from tests.support.process import run

BASES = ("rte_gso", "rte_gso+sums", "rte_gro", "partial")
CALLS = 3000  # super-packets or bursts a measurement
SUM_1400 = ("sum-1400", "causeway")
ALL_CUT, PARTIAL = (("gso-geneve4-sum-tcp4", subject) for subject in ("causeway", "partial"))
SEGMENT_BYTES = 1398  # of a super-packet's payload
BUILD = os.environ.get("CAUSEWAY_BUILD", os.path.join(report.TOP, "build"))


def build():
    run(["ninja", "-C", BUILD, "bench/micro"], timeout=600)


def measure(core, rounds, calls=CALLS, only=""):
    """(row, subject) -> nanoseconds, one a round."""
    command = ["taskset", "-c", str(core), os.path.join(BUILD, "bench", "micro"), str(rounds), str(calls), only]
    runs = {}
    for line in run(command, timeout=600).stdout.splitlines():
        row, subject, ns = line.split()
        runs.setdefault((row, subject), []).append(float(ns))
    return runs


def collect(runs):
    table = {}
    for (row, subject), ns in runs.items():
        table.setdefault(row, {})[subject] = {"median_ns": round(statistics.median(ns), 1), "min_ns": min(ns),
                                              "max_ns": max(ns), "rounds": ns}
    for row, subjects in table.items():
        ours = runs.get((row, "causeway"))
        for base in BASES:
            if ours and base in subjects:
                # Within a round: what the processor's clock does between rounds hits both.
                each = [theirs / mine for mine, theirs in zip(ours, runs[row, base])]
                subjects[base]["ratio"] = report.spread(each)
    return table


def show(table):
    print(f"{'row':<18} {'subject':<14} {'ns':>7}  {'min - max':>15}  over Causeway's (min - max)")
    for row, subjects in table.items():
        for name, one in subjects.items():
            ratio = one.get("ratio")
            text = f"{ratio['median']:.2f} ({ratio['min']:.2f} - {ratio['max']:.2f})" if ratio else ""
            print(f"{row:<18} {name:<14} {one['median_ns']:7.1f}  {one['min_ns']:6.1f} - {one['max_ns']:6.1f}  {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="each row this often, all in turn (%(default)s)")
    parser.add_argument("--calls", type=int, default=CALLS, help="super-packets or bursts a measurement (%(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="rows and subjects with this word in their names")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--json", metavar="FILE", help="where the figures go")
    arguments = parser.parse_args()
    build()
    table = collect(measure(arguments.core, arguments.rounds, arguments.calls, arguments.only))
    show(table)
    if arguments.json:
        report.write_json({**report.origin(), "rows": table}, arguments.json)
    return 0
