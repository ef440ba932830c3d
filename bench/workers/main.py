"""What a second worker gives: with a receive queue each, beside what dpdk-testpmd gains from its second core; and with one
queue that is spread in software. README.md has the method.

    ./run bench workers --rounds 3
"""

import argparse
import os
import shutil
import sys
import tempfile

from bench import frames, machine, report
from bench.features.gateway import FeatureGateway
from bench.pipeline import FIGURES, HUGEPAGES_MB, in_short, say
from bench.rows import Row
from bench.subject import Place
from bench.switch_causeway import CausewaySwitch
from bench.switch_testpmd import IoCeiling
from bench.workers import spread
from bench.workers.spread import SpreadRow
from tests.support.process import LabError

ROWS = [*(Row(way, flows) for way in ("encap", "decap") for flows in (256, 16384)), SpreadRow()]
SUBJECTS = (IoCeiling, CausewaySwitch)
QUEUES = 2


def measure(subject, row, pcaps, cores, arguments, directory):
    """`pcaps`: a receive queue each; none where frames come from a generator."""
    place = Place(os.path.join(directory, "subject"), pcaps[0] if pcaps else None, cores[0], arguments.control_core, cores[1:],
                  pcaps[1:])
    try:
        with subject(row, place) as running:
            return running.measure(arguments.seconds)
    except LabError as error:
        return {"wrong": str(error)}
    finally:
        shutil.rmtree(place.directory, ignore_errors=True)


def pcaps_of(row, directory):
    pcaps = tuple(os.path.join(directory, f"{row.stream}-{part}.pcap") for part in range(QUEUES))
    for part, pcap in enumerate(pcaps):
        if not os.path.exists(pcap):
            frames.write_pcap(row, pcap, part, QUEUES)
    return pcaps


def jobs_of(row, directory):
    """(subject, what it does with one core, what with two, files of frames)"""
    if isinstance(row, SpreadRow):
        return [(FeatureGateway, spread.job(row, False), spread.job(row, True), ())]
    return [(subject, row, row, pcaps_of(row, directory)) for subject in SUBJECTS]


def rounds(rows, arguments, directory, provide):
    """row -> subject -> list of (one core, two cores)."""
    results = {row.name: {} for row in rows}
    for number in range(1, arguments.rounds + 1):
        for row in rows:
            for subject, one, two, pcaps in jobs_of(row, directory):
                pair = []
                for job, cores in ((one, arguments.cores[:1]), (two, arguments.cores)):
                    provide(HUGEPAGES_MB)
                    run = measure(subject, job, pcaps, tuple(cores), arguments, directory)
                    pair.append(run)
                    say(f"round {number} of {arguments.rounds}  {row.name:20} {subject.name:9} {len(cores)} cores  {in_short(run)}"
                        f"{lost(run)}")
                results[row.name].setdefault(subject.name, []).append(pair)
    return results


def lost(run):
    """What found no room on its way to another worker, for people."""
    missed = sum(port["rx_drops"] for port in run.get("ports_per_second", {}).values())
    return f"  {missed / 1e6:.2f} M a second lost" if missed else ""


def gain(pair):
    """Packets a second with two cores over those with one, each thread having its core to itself."""
    one, two = pair
    return 2 * one["cycles"] / two["cycles"] if "wrong" not in one and "wrong" not in two else None


def collect(rows, results):
    entries = []
    for row in rows:
        subjects = results[row.name]
        entry = {"name": row.name, "runs": subjects}
        gains = {subject: [gain(pair) for pair in pairs] for subject, pairs in subjects.items()}
        for subject, pairs in subjects.items():
            entry[subject] = {"gain": report.spread([value for value in gains[subject] if value], 3),
                              "cycles": [report.median([pair[index] for pair in pairs], "cycles") for index in (0, 1)]}
        if isinstance(row, SpreadRow):
            entry["bar"] = row.bar
        else:
            pairs = zip(gains["causeway"], gains["io"])
            entry["ratio"] = report.spread([ours / theirs for ours, theirs in pairs if ours and theirs], 3)
        entries.append(entry)
    return entries


def failures(rows):
    return [f"{entry['name']}, {subject}: {run['wrong']}" for entry in rows for subject, pairs in entry["runs"].items()
            for pair in pairs for run in pair if "wrong" in run]


def cycles_text(subject):
    return ", ".join(report.number(value, 1) for value in subject["cycles"]) if subject else "-"


def table(rows):
    lines = [["row", "testpmd io, cycles: 1 core, 2 cores", "gain", "Causeway, cycles: 1 worker, 2 workers", "gain (min-max)",
              "gain over gain (min-max)", "gain at least", ""]]
    for entry in rows:
        theirs, ours, bar = entry.get("io"), entry["causeway"], entry.get("bar")
        lines.append([entry["name"], cycles_text(theirs), report.number(theirs and theirs["gain"] and theirs["gain"]["median"], 2),
                      cycles_text(ours), report.spread_text(ours["gain"]), report.spread_text(entry.get("ratio")),
                      report.number(bar, 1), report.at_least(ours["gain"], bar)])
    return "\n".join([report.aligned(lines), *(f"FAILED: {one}" for one in failures(rows))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--only", metavar="WORD", default="", help="rows with this word in their name")
    parser.add_argument("--cores", type=int, nargs=2, default=[os.cpu_count() - 1, os.cpu_count() - 2])
    parser.add_argument("--control-core", type=int, default=0)
    parser.add_argument("--json", help="where the figures go; default: bench/figures/workers.json, and for a "
                        "part of the rows workers-part.json beside it")
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
    entries = collect(rows, results)
    measured = {**report.origin(), "seconds": arguments.seconds, "rounds": arguments.rounds, "cores": arguments.cores,
                "rows": entries}
    part = "-part" if arguments.only else ""
    report.write_json(measured, arguments.json or os.path.join(FIGURES, f"workers{part}.json"))
    if not arguments.only:
        report.write_section("workers", measured, table(entries))
    say("\n" + table(entries))
    return 1 if failures(entries) else 0
