"""./run demo ovs: two hosts that Open vSwitch's own ovs-vsctl drives, joined by GRE, then VXLAN, then GENEVE.

On each runs a stock ovsdb-server, and causewayd in the place of ovs-vswitchd. What is shown behind a host's name is what a
person would type there.
"""

import os
import re
import shutil
import sys
import time

from tests.demo.shown import Step, heading, indented, paint, run
from tests.peers.transfer import transfer
from tests.support.lab import Lab
from tests.support.ovsdb import driven_hosts
from tests.support.process import LabError, wait_until
from tests.support.traffic import ping

TOOLS = {"ip": "iproute2", "ping": "iputils-ping", "ovs-vsctl": "openvswitch-switch"}
TUNNELS = {"gre": {}, "vxlan": {"key": 123}, "geneve": {"key": 123}}
BYTES = 100_000_000

PICTURE = """\
c1  10.1.0.1/24                                c2  10.1.0.2/24
     |                                                  |
+----|----- h1 ----------+          +---------- h2 -----|----+
|    |                   |          |                   |    |
|   sw ---- tun0 ==== GRE, VXLAN, GENEVE ==== tun0 ---- sw   |
|             up0 -------------------------- up0             |
|      172.31.0.1        |          |        172.31.0.2      |
+------------------------+          +------------------------+
"""


class ShownLab(Lab):
    """Shows what a person would type to have the same."""

    def say(self, line):
        if "$ ovs-vsctl" in line and "--no-wait" not in line:
            indented(re.sub(r" --timeout=\d+", "", line))


def carry(c1, c2):
    step = Step("ping c1 -> c2, 3 times")
    wait_until(lambda: ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    ping(c1, c2.ip4)
    step.done("3 of 3 answers")
    step = Step(f"TCP c1 -> c2, {BYTES // 1_000_000} MB")
    megabits = transfer(c2, c1, c2.ip4, BYTES)
    step.done(f"{megabits / 1000:.2f} Gbit/s, the same sha256 on both sides")


def show(lab):
    one, two, c1, c2 = driven_hosts(lab)
    heading("A bridge on each host, with the container's cable")
    for number, host in ((1, one), (2, two)):
        host("add-br", "sw")
        host("add-port", "sw", f"c{number}")
    for kind, options in TUNNELS.items():
        heading(kind.upper())
        one.tunnel("tun0", kind, "172.31.0.2", **options)
        two.tunnel("tun0", kind, "172.31.0.1", **options)
        carry(c1, c2)
        if kind == list(TUNNELS)[-1]:
            indented(one("show"))
        for host in (one, two):
            host("del-port", "sw", "tun0")
        if ping(c1, c2.ip4, count=1, check=False):
            raise LabError("c1 still reaches c2, without a tunnel")
    for host in (one, two):
        if drops := host.gateway.lost():
            raise LabError(f"{host.host.name} dropped frames: {drops}")
        host.gateway.stop()


def main():
    if os.geteuid() != 0:
        sys.exit("./run demo ovs makes network namespaces: it has to run as root")
    if missing := sorted(package for tool, package in TOOLS.items() if not shutil.which(tool)):
        sys.exit(f"./run demo ovs needs: apt install {' '.join(missing)}")
    started = time.monotonic()
    heading("Two hosts, each with ovsdb-server, and causewayd in the place of ovs-vswitchd")
    indented(PICTURE, "bold")
    with ShownLab() as lab:
        show(lab)
    print(f"\n{paint('The demo ran through', 'green', 'bold')} in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    run(main)
