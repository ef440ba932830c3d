"""Two builds of Causeway in turn, on the rows of the pipeline bench: what a change costs or gives.

    ./run bench compare BUILD                 this build beside the causewayd under BUILD
    ./run bench compare BUILD --only encap    rows with this word in their name

A ratio is the cycles of this build over the other's within a round: 1.02 is two percent slower.
"""


from bench import machine, report
from bench.pipeline import Pipeline, chosen_rows, parser_of, say
from bench.switch_causeway import CausewaySwitch
from tests.support.causeway import program


class Earlier(CausewaySwitch):
    """The other build's."""

    name = "before"
    path = None

    def program(self):
        return self.path


class Comparison(Pipeline):
    def _subjects(self, row):
        # Who is first changes, so that nobody always follows the same.
        rounds = len(self.results[row.name].get("causeway", []))
        return (CausewaySwitch, Earlier)[:: -1 if rounds % 2 else 1]

    def table(self):
        for name, runs in self.results.items():
            ours, before = runs.get("causeway", []), runs.get("before", [])
            yield (name, report.median(ours, "cycles"), report.median(before, "cycles"),
                   report.spread(report.ratios(before, ours), 3))

    def failed(self):
        return any("wrong" in run for runs in self.results.values() for each in runs.values() for run in each)


def main():
    parser = parser_of(__doc__, "three rows, two rounds")
    parser.add_argument("build", help="a build folder, or one with the program in it")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    Earlier.path = program("causewayd", arguments.build)
    with machine.measuring(arguments) as bench:
        comparison = Comparison(chosen_rows(arguments), arguments, bench.directory)
        comparison.run(bench.provide_hugepages)
    say(f"\n{'row':26} {'cycles':>7} {'before':>7}  ratio (min-max)")
    for name, ours, before, ratio in comparison.table():
        say(f"{name:26} {ours or 0:7.0f} {before or 0:7.0f}  {report.spread_text(ratio)}")
    return 1 if comparison.failed() else 0
