"""From runs to medians, ratios, JSON and Markdown."""

import datetime
import json
import os
import re
import statistics

from bench import machine
from bench.switch_ovs import VSWITCHD, OvsSwitch, SmcOvsSwitch
from tests.support.process import run

# The subjects that are Open vSwitch, and what they are called in the table. The better one of a row is its peer.
PEERS = {OvsSwitch.name: "EMC", SmcOvsSwitch.name: "SMC"}
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def versions():
    def first_line(*command):
        done = run(command, check=False)
        return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else "unknown"

    packages = {}
    for package in ("dpdk-dev", "libdpdk-dev", "openvswitch-switch-dpdk"):
        packages[package] = first_line("dpkg-query", "-W", "-f", "${Version}", package)
    return {"causeway": first_line("git", "-C", TOP, "describe", "--always", "--dirty"),
            "ovs": first_line(VSWITCHD, "--version").rsplit(" ", 1)[-1], "packages": packages}


def median(runs, field):
    values = [one[field] for one in runs if field in one and "wrong" not in one]
    return statistics.median(values) if values else None


def ratios(ours, theirs):
    """Cycles of theirs over ours, round by round."""
    pairs = zip(ours, theirs)
    return [theirs["cycles"] / ours["cycles"] for ours, theirs in pairs if "wrong" not in ours and "wrong" not in theirs]


def ratios_above(floor, ours, theirs):
    """The same of the cycles above a floor's, in rounds in which ours are above it."""
    rounds = [[run["cycles"] for run in runs] for runs in zip(floor, ours, theirs) if not any("wrong" in run for run in runs)]
    return [(high - least) / (low - least) for least, low, high in rounds if low > least]


def better_peer(runs):
    """Name of the Open vSwitch that needs fewer cycles; the first one's where none was measured."""
    cycles = {name: median(runs.get(name, []), "cycles") for name in PEERS}
    measured = [name for name in PEERS if cycles[name]]
    return min(measured, key=cycles.get, default=OvsSwitch.name)


def spread(each, digits=2):
    """Of ratios, one a round; None of none."""
    return {"median": round(statistics.median(each), digits), "min": round(min(each), digits),
            "max": round(max(each), digits), "rounds": len(each)} if each else None


def spread_text(ratio, digits=2):
    return f"{ratio['median']:.{digits}f} ({ratio['min']:.{digits}f}-{ratio['max']:.{digits}f})" if ratio else "-"


def at_most(ratio, bar):
    """Whether a spread's median keeps to its bar, for a table; nothing where there is no bar."""
    return "" if not (ratio and bar) else "met" if ratio["median"] <= bar else "not met"


def at_least(ratio, bar):
    return "" if not (ratio and bar) else "met" if ratio["median"] >= bar else "not met"


def collect(results, rows, arguments):
    table = []
    for row in rows:
        runs = results[row.name]
        if not runs:
            continue
        entry = {"name": row.name, "way": row.way, "mode": row.mode if row.way != "l2" else None, "flows": row.flows,
                 "size": row.size, "underlay": row.underlay, "checksum": row.checksum, "runs": runs}
        ceiling = median(runs.get("io", []), "cycles")
        for subject in runs:
            cycles = median(runs[subject], "cycles")
            entry[subject] = {"mpps": median(runs[subject], "mpps"), "cycles": cycles,
                              "above_ceiling": round(cycles - ceiling, 2) if cycles and ceiling else None}
        ours = runs.get("causeway", [])
        entry["peer"] = better_peer(runs)
        theirs = runs.get(entry["peer"], [])
        entry["ratio"] = spread(ratios(ours, theirs))
        entry["above_io"] = spread(ratios_above(runs.get("io", []), ours, theirs))
        if row.plain != row.name:
            entry["of_plain"] = spread(ratios(ours, results.get(row.plain, {}).get("causeway", [])))
        table.append(entry)
    return {**circumstances(arguments), "least_share": least_share(results), "rows": table}


def origin():
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": machine.describe(), "versions": versions()}


def circumstances(arguments):
    return {**origin(), "seconds": arguments.seconds, "rounds": arguments.rounds, "cores": {"forwarding": arguments.core, "control": arguments.control_core}}


def all_runs(results):
    return ((subject, one) for row in results.values() for subject, runs in row.items() for one in runs)


def least_share(results):
    return min((one["share"] for _, one in all_runs(results) if "share" in one), default=None)


def failures(results):
    return [f"{entry['name']}, {subject}: {one['wrong']}" for entry in results["rows"]
            for subject, runs in entry["runs"].items() for one in runs if "wrong" in one]


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def cells(entry):
    def of(subject, field, digits):
        return number(entry.get(subject, {}).get(field), digits)

    peer = entry["peer"]
    return [entry["name"], of("io", "cycles", 0), of("macswap", "cycles", 0),
            of("causeway", "mpps", 2), of("causeway", "cycles", 0), of("causeway", "above_ceiling", 0),
            of(peer, "mpps", 2), of(peer, "cycles", 0), of(peer, "above_ceiling", 0), PEERS[peer] if peer in entry else "-",
            spread_text(entry.get("ratio")), spread_text(entry.get("above_io")), spread_text(entry.get("of_plain"))]


HEADINGS = ["row", "io", "macswap", "Causeway Mpps", "cycles", "above io", "OVS Mpps", "cycles", "above io", "with",
            "ratio (min-max)", "above io, theirs over ours (min-max)", "of plain (min-max)"]


def table(results):
    text = aligned([HEADINGS, *(cells(entry) for entry in results["rows"])])
    return text + "".join(f"\nFAILED: {one}" for one in failures(results))


def aligned(lines, left=1):
    """A table in Markdown; its first `left` columns are text, the others numbers."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    wide = [[cell.ljust(width) if column < left else cell.rjust(width)
             for column, (cell, width) in enumerate(zip(line, widths))] for line in lines]
    rule = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [wide[0], rule, *wide[1:]])


def section(bench, results, text):
    of, version = results["machine"], results["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in version["packages"].items())
    share = (f"; the forwarding thread had its core for at least {results['least_share']:.0%} of each measurement"
             if results.get("least_share") else "")
    return f"""# Results of `./run bench {bench}`

Written by the bench, not by hand. README.md says how the figures come about and what the columns mean.

- {results['date']}, Causeway {version['causeway']}, Open vSwitch {version['ovs']} ({packages})
- {of['cpu']} (family/model {of['family']}), {of['cores']} cores{', virtual' if of['virtual'] else ''}, TSC {of['tsc_mhz']} MHz, \
{of['distribution']}, kernel {of['kernel']}
- {results['rounds']} rounds of {results['seconds']:g} s{share}

{text}
"""


def write_json(results, path):
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def write_section(bench, results, text, path=os.path.join(TOP, "bench", "RESULTS.md")):
    """Each bench has a section of the file; the others' stay."""
    fresh = section(bench, results, text)
    heading = fresh.splitlines()[0]
    old = ""
    if os.path.exists(path):
        with open(path) as file:
            old = file.read()
    parts = [part for part in re.split(r"(?m)^(?=# )", old) if part.strip()]
    places = [place for place, part in enumerate(parts) if part.splitlines()[0] == heading]
    if places:
        parts[places[0]] = fresh
    else:
        parts.append(fresh)
    with open(path, "w") as file:
        file.write("\n".join(part.rstrip("\n") + "\n" for part in parts))


def write(results, arguments):
    write_json(results, arguments.json)
    if arguments.markdown:
        write_section("pipeline", results, table(results), arguments.markdown)
