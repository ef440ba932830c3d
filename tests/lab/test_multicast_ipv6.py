"""VXLAN over an IPv6 group: three hosts behind a switch that snoops on MLD, Causeway on all or beside the kernel."""

import json
import time

import pytest

from tests.support import traffic
from tests.support.lab import Lab
from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.support.process import wait_until

GROUP, VNI, TTL = "ff05::1:2345", 100, 5
GROUP_MAC = "33:33:00:01:23:45"
MULTICAST, UNICAST = (f"vxlan && ipv6.dst {sign} {GROUP}" for sign in ("==", "!="))
QUERY, REPORT = 130, 143
IS_EXCLUDE = 2  # what a member of a group answers: it excludes nobody


def vtep(number):
    return f"fd00:31::{number}"


def gateway(number, tunnel=True):
    config = {
        "version": 1,
        "system": {"hugepages": "off"},
        "ethernets": {f"c{number}": {}, "up0": {"addresses": [f"{vtep(number)}/64"]}},
        "bridges": {"br-int": {"interfaces": [f"c{number}"]}},
    }
    if tunnel:
        config["bridges"]["br-int"]["interfaces"].append("vx0")
        config["tunnels"] = {"vx0": {"mode": "vxlan", "id": VNI, "local": vtep(number), "remote": GROUP, "link": "up0",
                                     "ttl": TTL}}
    return config


class Segment:
    """h1 to h3 with a container each, and h4, which is in no group, on one switch."""

    def __init__(self, lab, kernels):
        self.lab = lab
        hosts = [lab.host(f"h{number}") for number in (1, 2, 3, 4)]
        self.switch = lab.switch("sw", [(host, "up0") for host in hosts], mld_version=2)
        self.containers, self.gateways = {}, {}
        for number, host in enumerate(hosts[:3], 1):
            container = host.container(f"c{number}", address=f"10.1.0.{number}/24", mtu=1430)
            container.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
            self.containers[number] = container
            if number in kernels:
                plain_cable(container, "eth0")
                plain_cable(host, "up0")
                KernelVxlanPeer(host, "up0", f"{vtep(number)}/64", GROUP, [f"c{number}"], vni=VNI, ttl=TTL)
            else:
                self.gateways[number] = host.causeway(gateway(number))
        wait_until(lambda: self.members() == {"h1", "h2", "h3"}, 15, lambda: f"all are members, not {self.members()}",
                   interval=0.2)
        time.sleep(2)  # the switch's first round of queries is over: from here on it forwards to members only

    def members(self):
        """The switch's ports that it has heard reports for the group from."""
        said = self.switch.run(["bridge", "-j", "mdb", "show", "dev", "br0"], quiet=True).stdout
        return {entry["port"] for bridge in json.loads(said) for entry in bridge["mdb"] if entry["grp"] == GROUP}

    def captures(self, *ports):
        return {port: self.switch.capture(port, filter="udp port 4789 or icmp6 or ip6 proto 0") for port in ports}


@pytest.fixture(scope="module", params=[(), (2, 3)], ids=["causeway", "kernels"])
def segment(request):
    with Lab() as lab:
        request.node.lab = lab
        yield Segment(lab, request.param)


