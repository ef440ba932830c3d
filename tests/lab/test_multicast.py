"""VXLAN over a multicast group: three hosts behind a switch that snoops on IGMP, Causeway on all or beside the kernel."""

import json
import time

import pytest

from tests.support import traffic
from tests.support.lab import Lab
from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.support.process import wait_until

GROUP, VNI, TTL = "239.1.1.1", 100, 5
GROUP_MAC = "01:00:5e:01:01:01"
MULTICAST = f"vxlan && ip.dst == {GROUP}"


def gateway(number, **tunnel):
    return {
        "version": 1,
        "system": {"hugepages": "off"},
        "ethernets": {f"c{number}": {}, "up0": {"addresses": [f"172.31.0.{number}/24"]}},
        "bridges": {"br-int": {"interfaces": [f"c{number}", "vx0"]}},
        "tunnels": {"vx0": {"mode": "vxlan", "id": VNI, "local": f"172.31.0.{number}", "remote": GROUP, "link": "up0",
                            "ttl": TTL, **tunnel}},
    }


def without_tunnel(number):
    config = gateway(number)
    config["bridges"]["br-int"]["interfaces"] = [f"c{number}"]
    del config["tunnels"]
    return config


class Segment:
    """h1 to h3 with a container each, and h4, which is in no group, on one switch."""

    def __init__(self, lab, igmp_version, kernels=()):
        self.lab = lab
        hosts = [lab.host(f"h{number}") for number in (1, 2, 3, 4)]
        self.switch = lab.switch("sw", [(host, "up0") for host in hosts], igmp_version=igmp_version)
        self.containers, self.gateways = {}, {}
        for number, host in enumerate(hosts[:3], 1):
            container = host.container(f"c{number}", address=f"10.1.0.{number}/24", mtu=1450)
            container.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
            self.containers[number] = container
            if number in kernels:
                plain_cable(container, "eth0")
                plain_cable(host, "up0")
                KernelVxlanPeer(host, "up0", f"172.31.0.{number}/24", GROUP, [f"c{number}"], vni=VNI, ttl=TTL)
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
        return {port: self.switch.capture(port, filter="udp port 4789 or igmp") for port in ports}


@pytest.fixture(scope="module", params=[(3, ()), (2, (2, 3))], ids=["causeway-igmp3", "kernels-igmp2"])
def segment(request):
    with Lab() as lab:
        request.node.lab = lab
        yield Segment(lab, *request.param)


def outer(capture, filter, *fields):
    return capture.frames(filter, ["eth.dst", "ip.src", "ip.dst", "ip.ttl", "ip.flags.df", "udp.srcport", "udp.dstport",
                                   "vxlan.vni", "vxlan.flags", *fields])


def meet(segment, one, other):
    """Pings once between two containers that have forgotten each other; what passed the three ports of the switch.

    Their gateways know them both from a ping before: until the FDB has a MAC, an answer to it may be flooded, too.
    """
    assert traffic.ping(segment.containers[one], segment.containers[other].ip4, count=1) == 1
    for number in (one, other):
        segment.containers[number].ip("neigh", "flush", "dev", "eth0")
    captures = segment.captures("h1", "h2", "h3", "h4")
    assert traffic.ping(segment.containers[one], segment.containers[other].ip4, count=1) == 1
    return {port: capture.stop() for port, capture in captures.items()}


def test_arp_is_multicast_once_and_the_rest_unicast(segment):
    c1, c2 = segment.containers[1], segment.containers[2]
    captures = meet(segment, 1, 2)
    for port in ("h1", "h2", "h3"):  # the group's members, the sender among them, have it once
        flooded = outer(captures[port], MULTICAST, "arp.opcode", "arp.dst.proto_ipv4")
        assert [(frame["arp.opcode"], frame["arp.dst.proto_ipv4"]) for frame in flooded] == [(["1"], [c2.ip4])]
    assert captures["h4"].count("vxlan") == 0
    request = outer(captures["h1"], MULTICAST)[0]
    assert (request["eth.dst"][0], request["ip.src"][0], request["ip.ttl"][0]) == (GROUP_MAC, "172.31.0.1", str(TTL))
    assert request["ip.flags.df"][0] in ("1", "True")
    assert request["udp.dstport"] == ["4789"] and 32768 <= int(request["udp.srcport"][0]) <= 60999
    assert (int(request["vxlan.vni"][0]), int(request["vxlan.flags"][0], 0)) == (VNI, 0x0800)
    # The reply and the ping, in both directions, only between the two.
    between = outer(captures["h1"], f"vxlan && ip.dst != {GROUP}", "arp.opcode", "icmp.type")
    assert [(frame["ip.src"][0], frame["ip.dst"][0]) for frame in between] == [
        ("172.31.0.2", "172.31.0.1"), ("172.31.0.1", "172.31.0.2"), ("172.31.0.2", "172.31.0.1")]
    assert [frame["arp.opcode"] + frame["icmp.type"] for frame in between] == [["2"], ["8"], ["0"]]
    assert captures["h3"].count(f"vxlan && ip.dst != {GROUP}") == 0
    assert [line for capture in captures.values() for line in capture.broken()] == []
    # Later, too.
    again = segment.captures("h1", "h3")
    assert traffic.ping(c1, c2.ip4, payload_bytes=1422) == traffic.ping(c2, c1.ip4) == 3
    assert again["h1"].stop().count(MULTICAST) == again["h3"].stop().count("vxlan") == 0


