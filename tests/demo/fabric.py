"""./run demo fabric: three gateways and a VTEP of the kernel's, which know of each other by stock FRR's EVPN alone.

A host moves from one gateway to another while it is pinged; then a gateway's bgpd is killed, and nobody notices.
"""

import os
import shutil
import signal
import sys
import time

import yaml

from tests.demo.shown import Step, heading, indented, paint, run
from tests.support import traffic
from tests.support.fabric import VNI, Fabric, Mover, gateway_config, leaf_conf
from tests.support.lab import Lab
from tests.support.process import LabError, wait_until

TOOLS = {"ip": "iproute2", "ping": "iputils-ping", "vtysh": "frr"}
PATIENCE_S = 30

PICTURE = """\
c1 10.1.0.1      mover 10.1.0.50      c2 10.1.0.2      c3 10.1.0.3        c4 10.1.0.4
     |            |          |             |                |                  |
+----|- gw1 ------|--+  +----|-- gw2 ------|---+    +-------|- gw3 -+    +-----|- kernel --+
|   br-int -------+  |  |    +-------- br-int  |    |    br-int     |    |  br100 - vx100  |
|   causewayd, FRR   |  |    causewayd, FRR    |    | causewayd, FRR|    |       FRR       |
+--- 172.31.0.1 -----+  +----- 172.31.0.2 -----+    +- 172.31.0.3 --+    +-- 172.31.0.4 ---+
           |                        |                       |                     |
           +------------------------+------ 172.31.0.100 ---+---------------------+
                                        route reflector: FRR
"""


class Pings:
    """A hundred a second."""

    def __init__(self, source, address):
        self.process = source.spawn(["ping", "-n", "-i", "0.01", address], title="ping")
        wait_until(lambda: " bytes from " in self.process.output(), PATIENCE_S, "a ping is answered")

    def stop(self):
        """(without an answer, of how many)"""
        self.process.stop(signal.SIGINT)
        return traffic.unanswered(self.process.output())


def build(lab):
    heading("Four VTEPs, a container each; nobody's file names another")
    indented(PICTURE, "bold")
    print(f"  {paint('gw1.yaml', 'bold')}")
    indented(yaml.safe_dump(gateway_config(1), sort_keys=False))
    print(f"  {paint('frr.conf on gw1', 'bold')}")
    indented(leaf_conf(1))
    mover = Mover(lab)
    step = Step("three gateways, five FRR, BGP sessions")
    before = time.monotonic()
    fabric = Fabric(lab, mover=mover)
    step.done(f"up in {time.monotonic() - before:.1f} s")
    return fabric, mover


def carry(fabric):
    heading("Traffic")
    step = Step("each container pings each other")
    fabric.meet()
    for one, other in fabric.pairs():
        traffic.ping(one.container, other.container.ip4, interval_s=0.05)
    step.done(f"{len(fabric.pairs())} pairs")
    step = Step("each VTEP knows all of them")
    fabric.await_complete()
    step.done("FRR, the gateways' FDBs and the kernel's bridge agree")
    one = fabric.gateways[0]
    for verb in (["show", "evpn"], ["show", "fdb"]):
        print(f"  gw1$ causewayctl {' '.join(verb)}")
        indented(one.gateway.ctl_run(*verb).stdout)
    print(f"  gw1$ vtysh -c 'show evpn mac vni {VNI}'")
    indented(one.frr.vtysh(f"show evpn mac vni {VNI}").strip())


def move(fabric, mover):
    heading("A host moves")
    three = fabric.gateways[2]
    mover.move(1)
    wait_until(lambda: traffic.ping(mover.host, three.container.ip4, count=1, check=False), PATIENCE_S, "the mover reaches c3")
    pings = Pings(mover.host, three.container.ip4)
    for number in (2, 1):
        step = Step(f"to gw{number}, while it pings c3")
        mover.move(number)
        wait_until(lambda: mover.is_seen_by(fabric.gateways), PATIENCE_S, "all know where it is")
        step.done("all three know")
    lost, sent = pings.stop()
    print(f"  of {sent} pings, a hundred a second, {lost} had no answer")


def kill(fabric):
    heading("bgpd of gw1 is killed")
    one, two, _ = fabric.gateways
    pings = Pings(two.container, one.container.ip4)
    step = Step("everybody's FRR withdraws what is behind gw1")
    one.frr.kill("bgpd")
    wait_until(lambda: one.container.mac("eth0") not in two.known_macs(), PATIENCE_S, "FRR of gw2 has withdrawn it")
    step.done("the gateways hold it")
    step = Step("bgpd is started again")
    one.frr.restart("bgpd")
    fabric.await_sessions()
    fabric.await_complete()
    step.done("all is as it was")
    lost, sent = pings.stop()
    print(f"  of {sent} pings c2 -> c1 {lost} had no answer")


def main():
    if os.geteuid() != 0:
        sys.exit("./run demo fabric makes network namespaces: it has to run as root")
    if missing := sorted(package for tool, package in TOOLS.items() if not shutil.which(tool)):
        sys.exit(f"./run demo fabric needs: apt install {' '.join(missing)}")
    started = time.monotonic()
    with Lab(echo=False) as lab:
        fabric, mover = build(lab)
        carry(fabric)
        move(fabric, mover)
        if lost := fabric.lost():
            raise LabError(f"frames were dropped: {lost}")
        kill(fabric)
        for member in fabric.gateways:
            member.gateway.stop()
    print(f"\n{paint('The demo ran through', 'green', 'bold')} in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    run(main)
