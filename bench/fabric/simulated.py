"""A fabric that isn't there, announced to the route reflector by a BGP speaker (bgp_speaker.py) on the same cable."""

import os
import time

from tests.support.fabric import REFLECTOR, cable_address
from tests.support.traffic import PYTHON

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bgp_speaker.py")
NETWORK = "172.20.0.0/16"   # of the VTEPs that it names
NUMBER = 200                # its own on the cable
PATIENCE_S = 300


class Speaker:
    """Connects at once. The hosts' FRR takes routes whose next hops it can reach alone, so each gets a route to them."""

    def __init__(self, fabric, vteps, vnis, vnis_each, macs, first_vni):
        reflector = cable_address(REFLECTOR)
        fabric.reflector.host.ip("route", "add", NETWORK, "dev", "up0")
        for member in fabric.members:
            member.host.ip("route", "add", NETWORK, "via", reflector)
        host = fabric.lab.host("simulated")
        fabric.lab.link(host, "up0", fabric.switch, host.name)
        fabric.switch.ip("link", "set", host.name, "master", "br0")
        host.address("up0", f"{cable_address(NUMBER)}/24")
        self.process = host.spawn([PYTHON, "-u", PROGRAM, cable_address(NUMBER), reflector, vteps, vnis, vnis_each, macs, first_vni],
                                  title="bgp-speaker")

    def started(self):
        """When the session is up and the first route is about to be sent, on the monotonic clock."""
        self.process.wait_for("sending", PATIENCE_S)
        return time.monotonic()

    def sent(self):
        """How many routes, and in how many seconds they were written."""
        self.process.wait_for("sent ", PATIENCE_S)
        _, count, seconds = self.process.output().splitlines()[-1].split()
        return f"{count} in {seconds} s"
