"""Tunnels over IPv6 to the kernel and to Open vSwitch. Nobody is told a neighbor's MAC: all comes by discovery."""

import dataclasses
import time

import pytest

from tests.support import traffic
from tests.support.capture import BROKEN, CHECKSUMS_ON, Capture
from tests.support.causeway import Causeway
from tests.support.lab import Container, Host
from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.peers.uml import UmlPeer
from tests.support.process import wait_until

OURS, THEIRS = "fd00:31::1", "fd00:31::2"
VNI = 123
MTU = 1500 - 40 - 8 - 8 - 14
UDP_PORT = {"geneve": 6081, "vxlan": 4789}
SOLICITATION, ADVERTISEMENT = 135, 136


@dataclasses.dataclass
class Pair:
    """Causeway and the container c1 on h1; the peer and c2 on h2."""
    h1: Host
    h2: Host
    c1: Container
    c2: Container
    gateway: Causeway
    mode: str
    capture: Capture  # on the peer's side, from before Causeway's start; the first few thousand frames

    def neighbor(self):
        rows = [row for row in self.gateway.ctl("show", "neighbors") if row["address"] == THEIRS]
        assert len(rows) == 1
        return rows[0]

    def meet(self):
        wait_until(lambda: traffic.ping(self.c1, self.c2.ip4, count=1, check=False), 20, "c1 reaches c2")


def start_pair(lab, peer, mode):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    plain_cable(h1, "up0")
    plain_cable(h2, "up0")
    c1, c2 = (host.container(f"c{number}", address=f"10.1.0.{number}/24", mtu=MTU) for number, host in ((1, h1), (2, h2)))
    if peer == "kernel":
        KernelVxlanPeer(h2, "up0", f"{THEIRS}/64", OURS, ["c2"], vni=VNI)
    else:
        plain_cable(c2, "eth0")
        OvsPeer(h2, "up0", f"{THEIRS}/64", ["c2"], [("tun0", mode, OURS, VNI)])
    capture = h2.capture("up0", max_frames=5000)
    gateway = h1.causeway({
        "version": 1,
        "ethernets": {"c1": {}, "up0": {"addresses": [f"{OURS}/64"]}},
        "bridges": {"br-int": {"interfaces": ["c1", "tun0"]}},
        "tunnels": {"tun0": {"mode": mode, "id": VNI, "local": OURS, "remote": THEIRS}},
    })
    return Pair(h1, h2, c1, c2, gateway, mode, capture)


def check_ours(pair, capture):
    """Each tunnelled frame that Causeway sent, as tshark reads it."""
    ours = f"{pair.mode} && ipv6.src == {OURS} && ipv6.nxt == 17"
    sent = capture.frames(ours, ["frame.len", "ipv6.hlim", "ipv6.flow", "udp.dstport", "udp.srcport", "udp.checksum",
                                 f"{pair.mode}.vni"])
    assert len(sent) > 100
    for frame in sent:
        outer = {field: values[0] for field, values in frame.items() if values}
        assert outer["ipv6.hlim"] == "64" and outer["udp.dstport"] == str(UDP_PORT[pair.mode]), outer
        assert 32768 <= int(outer["udp.srcport"]) <= 60999 and int(outer["ipv6.flow"], 0) != 0, outer
        assert int(outer["udp.checksum"], 0) != 0 and int(outer[f"{pair.mode}.vni"], 0) == VNI, outer
    assert max(int(frame["frame.len"][0]) for frame in sent) == 1514  # full frames, and none beyond the MTU
    # A label and a source port for each inner flow, the same for all its packets.
    flows = {(frame["ipv6.flow"][0], frame["udp.srcport"][0]) for frame in sent}
    assert 1 < len(flows) < 20
    assert not capture.frames(f"ipv6.src == {OURS} && ({BROKEN})", ["_ws.expert.message"], CHECKSUMS_ON)
    for kind in (SOLICITATION, ADVERTISEMENT):
        said = capture.frames(f"icmpv6.type == {kind} && ipv6.src#1 == {OURS} && ipv6.nxt#1 == 58", ["ipv6.hlim"])
        assert said and {frame["ipv6.hlim"][0] for frame in said} == {"255"}


@pytest.mark.parametrize("peer,mode", [("kernel", "vxlan"), ("ovs", "geneve"), ("ovs", "vxlan")])
def test_peers(lab, peer, mode):
    pair = start_pair(lab, peer, mode)
    assert pair.gateway.row("tunnels", "tun0")["mtu"] == MTU
    # They ask first: who we are, by a name that only the link has.
    for payload_bytes in (56, 1400):
        wait_until(lambda: traffic.ping(pair.h2, OURS, payload_bytes=payload_bytes, check=False) == 3, 20, "h2 pings us")
    pair.meet()
    assert (pair.neighbor()["state"], pair.neighbor()["mac"]) == ("reachable", pair.h2.mac("up0"))
    for payload_bytes in (56, MTU - 28):
        assert traffic.ping(pair.c1, pair.c2.ip4, payload_bytes=payload_bytes, dont_fragment=True) == 3
        assert traffic.ping(pair.c2, pair.c1.ip4, payload_bytes=payload_bytes, dont_fragment=True) == 3
    for receiver, sender in ((pair.c2, pair.c1), (pair.c1, pair.c2)):
        print(f"{sender} -> {receiver}: {transfer(receiver, sender, receiver.ip4):.0f} Mbit/s")
    check_ours(pair, pair.capture.stop())
    assert pair.gateway.drops().keys() <= {"control_ignored", "not_for_us"}  # what they say to groups


