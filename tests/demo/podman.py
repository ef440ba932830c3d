"""./run demo podman: two hosts with Podman, a network each, and GENEVE between them, so that they are one network.

First with the MTU that fits, then with Podman's default of 1500, which is too much: who sends is told so.
"""

import contextlib
import os
import shutil
import sys
import time

from tests.demo.shown import Step, heading, indented, paint, run
from tests.support.lab import Lab
from tests.support.podman import BUSYBOX, JoinedNetworks
from tests.support.process import LabError

FILE_BYTES = 10 << 20
TOOLS = {"ip": "iproute2", "podman": "podman", "runc": "runc", "iptables": "iptables", BUSYBOX: "busybox-static"}

PICTURE = """\
+------------ h1 ------------+            +------------ h2 ------------+
|  c1 10.5.0.11              |            |              10.5.0.22 c2  |
|  |                         |            |                         |  |
|  net1 (podman1)            |            |            net1 (podman1)  |
|  |                         |            |                         |  |
|  pod0 - br-int - tun0 =====| GENEVE 123 |===== tun0 - br-int - pod0  |
|                  up0 ------------------------- up0                   |
+----------------------------+            +----------------------------+
"""


class ShownLab(Lab):
    """Shows what a person would type to have the same."""

    def say(self, line):
        if any(words in line for words in ("podman network create", "podman run", "$ ip link")):
            indented(line)


def ping(networks):
    step = Step("ping c1 -> c2, 3 times")
    step.done(networks.ping().splitlines()[-1])


def fetch(networks):
    step = Step(f"wget in c1 from httpd in c2, {FILE_BYTES >> 20} MB")
    sent, received = networks.fetch(FILE_BYTES)
    if sent != received:
        raise LabError(f"the file changed on the way: sent sha256 {sent}, received {received}")
    step.done(f"sha256 {received[:16]}... on both sides")


def with_the_right_mtu(networks):
    with open(networks.gateways[0].file, encoding="utf-8") as file:
        print(f"  {paint('h1.yaml', 'bold')}")
        indented(file.read())
    ping(networks)
    fetch(networks)
    for gateway in networks.gateways:
        if drops := gateway.drops():
            raise LabError(f"{gateway.host.name} dropped frames: {drops}")


def with_an_mtu_too_large(networks):
    ping(networks)
    fetch(networks)
    step = Step("h2: causewayctl stats")
    drops = networks.gateways[1].drops()
    if drops.keys() != {"too_big"}:
        raise LabError(f"h2 dropped other frames than those too big: {drops}")
    step.done(f"{drops['too_big']} frames too big, then c2 knew")


def main():
    if os.geteuid() != 0:
        sys.exit("./run demo podman makes namespaces: it has to run as root")
    if missing := sorted(package for tool, package in TOOLS.items() if not shutil.which(tool)):
        sys.exit(f"./run demo podman needs: apt install {' '.join(missing)}")
    started = time.monotonic()
    heading("Two hosts with Podman, one network")
    indented(PICTURE, "bold")
    for title, mtu, show in (("The MTU that fits into the tunnel", 1450, with_the_right_mtu),
                             ("Podman's default, 50 bytes too many", None, with_an_mtu_too_large)):
        heading(title)
        with ShownLab() as lab, contextlib.closing(JoinedNetworks(lab, mtu)) as networks:
            show(networks)
    print(f"\n{paint('The demo ran through', 'green', 'bold')} in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    run(main)
