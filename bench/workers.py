"""What a second worker gives, beside what dpdk-testpmd gains from its second core; README.md has the method.

    ./run bench workers --rounds 3
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile

from bench import frames, machine, report
from bench.pipeline import FIGURES, HUGEPAGES_MB, in_short, say
from bench.rows import Row
from bench.subject import Place
from bench.switch_causeway import CausewaySwitch
from bench.switch_testpmd import IoCeiling
from tests.support.process import LabError

ROWS = [Row(way, flows) for way in ("encap", "decap") for flows in (256, 16384)]
SUBJECTS = (IoCeiling, CausewaySwitch)
QUEUES = 2


def measure(subject, row, pcaps, cores, arguments, directory):
    place = Place(os.path.join(directory, "subject"), pcaps[0], cores[0], arguments.control_core, cores[1:], pcaps[1:])
    try:
        with subject(row, place) as running:
            return running.measure(arguments.seconds)
    except LabError as error:
        return {"wrong": str(error)}
    finally:
        shutil.rmtree(place.directory, ignore_errors=True)


def rounds(rows, arguments, directory, provide):
    """row -> subject -> list of (one core, two cores)."""
    results = {row.name: {subject.name: [] for subject in SUBJECTS} for row in rows}
    for number in range(1, arguments.rounds + 1):
        for row in rows:
            pcaps = tuple(os.path.join(directory, f"{row.stream}-{part}.pcap") for part in range(QUEUES))
            for part, pcap in enumerate(pcaps):
                if not os.path.exists(pcap):
                    frames.write_pcap(row, pcap, part, QUEUES)
            for subject in SUBJECTS:
                pair = []
                for cores in (arguments.cores[:1], arguments.cores):
                    provide(HUGEPAGES_MB)
                    run = measure(subject, row, pcaps, tuple(cores), arguments, directory)
                    pair.append(run)
                    say(f"round {number} of {arguments.rounds}  {row.name:20} {subject.name:9} {len(cores)} cores  {in_short(run)}")
                results[row.name][subject.name].append(pair)
    return results


def gain(pair):
    """Packets a second with two cores over those with one, each thread having its core to itself."""
    one, two = pair
    return 2 * one["cycles"] / two["cycles"] if "wrong" not in one and "wrong" not in two else None


def collect(results):
    rows = []
    for name, subjects in results.items():
        entry = {"name": name, "runs": subjects}
        gains = {subject: [gain(pair) for pair in pairs] for subject, pairs in subjects.items()}
        for subject, pairs in subjects.items():
            good = [value for value in gains[subject] if value]
            entry[subject] = {"gain": round(statistics.median(good), 3) if good else None,
                              "cycles": [report.median([pair[index] for pair in pairs], "cycles") for index in (0, 1)]}
        each = [ours / theirs for ours, theirs in zip(gains["causeway"], gains["io"]) if ours and theirs]
        entry["ratio"] = report.spread(each, 3)
        rows.append(entry)
    return rows


def failures(rows):
    return [f"{entry['name']}, {subject}: {run['wrong']}" for entry in rows for subject, pairs in entry["runs"].items()
            for pair in pairs for run in pair if "wrong" in run]


def table(rows):
    lines = [["row", "testpmd io, cycles: 1 core, 2 cores", "gain", "Causeway, cycles: 1 worker, 2 workers", "gain",
              "gain over gain (min-max)"]]
    for entry in rows:
        cells = [entry["name"]]
        for subject in ("io", "causeway"):
            cycles = ", ".join(report.number(value, 1) for value in entry[subject]["cycles"])
            cells += [cycles, report.number(entry[subject]["gain"], 2)]
        lines.append([*cells, report.spread_text(entry["ratio"])])
    return "\n".join([report.aligned(lines), *(f"FAILED: {one}" for one in failures(rows))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--only", metavar="WORD", default="", help="rows with this word in their name")
    parser.add_argument("--cores", type=int, nargs=2, default=[os.cpu_count() - 1, os.cpu_count() - 2])
    parser.add_argument("--control-core", type=int, default=0)
    parser.add_argument("--json", default=os.path.join(FIGURES, "workers.json"))
    arguments = parser.parse_args()
    if min(arguments.cores) < 0:
        sys.exit("bench: two workers need two cores")
    rows = [row for row in ROWS if arguments.only in row.name]
    directory = tempfile.mkdtemp(prefix="cwbench-")
    try:
        with machine.hugepages() as provide:
            results = rounds(rows, arguments, directory, provide)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    entries = collect(results)
    measured = {**report.origin(), "seconds": arguments.seconds, "rounds": arguments.rounds, "cores": arguments.cores,
                "rows": entries}
    report.write_json(measured, arguments.json)
    if not arguments.only:
        report.write_section("workers", measured, table(entries))
    say("\n" + table(entries))
    return 1 if failures(entries) else 0
