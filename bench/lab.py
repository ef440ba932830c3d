#!/usr/bin/python3
"""Causeway beside Open vSwitch in user space and the kernel's own VXLAN: TCP between two containers.

The same lab for all, brought up anew for each, one after the other so that a slow minute of the machine hits all:

    container -- switch -- underlay (veth, MTU 1500) -- switch -- container

Causeway stands in it twice, with `tunnel-tso` on (super-packets leave whole, as into a NIC that cuts them) and off
(it cuts them itself); containers and cable have their offloads on, as the kernel makes them, for it and for the
kernel. Open vSwitch's user-space datapath finishes no partial checksums, so its containers and its cable have theirs
off. The kernel's tunnel is VXLAN in each row: the bar is what the kernel does with the tunnel it does best.
"""

import argparse
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import report  # noqa: E402
from tests.support import traffic  # noqa: E402
from tests.support.lab import Lab  # noqa: E402
from tests.peers.cable import plain_cable  # noqa: E402
from tests.peers.kernel_vxlan import KernelVxlanPeer  # noqa: E402
from tests.peers.ovs import OvsPeer  # noqa: E402
from tests.support.process import wait_until  # noqa: E402

UNDERLAY = {4: ("172.31.0.1/24", "172.31.0.2/24"), 6: ("fd00:31::1/64", "fd00:31::2/64")}
CONTAINER_MTU = {4: 1450, 6: 1430}
VNI = 123
# The bars: what is divided by what, and how much it has to be.
BARS = (("causeway", "ovs", 4), ("causeway", "kernel", 0.5), ("causeway", "causeway-off", 3))


def causeway(tunnel_tso, **keys):
    """`keys`: more of the tunnel's."""
    def start(host, mode, local, remote, remote_mac):
        underlay = {"addresses": [local], "offloads": {"tunnel-tso": tunnel_tso},
                    "neighbors": [{"to": remote, "macaddress": remote_mac}]}
        host.causeway({
            "version": 1,
            "ethernets": {"c0": {}, "up0": underlay},
            "bridges": {"br-int": {"interfaces": ["c0", "tun0"]}},
            "tunnels": {"tun0": {"mode": mode, "id": VNI, "local": local.split("/")[0], "remote": remote, **keys}},
        })
    return start


def open_vswitch(host, mode, local, remote, remote_mac):
    peer = OvsPeer(host, "up0", local, ["c0"], [("tun0", mode, remote, VNI)])
    peer.appctl("tnl/neigh/set", "br-phy", remote, remote_mac)


def kernel_vxlan(host, _mode, local, remote, _remote_mac):
    KernelVxlanPeer(host, "up0", local, remote, ["c0"], vni=VNI)


# name: what starts it on a host, and whether everything around it must have its offloads off
SUBJECTS = {"causeway": (causeway("on"), False), "causeway-off": (causeway("off"), False),
            "ovs": (open_vswitch, True), "kernel": (kernel_vxlan, False)}

# name: tunnel, outer IP version, inner IP version, iperf3's arguments
ROWS = {
    "geneve": ("geneve", 4, 4, []),
    "geneve-reverse": ("geneve", 4, 4, ["-R"]),
    "geneve-8-streams": ("geneve", 4, 4, ["-P", 8]),
    "geneve-ipv6-inside": ("geneve", 4, 6, []),
    "geneve-ipv6-outside": ("geneve", 6, 4, []),
    "vxlan": ("vxlan", 4, 4, []),
}


