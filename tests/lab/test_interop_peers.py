"""Causeway on one host, somebody else's tunnel on the other: the kernel's VXLAN and GENEVE, Open vSwitch.

All pairs are up side by side, so that the minute of idle that lets everybody's entries age is waited for once.
The container behind Causeway keeps its offloads on; the cable carries finished frames, as a real one would.
"""

import time
from dataclasses import dataclass

import pytest

from tests.support import traffic
from tests.support.capture import BROKEN, CHECKSUMS_ON
from tests.support.causeway import Causeway
from tests.support.lab import Container, Lab
from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.peers.uml import UmlPeer
from tests.support.process import wait_until

OURS, THEIRS = "172.31.0.1", "172.31.0.2"
NEAR, FAR = "10.1.0.1", "10.1.0.2"
PAYLOADS_BYTES = (56, 1372)
AGEING_S = 30
IDLE_S = 60
UDP_PORT = {"geneve": 6081, "vxlan": 4789}


@dataclass
class Pair:
    """Causeway with the container `near` behind it; `far` is what answers behind the peer."""
    lab: Lab
    mode: str
    vni: int
    gateway: Causeway
    near: Container
    far: object
    far_mac: str

    def capture(self):
        """What comes out of the cable on the peer's side, the first few thousand frames of it."""
        return self.lab.hosts[self.gateway.host.name.replace("-gw", "-peer")].capture("up0", max_frames=3000)

    def fdb(self):
        return {row["mac"]: row for row in self.gateway.ctl("show", "fdb")}


def causeway_yaml(mode, vni):
    return {
        "version": 1,
        "ethernets": {"c1": {}, "up0": {"addresses": [f"{OURS}/24"]}},
        "bridges": {"br-int": {"interfaces": ["c1", "tun0"], "parameters": {"ageing-time": AGEING_S}}},
        "tunnels": {"tun0": {"mode": mode, "id": vni, "local": OURS, "remote": THEIRS}},
    }


def quiet_container(host, name, address):
    """With IPv6 on, its router solicitations would keep the entries young that are to age."""
    container = host.container(name, address=f"{address}/24", mtu=1450, port=name[-2:])
    container.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    return container


def kernel_vxlan(host):
    far = quiet_container(host, f"{host.name}-c2", FAR)
    KernelVxlanPeer(host, "up0", f"{THEIRS}/24", OURS, ["c2"], vni=100)
    return far, far.mac("eth0")


def kernel_geneve(host):
    inside = UmlPeer(host, "up0")
    inside.add_geneve(f"{THEIRS}/24", OURS, f"{FAR}/24", vni=123)
    return inside, inside.run("cat /sys/class/net/gnv0/address").stdout.strip()


def open_vswitch(mode):
    def start(host):
        far = quiet_container(host, f"{host.name}-c2", FAR)
        plain_cable(far, "eth0")
        OvsPeer(host, "up0", f"{THEIRS}/24", ["c2"], [("tun0", mode, OURS, 123)])
        return far, far.mac("eth0")
    return start


# name: tunnel mode, VNI, what starts the peer
PEERS = {
    "kernel-vxlan": ("vxlan", 100, kernel_vxlan),
    "kernel-geneve": ("geneve", 123, kernel_geneve),
    "ovs-geneve": ("geneve", 123, open_vswitch("geneve")),
    "ovs-vxlan": ("vxlan", 123, open_vswitch("vxlan")),
}


def bring_up(lab, name):
    mode, vni, start_peer = PEERS[name]
    ours, theirs = lab.host(f"{name}-gw"), lab.host(f"{name}-peer")
    lab.link(ours, "up0", theirs, "up0")
    plain_cable(ours, "up0")
    plain_cable(theirs, "up0")
    near = quiet_container(ours, f"{name}-c1", NEAR)
    far, far_mac = start_peer(theirs)
    gateway = ours.causeway(causeway_yaml(mode, vni))
    return Pair(lab, mode, vni, gateway, near, far, far_mac)