def test_arp_is_multicast_once_and_the_rest_unicast(segment):
    c1, c2 = segment.containers[1], segment.containers[2]
    assert traffic.ping(c1, c2.ip4, count=1) == 1  # until the FDB has a MAC, an answer to it may be flooded, too
    for container in (c1, c2):
        container.ip("neigh", "flush", "dev", "eth0")
    captures = segment.captures("h1", "h2", "h3", "h4")
    assert traffic.ping(c1, c2.ip4, count=1) == 1
    captures = {port: capture.stop() for port, capture in captures.items()}
    fields = ["eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "udp.srcport", "udp.checksum", "vxlan.vni", "arp.dst.proto_ipv4"]
    for port in ("h1", "h2", "h3"):  # the group's members, the sender among them, have it once
        flooded = captures[port].frames(MULTICAST, fields)
        assert [frame["arp.dst.proto_ipv4"] for frame in flooded] == [[c2.ip4]]
    assert captures["h4"].count("vxlan") == 0
    request, = captures["h1"].frames(MULTICAST, fields)
    assert (request["eth.dst"][0], request["ipv6.src"][0], request["ipv6.hlim"][0]) == (GROUP_MAC, vtep(1), str(TTL))
    assert 32768 <= int(request["udp.srcport"][0]) <= 60999
    assert int(request["udp.checksum"][0], 0) != 0 and int(request["vxlan.vni"][0]) == VNI
    # The reply and the ping, in both directions, only between the two.
    between = captures["h1"].frames(UNICAST, ["ipv6.src", "ipv6.dst", "arp.opcode", "icmp.type"])
    assert [(frame["ipv6.src"][0], frame["ipv6.dst"][0]) for frame in between] == [
        (vtep(2), vtep(1)), (vtep(1), vtep(2)), (vtep(2), vtep(1))]
    assert [frame["arp.opcode"] + frame["icmp.type"] for frame in between] == [["2"], ["8"], ["0"]]
    assert captures["h3"].count(UNICAST) == 0
    assert [line for capture in captures.values() for line in capture.broken()] == []


def test_every_pair_talks_and_the_fdb_names_the_vtep(segment):
    for one in (1, 2, 3):
        for other in {1, 2, 3} - {one}:
            assert traffic.ping(segment.containers[one], segment.containers[other].ip4, payload_bytes=1402) == 3
    for number, daemon in segment.gateways.items():
        fdb = {row["mac"]: row for row in daemon.ctl("show", "fdb")}
        for other in {1, 2, 3} - {number}:
            row = fdb[segment.containers[other].mac("eth0")]
            assert (row["port"], row["remote"], row["type"]) == ("vx0", vtep(other), "dynamic")
        tunnel = daemon.row("tunnels", "vx0")
        assert tunnel["remote"] == GROUP and tunnel["state"] == "up"
        assert {shown["remote"] for shown in tunnel["vteps"]} == {vtep(n) for n in {1, 2, 3} - {number}}
        assert daemon.drops().keys() <= {"no_flood_target", "control_ignored", "split_horizon"}, daemon.drops()
    for host in {1, 2, 3} - segment.gateways.keys():  # as the kernel sees us
        shown = segment.lab.hosts[f"h{host}"].run(["bridge", "fdb", "show", "dev", "vx0"]).stdout
        assert f"{segment.containers[1].mac('eth0')} dst {vtep(1)}" in shown


def test_download(segment):
    fetched = traffic.fetch(segment.containers[2], segment.containers[1], segment.containers[1].ip4, 20 << 20)
    assert fetched["sent"] == fetched["received"]


def test_membership_is_reported_when_the_querier_asks(segment):
    """Twice the switch's interval: each query is answered, from the link-local address that MLD wants."""
    capture = segment.switch.capture("h1", filter="icmp6 or ip6 proto 0")
    time.sleep(11)
    capture.stop()
    fields = ["eth.src", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.mldr.mar.record_type", "icmpv6.mldr.mar.multicast_address"]
    queries = capture.frames(f"icmpv6.type == {QUERY}", ["ipv6.src"])
    own = segment.gateways[1].row("ports", "up0")["mac"]
    reports = capture.frames(f"icmpv6.type == {REPORT} && eth.src == {own}", fields)
    assert queries and len(reports) >= len(queries) - 1
    row, = [row for row in segment.gateways[1].ctl("show", "multicast") if row["group"] == GROUP]
    assert (row["port"], row["state"], row["protocol"]) == ("up0", "member", "MLDv2")
    for report in reports:
        assert report["ipv6.src"][0].startswith("fe80::") and (report["ipv6.dst"], report["ipv6.hlim"]) == (["ff02::16"], ["1"])
        assert GROUP in report["icmpv6.mldr.mar.multicast_address"]
        assert {int(kind) for kind in report["icmpv6.mldr.mar.record_type"]} == {IS_EXCLUDE}
    assert capture.broken() == []


def test_who_leaves_stops_receiving_and_who_joins_again_receives(segment):
    leaver = max(segment.gateways)
    port = f"h{leaver}"
    speaker = segment.containers[2 if leaver == 1 else 1]
    segment.gateways[leaver].apply(gateway(leaver, tunnel=False))
    wait_until(lambda: port not in segment.members(), 10, "the switch knows who left", interval=0.1)
    captures = segment.captures("h1", "h2", "h3")
    assert traffic.ping(speaker, "10.1.0.99", count=1, check=False) == 0
    seen = {name: capture.stop().count(MULTICAST) for name, capture in captures.items()}
    assert seen["h2"] > 0 and seen[port] == 0
    segment.gateways[leaver].apply(gateway(leaver))
    wait_until(lambda: port in segment.members(), 10, "the switch knows who joined", interval=0.1)
    assert traffic.ping(segment.containers[leaver], segment.containers[2].ip4) == 3
