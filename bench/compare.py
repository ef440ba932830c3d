"""Two builds of Causeway in turn, on the rows of the pipeline bench: what a change costs or gives.

    ./run bench compare BUILD                 this build beside the causewayd under BUILD
    ./run bench compare BUILD --only encap    rows with this word in their name

A ratio is the cycles of this build over the other's within a round: 1.02 is two percent slower.
"""

import os
import shutil
import signal
import sys
import tempfile

from bench import machine, report
from bench.pipeline import HUGEPAGES_MB, chosen_rows, in_short, parser_of, say
from bench.frames import write_pcap
from bench.subject import Place
from bench.switch_causeway import CausewaySwitch
from tests.support.causeway import program
from tests.support.process import LabError


class Earlier(CausewaySwitch):
    """The other build's."""

    name = "before"
    path = None

    def program(self):
        return self.path


class Comparison:
    def __init__(self, rows, arguments, directory, provide_hugepages):
        self.rows, self.arguments, self.directory = rows, arguments, directory
        self.provide_hugepages = provide_hugepages
        self.runs = {row.name: {"causeway": [], "before": []} for row in rows}
        self.count = 0

    def run(self):
        for number in range(1, self.arguments.rounds + 1):
            for row in self.rows:
                # Who is first changes, so that nobody always follows the same.
                for kind in (CausewaySwitch, Earlier)[:: 1 if number % 2 else -1]:
                    run = self._measure(kind, row)
                    self.runs[row.name][kind.name].append(run)
                    say(f"round {number} of {self.arguments.rounds}  {row.name:26} {kind.name:9} {in_short(run)}")

    def _measure(self, kind, row):
        pcap = os.path.join(self.directory, f"{row.stream}.pcap")
        if not os.path.exists(pcap):
            write_pcap(row, pcap)
        self.count += 1
        place = Place(os.path.join(self.directory, str(self.count)), pcap, self.arguments.core, self.arguments.control_core)
        self.provide_hugepages(HUGEPAGES_MB)
        try:
            with kind(row, place) as running:
                return running.measure(self.arguments.seconds)
        except LabError as error:
            return {"wrong": str(error)}
        finally:
            shutil.rmtree(place.directory, ignore_errors=True)

    def table(self):
        for name, runs in self.runs.items():
            ratio = report.spread(report.ratios(runs["before"], runs["causeway"]), 3)
            yield name, report.median(runs["causeway"], "cycles"), report.median(runs["before"], "cycles"), ratio


def main():
    parser = parser_of(__doc__, "three rows, two rounds")
    parser.add_argument("build", help="a build folder, or one with the program in it")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Earlier.path = program("causewayd", arguments.build)
    directory = tempfile.mkdtemp(prefix="cwbench-")
    try:
        with machine.hugepages() as provide:
            comparison = Comparison(chosen_rows(arguments), arguments, directory, provide)
            try:
                comparison.run()
            except KeyboardInterrupt:
                say("\ninterrupted: what was measured so far")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    say(f"\n{'row':26} {'cycles':>7} {'before':>7}  ratio (min-max)")
    for name, ours, before, ratio in comparison.table():
        say(f"{name:26} {ours or 0:7.0f} {before or 0:7.0f}  {report.spread_text(ratio)}")
    return 1 if any("wrong" in run for runs in comparison.runs.values() for each in runs.values() for run in each) else 0
