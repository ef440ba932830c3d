#!/usr/bin/python3
"""Causeway beside Open vSwitch in user space: one TCP stream between two containers over GENEVE.

The same lab for both, brought up anew for each run, the two in turn so that a slow minute of the machine hits both:

    container -- switch -- underlay (veth, MTU 1500) -- switch -- container (MTU 1450)

Causeway takes the containers and the cable as the kernel makes them, with their offloads on. Open vSwitch's
user-space datapath finishes no partial checksums, so its containers and its cable have theirs off.
"""

import argparse
import json
import os
import platform
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.support import traffic  # noqa: E402
from tests.support.lab import Lab  # noqa: E402
from tests.support.peer_cable import plain_cable  # noqa: E402
from tests.support.peer_ovs import OvsPeer  # noqa: E402
from tests.support.process import run, wait_until  # noqa: E402

UNDERLAY = ("172.31.0.1", "172.31.0.2")
CONTAINERS = ("10.1.0.1", "10.1.0.2")
VNI = 123


def causeway(host, local, remote):
    host.causeway({
        "version": 1,
        "ethernets": {"c0": {}, "up0": {"addresses": [f"{local}/24"]}},
        "bridges": {"br-int": {"interfaces": ["c0", "gnv0"]}},
        "tunnels": {"gnv0": {"mode": "geneve", "id": VNI, "local": local, "remote": remote}},
    })


def open_vswitch(host, local, remote):
    OvsPeer(host, "up0", f"{local}/24", ["c0"], [("gnv0", "geneve", remote, VNI)])


# name: what starts it on a host, and whether everything around it must have its offloads off
SWITCHES = {"causeway": (causeway, False), "ovs": (open_vswitch, True)}


def bits_per_second(switch, seconds):
    start, plain = SWITCHES[switch]
    with Lab(echo=False) as lab:
        hosts = [lab.host("h1"), lab.host("h2")]
        lab.link(hosts[0], "up0", hosts[1], "up0")
        containers = [host.container(f"c{number}", address=f"{address}/24", mtu=1450, port="c0")
                      for number, (host, address) in enumerate(zip(hosts, CONTAINERS), 1)]
        if plain:
            for host, container in zip(hosts, containers):
                plain_cable(host, "up0")
                plain_cable(container, "eth0")
        for host, local, remote in zip(hosts, UNDERLAY, reversed(UNDERLAY)):
            start(host, local, remote)
        client, server = containers
        wait_until(lambda: traffic.ping(client, server.ip4, count=1, check=False), 20, f"{switch} carries traffic")
        return traffic.iperf3(client, server, server.ip4, seconds)


def measure(rounds, seconds, say):
    runs = {switch: [] for switch in SWITCHES}
    for number in range(1, rounds + 1):
        for switch in SWITCHES:
            runs[switch].append(bits_per_second(switch, seconds))
            say(f"round {number} of {rounds}: {switch:9} {runs[switch][-1] / 1e9:6.2f} Gbit/s")
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    runs = measure(arguments.rounds, arguments.seconds, (lambda _: None) if arguments.json else print)
    medians = {switch: statistics.median(rates) for switch, rates in runs.items()}
    ratio = medians["causeway"] / medians["ovs"]
    if arguments.json:
        print(json.dumps({
            "seconds": arguments.seconds, "bits_per_second": runs, "median": medians, "ratio": round(ratio, 2),
            "kernel": platform.release(), "processors": os.cpu_count(),
            "ovs": run(["ovs-vswitchd", "--version"]).stdout.splitlines()[0].rsplit(" ", 1)[-1],
        }))
    else:
        print(f"median: causeway {medians['causeway'] / 1e9:.2f} Gbit/s, Open vSwitch (user space) "
              f"{medians['ovs'] / 1e9:.2f} Gbit/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
