"""GRE, and keys and checksums of every kind of tunnel, against the Linux kernel and Open vSwitch."""

from dataclasses import dataclass

import pytest

from tests.support import traffic
from tests.support.capture import BROKEN, CHECKSUMS_ON
from tests.support.lab import Container, Lab
from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.peers.uml import UmlPeer
from tests.support.process import wait_until

OURS, THEIRS = "172.31.0.1", "172.31.0.2"
NEAR, FAR = "10.1.0.1", "10.1.0.2"
# Not an ICMP error that quotes such a frame, as a kernel says before Open vSwitch listens.
TUNNELLED = "ip.proto#1 != 1"
CHECKSUM, KEY, SEQUENCE = 0x8000, 0x2000, 0x1000


def container(host, name, address, plain=True):
    made = host.container(name, address=f"{address}/24", mtu=1450, port=name)
    made.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    if plain:
        plain_cable(made, "eth0")
    return made


def gateway(tunnels, interfaces=("c1",)):
    return {
        "version": 1,
        "system": {"hugepages": "off"},
        "ethernets": {"c1": {}, "up0": {"addresses": [f"{OURS}/24"]}},
        "bridges": {"br-int": {"interfaces": [*interfaces, *tunnels]}},
        "tunnels": {name: {"local": OURS, "remote": THEIRS, **tunnel} for name, tunnel in tunnels.items()},
    }


def kernel(*options):
    def start(host):
        inside = UmlPeer(host, "up0")
        inside.add_gretap(f"{THEIRS}/24", OURS, f"{FAR}/24", *options)
        return inside
    return start


def ovs(kind, **options):
    def start(host):
        far = container(host, "c2", FAR)
        OvsPeer(host, "up0", f"{THEIRS}/24", ["c2"], [("tun0", kind, OURS, options)])
        return far
    return start


GRE = {"mode": "gretap"}
KEYS = {"input": 5, "output": 6}
# name: our tunnel, what starts the peer, GRE flags that we send and that we are sent (None: no GRE)
CASES = {
    "kernel-gretap-key": ({**GRE, "key": 7}, kernel("key", "7"), KEY, KEY),
    "kernel-gretap-keyless": (GRE, kernel(), 0, 0),
    "kernel-gretap-two-keys": ({**GRE, "keys": KEYS}, kernel("ikey", "6", "okey", "5"), KEY, KEY),
    "kernel-gretap-checksum": ({**GRE, "key": 9, "checksum": True}, kernel("key", "9", "csum"), KEY | CHECKSUM, KEY | CHECKSUM),
    "kernel-gretap-sequence": ({**GRE, "key": 0xFFFFFFFE}, kernel("key", "4294967294", "oseq"), KEY, KEY | SEQUENCE),
    # "seq": numbers both ways, and what comes late is refused.
    "kernel-gretap-both-sequences": ({**GRE, "key": 7, "sequence": True}, kernel("key", "7", "seq"), KEY | SEQUENCE, KEY | SEQUENCE),
    "kernel-gretap-keyless-sequences": ({**GRE, "checksum": True, "sequence": True}, kernel("seq", "csum"),
                                        CHECKSUM | SEQUENCE, CHECKSUM | SEQUENCE),
    "ovs-gre-sequence": ({**GRE, "key": 123, "sequence": True}, ovs("gre", key=123, seq="true"), KEY | SEQUENCE, KEY | SEQUENCE),
    "ovs-gre-key": ({**GRE, "key": 123}, ovs("gre", key=123), KEY, KEY),
    "ovs-gre-keyless": (GRE, ovs("gre"), 0, 0),
    "ovs-gre-two-keys": ({**GRE, "keys": KEYS}, ovs("gre", in_key=6, out_key=5), KEY, KEY),
    "ovs-gre-checksum": ({**GRE, "key": 123, "checksum": True}, ovs("gre", key=123, csum="true"), KEY | CHECKSUM, KEY | CHECKSUM),
    "ovs-vxlan-two-keys": ({"mode": "vxlan", "keys": KEYS}, ovs("vxlan", in_key=6, out_key=5), None, None),
    "ovs-vxlan-checksum": ({"mode": "vxlan", "id": 123, "checksum": True}, ovs("vxlan", key=123, csum="true"), None, None),
    "ovs-geneve-checksum": ({"mode": "geneve", "id": 123, "checksum": True}, ovs("geneve", key=123, csum="true"), None, None),
    "ovs-geneve-two-keys": ({"mode": "geneve", "keys": KEYS}, ovs("geneve", in_key=6, out_key=5), None, None),
}


@dataclass
class Pair:
    lab: Lab
    near: Container
    far: object
    capture: object
    gateway: object


