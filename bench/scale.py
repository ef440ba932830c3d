"""Causeway with a million flows, thousands of tunnels, and changes under load; README.md has the method.

    ./run bench scale --quick            one round, fewer sizes
    ./run bench scale                    all rows, five rounds
    ./run bench scale --only flows       rows with this word in their name
"""

import contextlib
import os
import shutil
import statistics
import sys
import time

from bench import machine, report
from bench.pipeline import FIGURES, HUGEPAGES_MB, parser_of, say
from bench.scale_gateway import Gateway
from bench.scale_rows import ROWS
from bench.subject import Place
from tests.support.process import LabError


class Scale:
    """What rows measure with."""

    def __init__(self, arguments, directory, provide_hugepages):
        self.quick = arguments.quick
        self.seconds = arguments.seconds
        self.arguments = arguments
        self.directory = directory
        self.provide_hugepages = provide_hugepages
        self.count = 0
        self.least_share = 1.0

    @contextlib.contextmanager
    def subject(self, kind, job, write_pcap=None):
        """A switch that runs; `write_pcap` writes the frames of a pcap device to a path."""
        self.count += 1
        pcap = write_pcap(os.path.join(self.directory, f"{self.count}.pcap")) if write_pcap else None
        place = Place(os.path.join(self.directory, f"{self.count}"), pcap, self.arguments.core, self.arguments.control_core)
        self.provide_hugepages(HUGEPAGES_MB)
        try:
            with kind(job, place) as running:
                yield running
        finally:
            shutil.rmtree(place.directory, ignore_errors=True)

    def gateway(self, job, write_pcap=None):
        return self.subject(Gateway, job, write_pcap)

    def measure_subject(self, kind, job, write_pcap=None):
        with self.subject(kind, job, write_pcap) as running:
            return self.checked(running.measure(self.seconds))

    def measure(self, job, write_pcap=None):
        return self.measure_subject(Gateway, job, write_pcap)

    def checked(self, run):
        if "wrong" in run:
            raise LabError(run["wrong"])
        self.least_share = min(self.least_share, run["share"])
        return run


def run_rows(bench, rows, rounds, results):
    for number in range(1, rounds + 1):
        for row in rows:
            started = time.monotonic()
            try:
                figures = row.measure(bench)
            except LabError as error:
                figures = {"wrong": str(error)}
            results[row.name].append(figures)
            text = f"{figures['value']:.{row.digits}f} {row.what}" if "value" in figures else ""
            wrong = f"  FAILED: {figures['wrong']}" if "wrong" in figures else ""
            others = ", ".join(f"{name} {value}" for name, value in figures.items() if name not in ("value", "wrong"))
            say(f"round {number} of {rounds}  {row.name:16} {text}{wrong}  ({time.monotonic() - started:.0f} s; {others})")


def collect(bench, rows, results, arguments):
    table = []
    for row in rows:
        values = [figures["value"] for figures in results[row.name] if "value" in figures and "wrong" not in figures]
        entry = {"name": row.name, "what": row.what, "bar": row.bar, "at_most": row.at_most, "rounds": results[row.name]}
        if values:
            median = statistics.median(values)
            entry["value"] = {"median": median, "min": min(values), "max": max(values)}
            entry["met"] = row.met(median)
        table.append(entry)
    return {**report.circumstances(arguments), "least_share": bench.least_share, "rows": table}


def cells(row, entry):
    def text(value):
        return f"{value:.{row.digits}f}"
    value = entry.get("value")
    wrong = [figures["wrong"] for figures in entry["rounds"] if "wrong" in figures]
    return [row.name, row.what, f"{'at most' if row.at_most else 'at least'} {row.bar:g}",
            f"{text(value['median'])} ({text(value['min'])}-{text(value['max'])})" if value else "-",
            f"FAILED: {wrong[0].splitlines()[0]}" if wrong else "met" if entry["met"] else "not met"]


def main():
    arguments = parse()
    rows = [row for row in ROWS if any(word in row.name for word in arguments.only or [""]) and
            (row.quick or not arguments.quick)]
    if not rows:
        sys.exit("bench: no row has that word in its name")
    started = time.monotonic()
    results = {row.name: [] for row in rows}
    with machine.measuring(arguments) as under_way:
        bench = Scale(arguments, under_way.directory, under_way.provide_hugepages)
        run_rows(bench, rows, arguments.rounds, results)
    whole = not (arguments.quick or arguments.only or under_way.interrupted)
    rows = [row for row in rows if results[row.name]]
    collected = collect(bench, rows, results, arguments)
    table = report.aligned([["row", "what", "bar", "median (min-max)", ""],
                            *(cells(row, entry) for row, entry in zip(rows, collected["rows"]))], left=2)
    report.write_json(collected, os.path.join(FIGURES, "scale.json" if whole else "scale-part.json"))
    if whole:
        report.write_section("scale", collected, table)
    say("\n" + table)
    say(f"\n{time.monotonic() - started:.0f} s")
    failed = any("wrong" in figures for rounds in results.values() for figures in rounds)
    return 1 if failed or not whole and not (arguments.quick or arguments.only) else 0


def parse():
    arguments = parser_of(__doc__, "one round, fewer sizes").parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    return arguments
