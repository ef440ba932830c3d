"""A bridge that stitches: a VXLAN head-end list to two kernels, a GENEVE tunnel to Open vSwitch and a container. The
tunnels are split-horizon groups; tshark counts the copies of every frame."""

import collections
import copy

import pytest

from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.support import traffic
from tests.support.process import wait_until

US = "172.31.0.1"
FABRIC, EDGE = (2, 3), 4  # whose tunnels are VXLAN, and whose GENEVE
SHOUTS = 20
SHOUT = "eth.type == 0x88b5"
FILE_BYTES = 10 << 20

SHOUTING = """
import sys
from scapy.all import Ether, Raw, get_if_hwaddr, sendp
head = Ether(src=get_if_hwaddr("eth0"), dst="ff:ff:ff:ff:ff:ff", type=0x88b5)
sendp([head / Raw(f"{sys.argv[1]} {number:03}".encode().ljust(46, b".")) for number in range(int(sys.argv[2]))],
      iface="eth0", inter=0.005, verbose=False)
"""

GATEWAY = {
    "version": 1,
    "system": {"hugepages": "off"},
    "ethernets": {"c1": {}, "up0": {"addresses": [f"{US}/24"]}},
    "bridges": {"br-int": {"interfaces": ["c1", "vx0", "gn0"]}},
    "tunnels": {"vx0": {"mode": "vxlan", "id": 100, "local": US, "remote": [f"172.31.0.{end}" for end in FABRIC],
                        "group": "fabric"},
                "gn0": {"mode": "geneve", "id": 123, "local": US, "remote": f"172.31.0.{EDGE}", "group": "edge"}},
}


def gateway(group):
    config = copy.deepcopy(GATEWAY)
    config["tunnels"]["gn0"]["group"] = group
    return config


class Stitch:
    """h1 is the gateway, h2 and h3 kernels, h4 Open vSwitch, on one switch; a container behind each."""

    def __init__(self, lab):
        self.lab = lab
        hosts = {number: lab.host(f"h{number}") for number in (1, 2, 3, 4)}
        self.switch = lab.switch("sw", [(host, "up0") for host in hosts.values()])
        self.containers = {}
        for number, host in hosts.items():
            container = host.container(f"c{number}", address=f"10.1.0.{number}/24", mtu=1450)
            plain_cable(container, "eth0")
            plain_cable(host, "up0")
            self.containers[number] = container
        for end in FABRIC:
            KernelVxlanPeer(hosts[end], "up0", f"172.31.0.{end}/24", US, [f"c{end}"], vni=100)
        OvsPeer(hosts[EDGE], "up0", f"172.31.0.{EDGE}/24", [f"c{EDGE}"], [("gn0", "geneve", US, 123)])
        self.gateway = hosts[1].causeway(gateway("edge"))

    def reaches(self, source, target):
        return traffic.ping(self.containers[source], f"10.1.0.{target}", count=1, check=False) == 1

    def meet(self):
        """Neighbors are resolved, Open vSwitch's too, which drops what comes before."""
        for source, target in (1, 2), (1, 3), (1, 4), (2, 4), (3, 4):
            wait_until(lambda: self.reaches(source, target), 20, f"c{source} reaches c{target}")


@pytest.fixture
def stitch(lab):
    return Stitch(lab)


def shouts(capture, filter=SHOUT, fields=()):
    """What the frames say, with the addresses of `fields`: how many there are of each."""
    counted = collections.Counter()
    for frame in capture.frames(filter, ["data.data", *fields]):
        said = bytes.fromhex(frame["data.data"][0].replace(":", "")).rstrip(b".").decode()
        counted[(said, *(frame[field][0] for field in fields))] += 1
    return counted


def test_all_reach_each_other_but_within_the_fabric(stitch):
    stitch.meet()
    ends = stitch.containers
    for source, target in (1, 2), (1, 3), (1, 4), (2, 4), (4, 3):
        assert traffic.ping(ends[source], f"10.1.0.{target}", payload_bytes=1422, dont_fragment=True) == 3
    print(f"VXLAN to GENEVE: {transfer(ends[4], ends[2], '10.1.0.4', FILE_BYTES):.0f} Mbit/s, "
          f"back: {transfer(ends[3], ends[4], '10.1.0.3', FILE_BYTES):.0f} Mbit/s")
    assert not stitch.reaches(2, 3) and not stitch.reaches(3, 2)
    assert stitch.gateway.row("tunnels", "vx0")["group"] == "fabric"
    assert stitch.gateway.row("tunnels", "gn0")["group"] == "edge"
    assert stitch.gateway.row("ports", "c1")["group"] is None


def test_no_frame_comes_twice(stitch):
    stitch.meet()
    cable = stitch.lab.capture(stitch.switch, "h1")
    ears = {number: stitch.containers[number].capture("eth0", filter="ether proto 0x88b5") for number in stitch.containers}
    before = stitch.gateway.drops()
    for number, container in stitch.containers.items():
        container.run([traffic.PYTHON, "-c", SHOUTING, f"c{number}", SHOUTS])

    def spoken(*numbers):
        return collections.Counter((f"c{number} {shout:03}",) for number in numbers for shout in range(SHOUTS))

    heard_by = {1: (1, 2, 3, 4), 2: (1, 2, 4), 3: (1, 3, 4), 4: (1, 2, 3, 4)}  # each hears itself
    for number, ear in ears.items():
        ear.stop()
        assert shouts(ear) == spoken(*heard_by[number]), f"at c{number}"

    # Each copy on the cable, by outer addresses: a loop would make more of them.
    ways = {1: [(1, 2), (1, 3), (1, 4)], 2: [(2, 1), (1, 4)], 3: [(3, 1), (1, 4)], 4: [(4, 1), (1, 2), (1, 3)]}
    expected = collections.Counter(
        (f"c{number} {shout:03}", f"172.31.0.{source}", f"172.31.0.{target}")
        for number, pairs in ways.items() for source, target in pairs for shout in range(SHOUTS))
    cable.stop()
    # Not what a kernel beside Open vSwitch's own stack says to ports that it knows nothing of.
    assert shouts(cable, f"(vxlan || geneve) && {SHOUT} && !icmp", ["ip.src", "ip.dst"]) == expected
    assert cable.broken() == []
    new = {reason: count for reason, count in stitch.gateway.drops().items() if count != before.get(reason, 0)}
    assert new.keys() <= {"control_ignored", "not_for_us"}, new


def test_a_change_of_group_loses_nothing(stitch):
    stitch.meet()
    source, target = stitch.containers[2], stitch.containers[4]
    stream = traffic.UdpStream(source, target, "10.1.0.4", per_second=500)
    for group in ("other", "edge", "other", "edge"):
        stitch.gateway.apply(gateway(group))
    report = stream.stop()
    assert report["lost"] == [] and report["duplicates"] == 0 and report["reordered"] == 0, report
    # In the fabric's own group the peer is cut off from it, at once, and from nobody else.
    assert "~ tunnel gn0: group edge -> fabric" in stitch.gateway.apply(gateway("fabric")).stdout
    assert not stitch.reaches(2, 4) and stitch.reaches(1, 4) and stitch.reaches(1, 2)
    assert stitch.gateway.drops()["split_horizon"] > 0
    stitch.gateway.apply(gateway("edge"))
    wait_until(lambda: stitch.reaches(2, 4), 10, "c2 reaches c4 again")
