"""Underlays that are the host's (`addresses: host`): it keeps its addresses and routes and alone answers for them, says
nothing about tunnels' packets, and the gateway follows."""

import pytest

from tests.support import traffic
from tests.support.overlay import two_hosts
from tests.support.process import wait_until

MODES = {"geneve": 6081, "vxlan": 4789, "gretap": None}
NETWORKS = {4: ("172.31.0.{}", 24), 6: ("fd00:31::{}", 64)}


def config(me, remote, mode="geneve", **tunnel):
    return {"version": 1, "system": {"hugepages": "off"},
            "ethernets": {f"c{me}": {}, "up0": {"addresses": "host"}},
            "bridges": {"br-int": {"interfaces": [f"c{me}", "tun0"]}},
            "tunnels": {"tun0": {"mode": mode, "id": 123, "remote": remote, **tunnel}}}


def addressed_hosts(lab, version=4):
    h1, h2, c1, c2 = two_hosts(lab)
    address, length = NETWORKS[version]
    for number, host in ((1, h1), (2, h2)):
        host.address("up0", f"{address.format(number)}/{length}")
    return h1, h2, c1, c2


def meet(c1, c2):
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")


def local_of(gateway):
    return gateway.row("tunnels", "tun0")["local"]


@pytest.mark.parametrize("version", NETWORKS)
@pytest.mark.parametrize("mode", MODES)
def test_the_host_keeps_its_address(lab, mode, version):
    h1, h2, c1, c2 = addressed_hosts(lab, version)
    one, two = (NETWORKS[version][0].format(number) for number in (1, 2))
    g1 = h1.causeway(config(1, two, mode))
    g2 = h2.causeway(config(2, one, mode))
    capture = h2.capture("up0")
    meet(c1, c2)
    assert local_of(g1) == one and local_of(g2) == two
    assert traffic.ping(c1, c2.ip4, count=20) == 20
    # The host answers for its address, and nobody else does.
    shown = h1.run(["ping", "-n", "-c", "5", "-i", "0.2", "-W", "1", two]).stdout
    assert "5 received" in shown and "duplicates" not in shown and "DUP" not in shown
    listens = h1.run(["ss", "-lnuH"]).stdout + h1.run(["ss", "-lnwH"]).stdout
    assert (f":{MODES[mode]} " if MODES[mode] else ":47 ") in listens or (not MODES[mode] and ":gre " in listens)
    h1.ip("neigh", "flush", "dev", "up0")
    assert traffic.ping(h1, two, count=2) == 2
    capture.stop()
    # From nobody a word about tunnels' packets, and one answer to each question.
    assert not capture.frames("icmp.type == 3 || icmpv6.type == 1", ["frame.number"])
    if version == 4:
        asked = capture.frames(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {two}", ["frame.number"])
        answered = capture.frames(f"arp.opcode == 2 && arp.src.proto_ipv4 == {two}", ["frame.number"])
        assert asked and len(answered) == len(asked)
        assert not capture.frames("arp.isgratuitous", ["frame.number"])
    # What is the host's own is counted apart, and nothing is lost.
    assert g2.drops().get("host_traffic", 0) > 0
    assert set(g1.drops()) | set(g2.drops()) <= {"host_traffic", "no_flood_target"}
    g1.stop()
    assert traffic.ping(h1, two, count=1) == 1


def test_addresses_and_routes_are_followed(lab):
    h1, h2, c1, c2 = addressed_hosts(lab)
    h2.ip("addr", "add", "192.0.2.2/32", "dev", "lo")
    g1 = h1.causeway(config(1, "192.0.2.2"))
    g2 = h2.causeway(config(2, "172.31.0.1", local="192.0.2.2"))
    assert g1.row("tunnels", "tun0")["state"] == "no_route" and local_of(g1) == "none"
    h1.ip("route", "add", "192.0.2.2/32", "via", "172.31.0.2")
    wait_until(lambda: local_of(g1) == "172.31.0.1", 3, "the route is seen")
    meet(c1, c2)
    # Another address: the other end is told, and what was learnt stays.
    h1.ip("addr", "add", "172.31.0.11/24", "dev", "up0")
    h1.ip("route", "replace", "192.0.2.2/32", "via", "172.31.0.2", "src", "172.31.0.11")
    wait_until(lambda: local_of(g1) == "172.31.0.11", 3, "the route's source is seen")
    g2.apply(config(2, "172.31.0.11", local="192.0.2.2"))
    meet(c1, c2)
    h1.ip("link", "set", "up0", "down")
    wait_until(lambda: g1.row("tunnels", "tun0")["state"] == "no_route", 3, "the link is down")
    h1.ip("link", "set", "up0", "up")
    h1.ip("route", "replace", "192.0.2.2/32", "via", "172.31.0.2", "src", "172.31.0.11")
    meet(c1, c2)
    # A permanent neighbor of the host's is ours: nobody has that MAC, so nobody answers.
    h1.ip("neigh", "replace", "172.31.0.2", "lladdr", "02:00:00:00:77:77", "dev", "up0", "nud", "permanent")
    wait_until(lambda: [row["mac"] for row in g1.ctl("show", "neighbors")] == ["02:00:00:00:77:77"], 3, "it is seen")
    assert not traffic.ping(c1, c2.ip4, count=1, check=False)
    h1.ip("neigh", "del", "172.31.0.2", "dev", "up0")
    meet(c1, c2)


def test_the_kernel_is_the_member_of_groups(lab):
    h1, h2, c1, c2 = addressed_hosts(lab)
    capture = h2.capture("up0")
    g1, g2 = (host.causeway(config(number, "239.1.1.1", "vxlan", local=f"172.31.0.{number}"))
              for number, host in ((1, h1), (2, h2)))
    meet(c1, c2)
    assert "239.1.1.1" in h1.ip("maddr", "show", "dev", "up0").stdout
    wait_until(lambda: capture.frames("igmp.type == 0x22 && igmp.maddr == 239.1.1.1", ["eth.src"]), 5, "it reports")
    assert set(g1.drops()) | set(g2.drops()) <= {"host_traffic", "no_flood_target"}
    g1.stop()
    assert "239.1.1.1" not in h1.ip("maddr", "show", "dev", "up0").stdout


def test_a_port_that_somebody_has_is_said(lab):
    h1, _, _, _ = addressed_hosts(lab)
    h1.ip("link", "add", "vx0", "type", "vxlan", "id", "5", "dstport", "4789", "dev", "up0")
    h1.ip("link", "set", "vx0", "up")
    g1 = h1.causeway(config(1, "172.31.0.2", "vxlan"))
    wait_until(lambda: "UDP port 4789: Address already in use" in g1.log(), 5, "it is in the log")
