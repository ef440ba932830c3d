"""Draws conf/grafana.png: the panels of conf/grafana.json, as a Prometheus sees them that has scraped a lab of two gateways.

    /usr/bin/python3 -m bench.dashboard [--seconds N] [--until ROW] [OUTPUT]

It needs root, the project built, and Debian's prometheus and python3-matplotlib. There is no Grafana in it: the panels, their
queries, units, thresholds and places are the file's, the drawing is bench/dashboard/panels.py's.
"""

import argparse
import json
import os
import sys

from bench.dashboard import panels
from bench.dashboard.scene import Scene
from tests.support.causeway import TOP
from tests.support.lab import Lab

STEP_S = 1
RATE_INTERVAL = "8s"  # Grafana takes four scrapes at least


def expression(target):
    """A query as Grafana asks it with "All" chosen everywhere."""
    text = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
    for variable in ("instance", "port", "tunnel"):
        text = text.replace(f"${variable}", ".*")
    return text


def ask(prometheus, dashboard, start, end):
    """Each panel with the rows of its targets: over time, and as of the end."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            target["rows"] = (prometheus.query(expression(target), at=end) if panel["type"] == "table"
                              else prometheus.query_range(expression(target), start, end, STEP_S))


def main(arguments):
    parser = argparse.ArgumentParser(prog="bench.dashboard", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=240, help="of traffic")
    parser.add_argument("--until", default="Workers", help="the first row that is left out")
    parser.add_argument("--keep", metavar="FILE", help="what Prometheus said, as JSON; if it is there, it is drawn, without a lab")
    parser.add_argument("output", nargs="?", default=os.path.join(TOP, "conf/grafana.png"))
    wanted = parser.parse_args(arguments)
    if wanted.keep and os.path.exists(wanted.keep):
        with open(wanted.keep, encoding="utf-8") as file:
            kept = json.load(file)
        return panels.draw(kept["dashboard"], kept["start"], kept["end"], wanted.until, wanted.output)
    with open(os.path.join(TOP, "conf/grafana.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    with Lab() as lab:
        scene = Scene(lab)
        start, end = scene.play(wanted.seconds)
        ask(scene.prometheus, dashboard, start, end)
    if wanted.keep:
        with open(wanted.keep, "w", encoding="utf-8") as file:
            json.dump({"dashboard": dashboard, "start": start, "end": end}, file)
    return panels.draw(dashboard, start, end, wanted.until, wanted.output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
