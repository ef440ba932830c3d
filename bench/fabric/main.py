"""A fabric by EVPN, in numbers: MACs, VNIs and VTEPs by the thousand, and floods at the host path; README.md has the method.

    ./run bench fabric --quick           rows that take less than a minute each
    ./run bench fabric                   all: its section of RESULTS.md and figures/fabric.json
    ./run bench fabric --only macs       rows with this word in their name
"""

import argparse
import os
import sys
import time

from bench import report
from bench.fabric.rows import ROWS, measure
from bench.pipeline import FIGURES, say
from tests.support.lab import Lab

HEADINGS = ["row", "what", "value", "bar", "", "beside it"]


def text_of(figure):
    if isinstance(figure, float):
        return f"{figure:.2f}"
    if isinstance(figure, dict):
        return ", ".join(f"{name} {text_of(value)}" for name, value in figure.items())
    return str(figure)


def cells(row, figures):
    bar = f"{'at least' if row.at_least else 'at most'} {row.bar:g}"
    if "wrong" in figures:
        return [row.name, row.what, "FAILED", bar, "not met", figures["wrong"].splitlines()[0]]
    beside = "; ".join(f"{what}: {text_of(figure)}" for what, figure in figures["beside"].items())
    return [row.name, row.what, f"{figures['value']:.2f} {row.unit}", bar, row.verdict(figures["value"]), beside]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smaller rows")
    parser.add_argument("--only", metavar="WORD", default="", help="rows with this word in their name")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.only in row.name and not (row.large and arguments.quick)]
    if not rows:
        sys.exit("bench: no row has that word in its name")
    measured, lines = [], []
    for row in rows:
        started = time.monotonic()
        with Lab(echo=False) as lab:
            figures = measure(row, lab)
        measured.append({"name": row.name, **figures})
        lines.append(cells(row, figures))
        say(f"{'  '.join(lines[-1])}  ({time.monotonic() - started:.0f} s)")
        if "wrong" in figures:
            say(figures["wrong"])
    results = {**report.origin(), "seconds": 0, "rounds": 1, "rows": measured}
    table = report.aligned([HEADINGS, *lines], left=6)
    whole = len(rows) == len(ROWS)
    report.write_json(results, os.path.join(FIGURES, "fabric.json" if whole else "fabric-part.json"))
    if whole:
        report.write_section("fabric", results, table)
    say("\n" + table)
    return 1 if any("wrong" in each for each in measured) else 0
