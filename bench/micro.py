"""The segment and coalesce stages beside DPDK's own libraries: nanoseconds a segment; README.md has the method.

    ./run bench micro                  all rows, nine rounds, half a minute
    ./run bench micro --only gso       rows and subjects with this word in their names
"""

import argparse
import os
import statistics

from bench import report
from tests.support.process import run

BASES = ("rte_gso", "rte_gso+sums", "rte_gro")
BUILD = os.environ.get("CAUSEWAY_BUILD", os.path.join(report.TOP, "build"))


def measure(arguments):
    """(row, subject) -> nanoseconds, one a round."""
    run(["ninja", "-C", BUILD, "bench/micro"], timeout=600)
    command = ["taskset", "-c", str(arguments.core), os.path.join(BUILD, "bench", "micro"), str(arguments.rounds),
               str(arguments.calls), arguments.only]
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
    parser.add_argument("--calls", type=int, default=3000, help="super-packets or bursts a measurement (%(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="rows and subjects with this word in their names")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    parser.add_argument("--json", metavar="FILE", help="where the figures go")
    arguments = parser.parse_args()
    table = collect(measure(arguments))
    show(table)
    if arguments.json:
        report.write_json({**report.origin(), "rows": table}, arguments.json)
    return 0