def busy_s():
    """Processor time of the whole machine so far: what a kernel does for others is nobody's process."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def build(lab, start, plain, mode, outer):
    """`start` and `plain` as in SUBJECTS. Returns (client, server), once traffic passes."""
    hosts = [lab.host("h1"), lab.host("h2")]
    lab.link(hosts[0], "up0", hosts[1], "up0")
    mtu = CONTAINER_MTU[outer]
    containers = [host.container(f"c{number}", address=[f"10.1.0.{number}/24", f"fd00:1::{number}/64"], mtu=mtu, port="c0")
                  for number, host in enumerate(hosts, 1)]
    if plain:
        for host, container in zip(hosts, containers):
            plain_cable(host, "up0")
            plain_cable(container, "eth0")
    for me, host in enumerate(hosts):
        local, remote = UNDERLAY[outer][me], UNDERLAY[outer][1 - me].split("/")[0]
        start(host, mode, local, remote, hosts[1 - me].mac("up0"))
    client, server = containers
    wait_until(lambda: traffic.ping(client, server.ip4, count=1, check=False), 20, "the tunnel carries traffic")
    return client, server


def measure_once(client, server, inner, seconds, arguments):
    address = server.ip4 if inner == 4 else server.ip6
    before = busy_s()
    result = traffic.Iperf3(client, server, address, seconds, arguments=arguments).result()
    received = result["sum_received"]
    return {"bits_per_second": received["bits_per_second"],
            "cpu_s_per_gb": (busy_s() - before) / (received["bytes"] / 1e9),
            "retransmits": result["sum_sent"].get("retransmits", 0)}


def measure(rows, subjects, rounds, seconds, say):
    runs = {row: {subject: [] for subject in subjects} for row in rows}
    for number in range(1, rounds + 1):
        for topology in dict.fromkeys(ROWS[row][:2] for row in rows):
            for subject in subjects:
                with Lab(echo=False) as lab:
                    client, server = build(lab, *SUBJECTS[subject], *topology)
                    for row in (row for row in rows if ROWS[row][:2] == topology):
                        got = measure_once(client, server, *ROWS[row][2:3], seconds, ROWS[row][3])
                        runs[row][subject].append(got)
                        say(f"round {number} of {rounds}: {row:20} {subject:13} {got['bits_per_second'] / 1e9:6.2f} Gbit/s "
                            f"{got['cpu_s_per_gb']:6.2f} s/GB")
    return runs


def medians(runs, key):
    return {row: {subject: statistics.median(run[key] for run in results) for subject, results in subjects.items()}
            for row, subjects in runs.items()}


def bars(rates):
    """row -> {"causeway/ovs": (ratio, reached)}"""
    found = {}
    for row, median in rates.items():
        found[row] = {f"{above}/{below}": (round(median[above] / median[below], 2), median[above] / median[below] >= least)
                      for above, below, least in BARS if above in median and below in median}
    return found


def table(rates, costs, ratios):
    """Gbit/s, and seconds of processor time for a gigabyte; median ratios."""
    subjects = list(next(iter(rates.values())))
    pairs = [f"{above}/{below}" for above, below, _ in BARS if above in subjects and below in subjects]
    lines = [["row", *subjects, *pairs]]
    for row, median in rates.items():
        cells = [f"{median[subject] / 1e9:.2f} ({costs[row][subject]:.1f} s/GB)" for subject in subjects]
        for pair in pairs:
            ratio, reached = ratios[row][pair]
            cells.append(f"{ratio:.2f}{'' if reached else ' (below the bar)'}")
        lines.append([row, *cells])
    return report.aligned(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args()
    say = (lambda _: None) if arguments.json else (lambda line: print(line, flush=True))
    runs = measure(arguments.rows, arguments.subjects, arguments.rounds, arguments.seconds, say)
    rates, costs = medians(runs, "bits_per_second"), medians(runs, "cpu_s_per_gb")
    ratios = bars(rates)
    measured = {
        **report.origin(), "seconds": arguments.seconds, "rounds": arguments.rounds, "runs": runs, "median": rates,
        "cpu_s_per_gb": costs,
        "ratio": {row: {name: ratio for name, (ratio, _) in found.items()} for row, found in ratios.items()}}
    if arguments.json:
        print(json.dumps(measured))
        return
    say("\n" + table(rates, costs, ratios))
    if arguments.rows == list(ROWS) and arguments.subjects == list(SUBJECTS):
        report.write_section("lab", measured, table(rates, costs, ratios))


if __name__ == "__main__":
    main()
