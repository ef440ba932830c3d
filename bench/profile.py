"""Where causewayd's worker spends its cycles in a row of the pipeline bench: by function, and with --lines by source line.

    ./run bench profile geneve-decap-256 --lines 40

perf samples the worker by the processor's clock, so this works in virtual machines without hardware counters. A
sample falls on the instruction that waited, or on one close behind it.
"""

import argparse
import collections
import os
import re
import shutil
import sys
import tempfile

from bench import frames, machine
from bench.pipeline import HUGEPAGES_MB
from bench.rows import FULL
from bench.subject import Place
from bench.switch_causeway import CausewaySwitch
from tests.support.causeway import TOP, program
from tests.support.process import run

RATE_HZ = 10000
PARAMETERS = re.compile(r"(?<=[\w>~=\])])\(.*")  # not the bracket of (anonymous namespace)


def record(row, seconds, core, directory):
    """The measurement, and the samples, as (object, symbol, offset) -> count."""
    place = Place(os.path.join(directory, "causeway"), frames.write_pcap(row, os.path.join(directory, "frames.pcap")), core, 0)
    data = os.path.join(directory, "perf.data")
    with machine.hugepages() as provide:
        provide(HUGEPAGES_MB)
        with CausewaySwitch(row, place) as switch:
            measured = switch.measure(seconds)
            if "wrong" in measured:
                sys.exit(f"{row.name}: {measured['wrong']}")
            run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE_HZ), "-t", str(switch.threads[0]), "-o", data, "--",
                 "sleep", str(seconds)], timeout=seconds + 30)
    script = run(["perf", "script", "-i", data, "-F", "ip,sym,symoff,dso"], timeout=120).stdout
    samples = collections.Counter()
    for line in script.splitlines():
        found = re.match(r"\s*[0-9a-f]+ (.+?)(?:\+0x([0-9a-f]+))? \((.*)\)$", line)
        if found:
            samples[found.group(3), found.group(1), int(found.group(2) or "0", 16)] += 1
    return measured, samples


def by_function(cycles, samples):
    total = sum(samples.values())
    counts = collections.Counter()
    for (place, symbol, _), count in samples.items():
        counts[symbol, os.path.basename(place)] += count
    for (symbol, place), count in counts.most_common(25):
        print(f"{count / total * cycles:7.1f} {count / total:6.1%}  {symbol}  [{place}]")


def addresses_of(binary):
    """symbol -> address in the file; perf has the names demangled and cut at the parameters."""
    text = run(["nm", "--demangle", "--defined-only", binary], timeout=60).stdout
    found = {}
    for line in text.splitlines():
        address, _, name = line.split(" ", 2)
        found.setdefault(name, int(address, 16))
        found.setdefault(PARAMETERS.sub("", name), int(address, 16))
    return found


def by_line(cycles, samples, binary, count):
    """Of the program itself: the innermost inlined function and line."""
    total = sum(samples.values())
    known = addresses_of(binary)
    places = collections.Counter()
    for (place, symbol, offset), number in samples.items():
        start = known.get(symbol)
        if os.path.realpath(place) == os.path.realpath(binary) and start is not None:
            places[start + offset] += number
    order = list(places)
    answers = run(["addr2line", "-C", "-s", "-f", "-e", binary, *map(hex, order)], timeout=120).stdout.splitlines()
    lines = collections.Counter()
    for address, function, line in zip(order, answers[::2], answers[1::2]):
        lines[line.split(" ")[0], PARAMETERS.sub("", function)] += places[address]
    print()
    for (line, function), number in lines.most_common(count):
        print(f"{number / total * cycles:7.1f} {number / total:6.1%}  {line:32} {function}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=[row.name for row in FULL], metavar="ROW", help="as RESULTS.md names it")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--lines", type=int, default=0, metavar="N", help="the N hottest source lines, too")
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1)
    arguments = parser.parse_args()
    row = next(row for row in FULL if row.name == arguments.row)
    directory = tempfile.mkdtemp(prefix="cwbench-")
    try:
        measured, samples = record(row, arguments.seconds, arguments.core, directory)
    finally:
        shutil.rmtree(directory)
    print(f"{row.name}: {measured['cycles']:.0f} cycles per packet, {measured['cache_misses']:.1%} flow cache misses, "
          f"{sum(samples.values())} samples")
    by_function(measured['cycles'], samples)
    if arguments.lines:
        by_line(measured['cycles'], samples, os.path.join(TOP, program("causewayd")), arguments.lines)