def test_kernel_ip6gretap_as_it_is_by_default(lab):
    """With the tunnel encapsulation limit in front of GRE (RFC 2473 section 4.1.1)."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    plain_cable(h1, "up0")
    c1 = h1.container("c1", address="10.1.0.1/24", mtu=1400)
    peer = UmlPeer(h2, "up0")
    peer.run("modprobe -d /run/root ip6_gre && ip link set vec0 up && ip addr add fd00:31::2/64 dev vec0 nodad && "
             "ip link add tap0 type ip6gretap local fd00:31::2 remote fd00:31::1 key 7 csum && "
             "sysctl -qew net.ipv6.conf.tap0.disable_ipv6=1 && ip link set tap0 mtu 1400 up && ip addr add 10.1.0.2/24 dev tap0")
    capture = h1.capture("up0", max_frames=3000)
    gateway = h1.causeway({
        "version": 1, "system": {"hugepages": "off"},
        "ethernets": {"c1": {}, "up0": {"addresses": [f"{OURS}/64"]}},
        "bridges": {"br-int": {"interfaces": ["c1", "gre0"]}},
        "tunnels": {"gre0": {"mode": "gretap", "key": 7, "checksum": True, "local": OURS, "remote": THEIRS}},
    })
    wait_until(lambda: traffic.ping(c1, "10.1.0.2", count=1, check=False), 20, "the kernel's end answers")
    for payload_bytes in (56, 1372):
        assert traffic.ping(c1, "10.1.0.2", payload_bytes=payload_bytes, dont_fragment=True) == 3
        assert traffic.ping(peer, "10.1.0.1", payload_bytes=payload_bytes, dont_fragment=True) == 3
    print(f"{transfer(c1, peer, '10.1.0.1'):.0f} Mbit/s")
    capture.stop()
    theirs = capture.frames(f"gre && ipv6.src == {THEIRS}", ["ipv6.opt.tel", "ipv6.nxt"])
    assert len(theirs) > 100 and all(frame["ipv6.opt.tel"] == ["4"] and frame["ipv6.nxt"][0] == "60" for frame in theirs)
    assert gateway.drops().keys() <= {"control_ignored", "not_for_us", "no_flood_target"}, gateway.drops()
    peer.stop()


def test_asked_again_we_answer(lab):
    pair = start_pair(lab, "kernel", "vxlan")
    pair.meet()
    pair.h2.ip("-6", "neigh", "flush", "dev", "up0")
    assert traffic.ping(pair.c2, pair.c1.ip4) == 3
    known = pair.h2.run(["ip", "-6", "neigh", "show", OURS], quiet=True).stdout
    assert pair.h1.mac("up0") in known and ("REACHABLE" in known or "DELAY" in known), known


def test_neighbor_that_moves_is_followed(lab):
    """The peer's interface gets another MAC and says so (RFC 4861 section 7.2.6)."""
    pair = start_pair(lab, "kernel", "vxlan")
    pair.h2.sysctl("net.ipv6.conf.up0.ndisc_notify", 1)
    pair.meet()
    pair.h2.ip("link", "set", "up0", "address", "02:00:00:00:77:77")
    wait_until(lambda: pair.neighbor()["mac"] == "02:00:00:00:77:77", 5, "the new MAC is known")
    wait_until(lambda: pair.neighbor()["state"] == "reachable", 5, "it has answered a probe")
    assert traffic.ping(pair.c1, pair.c2.ip4) == 3


def snooping_switch(lab, *hosts):
    """Between the hosts' up0: sends what is for a group to its members alone, and asks every second who they are."""
    switch = lab.switch("switch", [(host, "up0") for host in hosts])
    centiseconds = {"mcast_query_interval": 100, "mcast_membership_interval": 300, "mcast_startup_query_interval": 50,
                    "mcast_query_response_interval": 50}
    switch.address("br0", "fe80::99/64")  # queries come from somebody
    switch.ip("link", "set", "br0", "type", "bridge", *[word for item in centiseconds.items() for word in item])
    # Not in one: it lets everything pass until its first query's answers are due.
    switch.ip("link", "set", "br0", "type", "bridge", "mcast_mld_version", 2, "mcast_snooping", 1, "mcast_querier", 1)
    return switch


def test_snooping_switch_passes_solicitations(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    switch = snooping_switch(lab, h1, h2)
    gateway = h1.causeway({"version": 1, "ethernets": {"up0": {"addresses": [f"{OURS}/64"]}}})
    h2.address("up0", f"{THEIRS}/64")

    def members():
        shown = switch.run(["bridge", "mdb", "show", "dev", "br0"], quiet=True).stdout
        return {line.split("port ")[1].split()[0] for line in shown.splitlines() if "grp ff02::1:ff00:1 " in line}

    wait_until(lambda: members() == {"h1"}, 5, "the switch knows whose group it is")
    time.sleep(4)  # longer than the switch remembers: its queries are answered
    assert members() == {"h1"}
    capture = h2.capture("up0", filter="icmp6")
    h2.ip("-6", "neigh", "flush", "dev", "up0")
    assert traffic.ping(h2, OURS) == 3
    capture.stop()
    assert capture.count(f"icmpv6.type == {SOLICITATION} && ipv6.dst == ff02::1:ff00:1")
    assert not capture.broken()
    gateway.apply({"version": 1, "ethernets": {"up0": {"addresses": ["fd00:31::77/64"]}}})
    wait_until(lambda: not members(), 5, "an address that is gone has no group")