@pytest.fixture(scope="module")
def pairs():
    with Lab() as lab:
        yield {name: bring_up(lab, name) for name in PEERS}


@pytest.fixture(params=PEERS)
def pair(request, pairs):
    request.node.lab = pairs[request.param].lab
    return pairs[request.param]


@pytest.fixture(scope="module")
def after_idle(pairs):
    """A minute without traffic, between entries that are there and whatever the test finds."""
    for pair in pairs.values():
        meet(pair)
        assert {pair.near.mac("eth0"), pair.far_mac} <= pair.fdb().keys()
    time.sleep(IDLE_S)


def meet(pair):
    """The first frames may be lost while Open vSwitch resolves its neighbor; the others hold them back."""
    wait_until(lambda: traffic.ping(pair.near, FAR, count=1, check=False), 20, f"{pair.near} reaches {FAR}")


def ping_both_ways(pair):
    for payload_bytes in PAYLOADS_BYTES:
        traffic.ping(pair.near, FAR, payload_bytes=payload_bytes, dont_fragment=True)
        traffic.ping(pair.far, NEAR, payload_bytes=payload_bytes, dont_fragment=True)


def frames_of_ours(pair, capture):
    """Checks each frame that Causeway sent, as tshark reads it; their lengths in bytes."""
    fields = ["frame.len", "ip.ttl", "ip.flags.df", "udp.dstport", "udp.srcport", f"{pair.mode}.vni"]
    fields += ["geneve.version", "geneve.proto_type"] if pair.mode == "geneve" else ["vxlan.flags"]
    ours = f"{pair.mode} && ip.src#1 == {OURS} && ip.proto#1 == 17"  # not an ICMP error that quotes such a frame
    sent = capture.frames(ours, fields)
    lengths_bytes = []
    for frame in sent:
        outer = {field: values[0] for field, values in frame.items() if values}
        assert outer["ip.ttl"] == "64" and outer["ip.flags.df"] in ("1", "True"), outer
        assert outer["udp.dstport"] == str(UDP_PORT[pair.mode]), outer
        assert 32768 <= int(outer["udp.srcport"]) <= 60999, outer
        assert int(outer[f"{pair.mode}.vni"], 0) == pair.vni, outer
        if pair.mode == "geneve":
            assert int(outer["geneve.version"], 0) == 0 and int(outer["geneve.proto_type"], 0) == 0x6558, outer
        else:
            assert int(outer["vxlan.flags"], 0) == 0x0800, outer
        lengths_bytes.append(int(outer["frame.len"]))
    assert not capture.frames(f"{ours} && ({BROKEN})", ["_ws.expert.message"], CHECKSUMS_ON)
    return lengths_bytes


def test_ping(pair):
    capture = pair.capture()
    meet(pair)
    ping_both_ways(pair)
    lengths_bytes = frames_of_ours(pair, capture.stop())
    assert len(lengths_bytes) >= 4 * 3
    assert max(lengths_bytes) == 1372 + 28 + 14 + 50
    fdb = pair.fdb()
    assert fdb[pair.near.mac("eth0")]["port"] == "c1"
    assert fdb[pair.far_mac]["port"] == "tun0" and fdb[pair.far_mac]["remote"] == THEIRS


def test_transfer_to_peer(pair):
    meet(pair)
    capture = pair.capture()
    print(f"{transfer(pair.far, pair.near, FAR):.0f} Mbit/s")
    assert max(frames_of_ours(pair, capture.stop())) == 1514  # full frames, and none beyond the MTU


def test_transfer_from_peer(pair):
    meet(pair)
    capture = pair.capture()
    print(f"{transfer(pair.near, pair.far, NEAR):.0f} Mbit/s")
    assert frames_of_ours(pair, capture.stop())


@pytest.mark.deadline(150)
def test_after_idle(after_idle, pair):
    assert not {pair.near.mac("eth0"), pair.far_mac} & pair.fdb().keys()
    meet(pair)
    ping_both_ways(pair)
    transfer(pair.far, pair.near, FAR)
    transfer(pair.near, pair.far, NEAR)