def test_every_pair_talks_and_the_fdb_names_the_vtep(segment):
    for one in (1, 2, 3):
        for other in {1, 2, 3} - {one}:
            assert traffic.ping(segment.containers[one], segment.containers[other].ip4) == 3
    for number, daemon in segment.gateways.items():
        fdb = {row["mac"]: row for row in daemon.ctl("show", "fdb")}
        for other in {1, 2, 3} - {number}:
            row = fdb[segment.containers[other].mac("eth0")]
            assert (row["port"], row["remote"], row["type"]) == ("vx0", f"172.31.0.{other}", "dynamic")
        tunnel = daemon.row("tunnels", "vx0")
        assert tunnel["remote"] == GROUP and tunnel["state"] == "up"
        assert {vtep["remote"] for vtep in tunnel["vteps"]} == {f"172.31.0.{n}" for n in {1, 2, 3} - {number}}
        assert daemon.drops().keys() <= {"no_flood_target", "control_ignored", "split_horizon"}, daemon.drops()
    for host in {1, 2, 3} - segment.gateways.keys():  # as the kernel sees us
        shown = segment.lab.hosts[f"h{host}"].run(["bridge", "fdb", "show", "dev", "vx0"]).stdout
        assert f"{segment.containers[1].mac('eth0')} dst 172.31.0.1" in shown


def test_download(segment):
    fetched = traffic.fetch(segment.containers[2], segment.containers[1], segment.containers[1].ip4, 20 << 20)
    assert fetched["sent"] == fetched["received"]


def test_membership_is_reported_as_the_querier_asks(segment):
    """Twice the switch's interval: each host answers each query, in the querier's version."""
    capture = segment.switch.capture("h1", filter="igmp")
    time.sleep(11)
    capture.stop()
    queries = capture.frames("igmp.type == 0x11", ["frame.time_relative"])
    reports = capture.frames("ip.src == 172.31.0.1", ["igmp.type", "ip.dst", "ip.ttl", "igmp.maddr", "ip.opt.ra",
                                                      "igmp.record_type"])
    assert queries and len(reports) >= len(queries) - 1
    row, = [row for row in segment.gateways[1].ctl("show", "multicast") if row["group"] == GROUP]
    old = len(segment.gateways) == 1
    assert (row["port"], row["state"], row["protocol"]) == ("up0", "member", "IGMPv2" if old else "IGMPv3")
    for report in reports:
        assert report["ip.ttl"] == ["1"] and report["igmp.maddr"] == [GROUP] and report["ip.opt.ra"] == ["0"]
        if old:
            assert (report["igmp.type"], report["ip.dst"]) == (["0x16"], [GROUP])
        else:
            assert (report["igmp.type"], report["ip.dst"], report["igmp.record_type"]) == (["0x22"], ["224.0.0.22"], ["2"])
    assert capture.broken() == []


def flood(segment):
    """c1 looks for somebody who isn't there: its frames to the group, by port of the switch."""
    captures = segment.captures("h1", "h2", "h3")
    assert traffic.ping(segment.containers[1], "10.1.0.99", count=1, check=False) == 0
    return {port: capture.stop().count(MULTICAST) for port, capture in captures.items()}


def test_who_leaves_stops_receiving_and_who_joins_again_receives(segment):
    seen = flood(segment)
    assert all(seen.values())
    leaver = max(segment.gateways)
    port = f"h{leaver}"
    segment.gateways[leaver].apply(without_tunnel(leaver))
    wait_until(lambda: port not in segment.members(), 10, "the switch knows who left", interval=0.1)
    if leaver == 1:
        captures = segment.captures("h1")
        segment.containers[2].run(["ping", "-c", "1", "-W", "1", "10.1.0.99"], check=False)
        assert captures["h1"].stop().count(MULTICAST) == 0
    else:
        seen = flood(segment)
        assert seen["h2"] > 0 and seen[port] == 0
    segment.gateways[leaver].apply(gateway(leaver))
    wait_until(lambda: port in segment.members(), 10, "the switch knows who joined", interval=0.1)
    assert traffic.ping(segment.containers[leaver], segment.containers[2].ip4) == 3
    # Going for good is a leave, too.
    segment.gateways[leaver].stop()
    wait_until(lambda: port not in segment.members(), 10, "the switch knows who went", interval=0.1)
    segment.gateways[leaver] = segment.lab.hosts[port].causeway(gateway(leaver))


def test_only_whom_allow_from_names_is_learnt(segment):
    daemon = segment.gateways[1]
    daemon.apply(gateway(1, **{"allow-from": ["172.31.0.2/32", "192.0.2.0/24"]}))
    assert traffic.ping(segment.containers[1], segment.containers[2].ip4) == 3
    assert traffic.ping(segment.containers[3], segment.containers[1].ip4, count=2, check=False) == 0
    assert daemon.drops()["source_not_allowed"] >= 2
    assert segment.containers[3].mac("eth0") not in {row["mac"] for row in daemon.ctl("show", "fdb")}
    daemon.apply(gateway(1))
    assert traffic.ping(segment.containers[3], segment.containers[1].ip4) == 3