@pytest.mark.parametrize("name", CASES)
@pytest.mark.deadline(150)
def test_ping_and_transfer(lab, name):
    settings, start_peer, sent_flags, received_flags = CASES[name]
    ours, theirs = lab.host("gw"), lab.host("peer")
    lab.link(ours, "up0", theirs, "up0")
    plain_cable(ours, "up0")
    plain_cable(theirs, "up0")
    # Where frames are numbered its kernel's super-packets are cut in front of the tunnel.
    near = container(ours, "c1", NEAR, plain="sequence" not in settings)
    far = start_peer(theirs)
    daemon = ours.causeway(gateway({"tun0": settings}))
    capture = ours.capture("up0", max_frames=400)
    wait_until(lambda: traffic.ping(near, FAR, count=1, check=False), 20, f"{near} reaches {FAR}")
    for payload_bytes in (56, 1422):
        traffic.ping(near, FAR, payload_bytes=payload_bytes, dont_fragment=True)
        traffic.ping(far, NEAR, payload_bytes=payload_bytes, dont_fragment=True)
    for receiver, sender, address in ((far, near, FAR), (near, far, NEAR)):
        print(f"{name} {sender} -> {receiver}: {transfer(receiver, sender, address):.0f} Mbit/s")
    capture.stop()
    assert capture.frames(f"{TUNNELLED} && ({BROKEN})", ["_ws.expert.message"], CHECKSUMS_ON) == []
    check_headers(capture, settings, sent_flags, received_flags)
    assert daemon.drops().keys() <= {"no_flood_target", "control_ignored"}, daemon.drops()


def check_headers(capture, settings, sent_flags, received_flags):
    sent_id = settings.get("keys", {}).get("output", settings.get("key", settings.get("id")))
    received_id = settings.get("keys", {}).get("input", sent_id)
    for source, flags, number in ((OURS, sent_flags, sent_id), (THEIRS, received_flags, received_id)):
        if flags is None:
            frames = capture.frames(f"{settings['mode']} && {TUNNELLED} && ip.src#1 == {source}", [f"{settings['mode']}.vni", "udp.checksum"])
            assert frames and {int(frame[f"{settings['mode']}.vni"][0], 0) for frame in frames} == {number}
            if settings.get("checksum"):
                assert all(int(frame["udp.checksum"][0], 0) for frame in frames)
            continue
        frames = capture.frames(f"gre && {TUNNELLED} && ip.src#1 == {source}", ["gre.flags_and_version", "gre.proto", "gre.key"])
        assert frames and {int(frame["gre.flags_and_version"][0], 0) for frame in frames} == {flags}
        assert {int(frame["gre.proto"][0], 0) for frame in frames} == {0x6558}
        assert {int(frame["gre.key"][0], 0) if frame["gre.key"] else None for frame in frames} == {number}
    if settings.get("sequence"):
        frames = capture.frames(f"gre && {TUNNELLED} && ip.src#1 == {OURS}", ["gre.sequence_number"])
        numbers = [int(frame["gre.sequence_number"][0], 0) for frame in frames]
        assert len(numbers) > 100 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


KINDS = (("gretap", "gre"), ("vxlan", "vxlan"), ("geneve", "geneve"))
TUNNELS = 20


def mixed_tunnels():
    tunnels = {f"t{n}": {"mode": KINDS[n % 3][0], "id": 1000 + n} for n in range(TUNNELS - 1)}
    return {**tunnels, f"t{TUNNELS - 1}": GRE}


@pytest.mark.deadline(180)
def test_twenty_tunnels_on_one_bridge(lab):
    ours, theirs = lab.host("gw"), lab.host("peer")
    lab.link(ours, "up0", theirs, "up0")
    near = container(ours, "c1", NEAR)
    far = [container(theirs, f"f{n}", f"10.1.0.{100 + n}") for n in range(TUNNELS)]
    peer = OvsPeer(theirs, "up0", f"{THEIRS}/24", [], [])
    for n in range(TUNNELS):  # each in a bridge of its own, with somebody behind it
        plain_cable(theirs, f"f{n}")
        peer.vsctl("add-br", f"br{n}", "--", "set", "bridge", f"br{n}", "datapath_type=netdev", "--", "add-port", f"br{n}", f"f{n}")
        key = {} if n == TUNNELS - 1 else {"key": 1000 + n}
        peer.add_tunnel(f"t{n}", "gre" if n == TUNNELS - 1 else KINDS[n % 3][1], OURS, f"br{n}", **key)
    tunnels = mixed_tunnels()
    daemon = ours.causeway(gateway(tunnels))
    for end in far:
        wait_until(lambda: traffic.ping(near, end.ip4, count=1, check=False), 20, f"{near} reaches {end}")
    fdb = {row["mac"]: row for row in daemon.ctl("show", "fdb")}
    assert [fdb[end.mac("eth0")]["port"] for end in far] == [f"t{n}" for n in range(TUNNELS)]
    for gone in (1, 6, TUNNELS - 1):  # one of each kind
        left = {name: tunnel for name, tunnel in tunnels.items() if name != f"t{gone}"}
        daemon.apply(gateway(left))
        for n, end in enumerate(far):
            assert traffic.ping(near, end.ip4, count=1, check=False) == (0 if n == gone else 1), (gone, n)
        daemon.apply(gateway(tunnels))
        assert traffic.ping(near, far[gone].ip4, count=3, check=False) >= 1
