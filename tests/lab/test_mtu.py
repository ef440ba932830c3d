"""Containers whose MTU is too large for their tunnel, and paths that are narrower than they look."""

import pytest

from tests.support import traffic
from tests.support.capture import CHECKSUMS_ON
from tests.support.overlay import gateway, two_hosts
from tests.peers.cable import plain_cable
from tests.support.process import LabError, wait_until

FILE_BYTES = 10 << 20
ETHERNET_MTU = 1500


def fetched_whole(client, server, address, timeout=30):
    fetched = traffic.fetch(client, server, address, FILE_BYTES, timeout=timeout)
    print(f"{server} -> {client}: {fetched['bytes_per_s'] * 8 / 1e6:.0f} Mbit/s of HTTP")
    return fetched["sent"] == fetched["received"]


def known_mtu(container, address):
    """What the container has been told of the way to `address`; None: nothing."""
    words = container.run(["ip", "route", "get", address], quiet=True).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else None


def forget_mtus(container):
    """What it has been told it would announce to a server, as the segment size that it takes itself."""
    for family in ("-4", "-6"):
        container.ip(family, "route", "flush", "cache")


@pytest.mark.parametrize("mode", ["geneve", "vxlan"])
def test_senders_are_told_what_fits(lab, mode):
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=ETHERNET_MTU)
    gateways = [h1.causeway(gateway(1, mode)), h2.causeway(gateway(2, mode))]
    assert [daemon.row("tunnels", "tun0")["mtu"] for daemon in gateways] == [1450, 1450]
    assert gateways[0].row("ports", "c1")["mtu"] == ETHERNET_MTU
    capture = c1.capture("eth0", filter="icmp or icmp6", max_frames=100)
    for client, server in ((c2, c1), (c1, c2)):
        forget_mtus(client)
        assert fetched_whole(client, server, server.ip4)
        assert fetched_whole(client, server, server.ip6)
        assert known_mtu(server, client.ip4) == known_mtu(server, client.ip6) == 1450
    capture.stop()
    told4 = capture.frames("icmp.type == 3 && icmp.code == 4", ["ip.src", "icmp.mtu", "eth.src"])
    told6 = capture.frames("icmpv6.type == 2", ["ipv6.src", "icmpv6.mtu", "eth.src"])
    assert told4 and {frame["icmp.mtu"][0] for frame in told4} == {"1450"}
    assert told6 and {frame["icmpv6.mtu"][0] for frame in told6} == {"1450"}
    assert {frame["eth.src"][0] for frame in told4 + told6} == {c2.mac("eth0")}
    assert {frame["ip.src"][0] for frame in told4} == {c2.ip4}
    assert not capture.frames('icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"', options=CHECKSUMS_ON)
    assert all(daemon.drops().keys() == {"too_big"} for daemon in gateways)


def test_ping_is_told_and_gets_through(lab):
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=ETHERNET_MTU)
    h1.causeway(gateway(1, "geneve"))
    h2.causeway(gateway(2, "geneve"))
    assert traffic.ping(c1, c2.ip4, payload_bytes=1450 - 28, dont_fragment=True) == 3
    done = c1.run(["ping", "-c", 1, "-W", 1, "-M", "do", "-s", 1450 - 28 + 1, c2.ip4], check=False)
    assert "Frag needed and DF set (mtu = 1450)" in done.stdout, done.stdout
    # In fragments; the first ones are too large until it knows.
    wait_until(lambda: traffic.ping(c1, c2.ip6, payload_bytes=1472, check=False) == 3, 10, "large echoes over IPv6")


def deaf_to_icmp(container):
    """A locked MTU: the kernel sends without DF and learns nothing."""
    container.ip("route", "replace", "10.1.0.0/24", "dev", "eth0", "mtu", "lock", ETHERNET_MTU)


def test_mss_clamp_for_those_who_hear_no_icmp(lab):
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=ETHERNET_MTU)
    deaf_to_icmp(c1)
    deaf_to_icmp(c2)
    config = gateway(1, "geneve")
    config["tunnels"]["tun0"]["mss-clamp"] = "auto"  # one end is enough
    g1, g2 = h1.causeway(config), h2.causeway(gateway(2, "geneve"))
    capture = h2.capture("up0", filter="udp and greater 120 and less 126")  # SYNs, hardly anything else
    assert fetched_whole(c2, c1, c1.ip4)
    assert fetched_whole(c1, c2, c2.ip4)
    assert g1.drops() == g2.drops() == {}
    capture.stop()
    syns = capture.frames("tcp.flags.syn == 1", ["tcp.options.mss_val", "ip.src"])
    # What c2 announces has not been through g1 yet.
    announced = {(frame["ip.src"][-1], *frame["tcp.options.mss_val"]) for frame in syns}
    assert announced == {(c1.ip4, "1410"), (c2.ip4, "1460")}
    config["tunnels"]["tun0"]["mss-clamp"] = "off"
    g1.apply(config)
    with pytest.raises(LabError):
        fetched_whole(c2, c1, c1.ip4, timeout=4)
    assert g1.drops().keys() == {"too_big"}


@pytest.mark.parametrize("family", [4, 6])
def test_path_narrower_than_the_underlay(lab, family):
    """A router between the hosts, whose other side takes less. In IPv6 it is known by its link-local address."""
    narrow = 1400
    h1, router, h2 = lab.host("h1"), lab.host("router"), lab.host("h2")
    lab.link(h1, "up0", router, "r1")
    lab.link(router, "r2", h2, "up0", mtu=narrow)
    plain_cable(router, "r1", "r2")
    net = "172.31.{}.{}/24" if family == 4 else "fd00:31:{}::{}/64"
    for number in (1, 2):
        router.address(f"r{number}", net.format(number, 9), *([] if family == 4 else ["fe80::9/64"]))
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
    c1, c2 = (host.container(f"c{number}", address=f"10.1.0.{number}/24") for number, host in ((1, h1), (2, h2)))

    def config(me):
        local, remote, via = (net.format(*where).split("/")[0] for where in ((me, 1), (3 - me, 1), (me, 9)))
        text = gateway(me, "geneve")
        own = [net.format(me, 1)]
        if family == 6:
            own, via = [*own, f"fe80::{me}/64"], "fe80::9"
        text["ethernets"]["up0"] = {"addresses": own, "routes": [{"to": "default", "via": via}]}
        text["tunnels"]["tun0"].update(local=local, remote=remote)
        return text

    g1, g2 = h1.causeway(config(1)), h2.causeway(config(2))
    overhead = 50 if family == 4 else 70
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    assert g2.row("tunnels", "tun0")["mtu"] == narrow - overhead
    assert g1.row("tunnels", "tun0")["mtu"] == ETHERNET_MTU - overhead
    assert fetched_whole(c2, c1, c1.ip4)  # told twice: of the tunnel, then of the path
    tunnel = g1.row("tunnels", "tun0")
    assert (tunnel["path_mtu"], tunnel["mtu"]) == (narrow, narrow - overhead)
    assert known_mtu(c1, c2.ip4) == narrow - overhead
    assert g2.row("tunnels", "tun0")["path_mtu"] is None
    assert fetched_whole(c1, c2, c2.ip4)
