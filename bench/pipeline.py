"""Causeway beside Open vSwitch with DPDK, one core each, frames from a pcap file into the void; README.md has the method.

    ./run bench pipeline --quick            three rows, under four minutes
    ./run bench pipeline                    all rows, five rounds
    ./run bench pipeline --only decap       rows with this word in their name
"""

import argparse
import os
import shutil
import sys
import time

from bench import frames, machine, report
from bench.rows import FULL, QUICK
from bench.subject import Place
from bench.switch_causeway import CausewaySwitch
from bench.switch_ovs import MEMORY_MB, OvsSwitch, SmcOvsSwitch
from bench.switch_testpmd import IoCeiling, MacswapCeiling
from tests.support.process import LabError

SWITCHES = (CausewaySwitch, OvsSwitch, SmcOvsSwitch)
CEILINGS = (IoCeiling, MacswapCeiling)
HUGEPAGES_MB = MEMORY_MB + 256  # more than the hungriest takes: others may help themselves, too
ALL_SUBJECTS = ",".join(subject.name for subject in (*CEILINGS, *SWITCHES))
FOLDER = os.path.dirname(os.path.abspath(__file__))
FIGURES = os.path.join(FOLDER, "figures")


class Pipeline:
    """Rounds over rows over subjects. What is done is in `results` at any time."""

    def __init__(self, rows, arguments, directory):
        self.rows = rows
        self.arguments = arguments
        self.directory = directory
        self.results = {row.name: {} for row in rows}
        self.ceilings = {}  # of this round: (stream, subject) -> run
        self.count = 0

    def run(self, provide_hugepages):
        self.provide_hugepages = provide_hugepages
        for number in range(1, self.arguments.rounds + 1):
            self.ceilings = {}
            for row in self.rows:
                self._measure_row(row, f"round {number} of {self.arguments.rounds}")

    def _measure_row(self, row, label):
        pcap = os.path.join(self.directory, f"{row.stream}.pcap")
        if not os.path.exists(pcap):
            frames.write_pcap(row, pcap)
        for subject in self._subjects(row):
            key = (row.stream, subject.name)
            known = subject in CEILINGS and key in self.ceilings
            run = self.ceilings[key] if known else self._measure(subject, row, pcap)
            if subject in CEILINGS:
                self.ceilings[key] = run
            self.results[row.name].setdefault(subject.name, []).append(run)
            if not known:
                say(f"{label}  {row.name:26} {subject.name:9} {in_short(run)}")

    def _subjects(self, row):
        chosen = [subject for subject in (*CEILINGS, *SWITCHES) if subject.name in self.arguments.subjects]
        if row.option:  # Open vSwitch would set it by a flow's action, which is another job
            chosen = [subject for subject in chosen if not issubclass(subject, OvsSwitch)]
        if self.arguments.quick:
            chosen = [subject for subject in chosen if subject is not MacswapCeiling]
        return chosen

    def _measure(self, subject, row, pcap):
        self.count += 1
        place = Place(os.path.join(self.directory, f"{self.count}-{subject.name}"), pcap, self.arguments.core,
                      self.arguments.control_core)
        try:
            self.provide_hugepages(HUGEPAGES_MB)
            with subject(row, place) as running:
                return running.measure(self.arguments.seconds)
        except LabError as error:
            return {"wrong": str(error)}
        finally:
            shutil.rmtree(place.directory, ignore_errors=True)


def in_short(run):
    if "wrong" in run and "cycles" not in run:
        return f"FAILED: {run['wrong']}"
    text = f"{run['mpps']:7.2f} Mpps {run['cycles']:7.1f} cycles  {run['share']:4.0%} of its core"
    return text + (f"  FAILED: {run['wrong']}" if "wrong" in run else "")


def say(text):
    print(text, flush=True)


def parser_of_rounds(description, quick):
    """What every bench of rounds understands; `quick` says what that one leaves out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--rounds", type=int, help="each row this often, all in turn (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1, help="of the forwarding thread")
    parser.add_argument("--control-core", type=int, default=0)
    return parser


def parser_of(description, quick):
    """The same with rows to choose by a word."""
    parser = parser_of_rounds(description, quick)
    parser.add_argument("--only", metavar="WORD", action="append", help="rows with this word in their name")
    return parser


def parse():
    parser = parser_of(__doc__, "three rows, two rounds")
    parser.add_argument("--subjects", default=ALL_SUBJECTS, help="some of these only; commas between (%(default)s)")
    parser.add_argument("--json", help="where the figures go; default: bench/figures/pipeline.json, and for a "
                        "part of the rows pipeline-part.json beside it")
    parser.add_argument("--markdown", help="where the table goes; default: bench/RESULTS.md, and for a part nowhere")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.whole = not (arguments.quick or arguments.only or arguments.subjects != ALL_SUBJECTS)
    arguments.subjects = arguments.subjects.split(",")
    arguments.json = arguments.json or os.path.join(FIGURES, "pipeline.json" if arguments.whole else "pipeline-part.json")
    if arguments.whole and not arguments.markdown:
        arguments.markdown = os.path.join(FOLDER, "RESULTS.md")
    return arguments


def chosen_rows(arguments):
    rows = QUICK if arguments.quick else FULL
    words = arguments.only or [""]
    rows = [row for row in rows if any(word in row.name for word in words)]
    if not rows:
        sys.exit("bench: no row has that word in its name")
    return rows


def main():
    arguments = parse()
    rows = chosen_rows(arguments)
    started = time.monotonic()
    with machine.measuring(arguments) as bench:
        pipeline = Pipeline(rows, arguments, bench.directory)
        pipeline.run(bench.provide_hugepages)
    if bench.interrupted and arguments.whole:  # the last whole figures stay
        arguments.json, arguments.markdown = os.path.join(FIGURES, "pipeline-part.json"), None
    results = report.collect(pipeline.results, rows, arguments)
    report.write(results, arguments)
    say("\n" + report.table(results))
    say(f"\n{time.monotonic() - started:.0f} s")
    return 1 if bench.interrupted or report.failures(results) else 0
