"""Underlays that follow the host's routing tables: tunnels go where `ip route` says, as soon as it says so."""

import time

from tests.support import traffic
from tests.support.overlay import two_hosts
from tests.support.process import wait_until
from tests.support.traffic import FLOWS

ROUTES = 20_000


def config(me, remote, ups, local=None, **up):
    tunnel = {"mode": "geneve", "id": 123, "remote": remote, **({"local": local} if local else {})}
    return {"version": 1, "system": {"hugepages": "off"},
            "ethernets": {f"c{me}": {}, **{name: {"addresses": "host", **up} for name in ups}},
            "bridges": {"br-int": {"interfaces": [f"c{me}", "tun0"]}},
            "tunnels": {"tun0": tunnel}}


class Fabric:
    """h1 and h2 with up1 and up2, each to a router of its own; VTEPs 192.0.2.1 and .2 are addresses of the hosts' lo. h2 has
    both ways from the start, h1 none."""

    def __init__(self, lab):
        self.h1, self.h2 = self.hosts = [lab.host("h1"), lab.host("h2")]
        self.spines = [lab.host("spine1"), lab.host("spine2")]
        for host in (*self.hosts, *self.spines):  # link-local addresses for next hops
            for scope in ("all", "default"):
                host.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 0)
        for s, spine in enumerate(self.spines, 1):
            spine.sysctl("net.ipv4.ip_forward", 1)
            for h, host in enumerate(self.hosts, 1):
                lab.link(host, f"up{s}", spine, f"h{h}")
                host.address(f"up{s}", f"172.31.{s}{h}.1/24")
                spine.address(f"h{h}", f"172.31.{s}{h}.9/24")
                spine.ip("route", "add", f"192.0.2.{h}/32", "via", f"172.31.{s}{h}.1")
        for h, host in enumerate(self.hosts, 1):
            host.ip("addr", "add", f"192.0.2.{h}/32", "dev", "lo")
        self.h2.ip("route", "add", "192.0.2.1/32", "src", "192.0.2.2", "nexthop", "via", "172.31.12.9",
                   "nexthop", "via", "172.31.22.9")
        self.containers = [host.container(f"c{h}", address=f"10.1.0.{h}/24", mtu=1450)
                           for h, host in enumerate(self.hosts, 1)]
        self.g1, self.g2 = (host.causeway(config(h, f"192.0.2.{3 - h}", ("up1", "up2"), f"192.0.2.{h}"))
                            for h, host in enumerate(self.hosts, 1))

    def route(self, *words):
        self.h1.ip("route", "replace", "192.0.2.2/32", "src", "192.0.2.1", *words)

    def ways(self):
        return sorted((hop["port"], hop["address"]) for hop in self.g1.row("tunnels", "tun0")["next_hops"])

    def await_ways(self, *ways):
        """How long that took, in seconds."""
        start = time.monotonic()
        wait_until(lambda: self.ways() == sorted(ways), 5, lambda: f"h1 goes by {ways}: {self.ways()}", interval=0.005)
        return time.monotonic() - start

    def send_flows(self):
        return traffic.ways_of_flows(self.g1, self.containers[0], "10.1.0.2")

    def link_local(self, spine):
        words = self.spines[spine - 1].ip("-6", "-o", "addr", "show", "dev", "h1", "scope", "link").stdout.split()
        return words[words.index("inet6") + 1].split("/")[0]


ONE, TWO = ("up1", "172.31.11.9"), ("up2", "172.31.21.9")


def test_tunnels_go_where_the_routes_do(lab):
    fabric = Fabric(lab)
    g1, (c1, c2) = fabric.g1, fabric.containers
    assert g1.row("tunnels", "tun0")["state"] == "no_route"
    findings = g1.ctl_run("doctor", check=False).stdout
    assert "no route to 192.0.2.2" in findings and "table main" in findings

    # One way, two of equal cost, the other.
    fabric.route("via", "172.31.11.9")
    took = fabric.await_ways(ONE)
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    fabric.route("nexthop", "via", "172.31.11.9", "nexthop", "via", "172.31.21.9")
    took = max(took, fabric.await_ways(ONE, TWO))
    wait_until(lambda: g1.row("tunnels", "tun0")["state"] == "up", 5, "both answer")
    wait_until(lambda: min(fabric.send_flows().values()) > 10 * FLOWS // 8, 10, "both are used")
    fabric.route("via", "172.31.21.9")
    took = max(took, fabric.await_ways(TWO))
    only = fabric.send_flows()
    assert only["up1"] <= FLOWS and only["up2"] >= 10 * FLOWS, only  # probes
    print(f"a route that changes is followed within {1000 * took:.0f} ms, asking included")

    # Next-hop objects, as FRR uses them: the route stays, its group changes.
    for id, address, port in ((1, "172.31.11.9", "up1"), (2, "172.31.21.9", "up2")):
        fabric.h1.ip("nexthop", "add", "id", id, "via", address, "dev", port)
    fabric.h1.ip("nexthop", "add", "id", 10, "group", "1/2")
    fabric.route("nhid", 10)
    fabric.await_ways(ONE, TWO)
    fabric.h1.ip("nexthop", "replace", "id", 10, "group", "2")
    fabric.await_ways(TWO)

    # An IPv6 next hop, found by neighbor discovery, carries IPv4 (RFC 8950).
    by = fabric.link_local(1)
    fabric.route("via", "inet6", by, "dev", "up1")
    fabric.await_ways(("up1", by))
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2 by an IPv6 next hop")
    fabric.route("via", "172.31.21.9")
    fabric.await_ways(TWO)
    fabric.h1.ip("nexthop", "add", "id", 3, "via", by, "dev", "up1")
    fabric.route("nhid", 3)
    fabric.await_ways(("up1", by))
    assert traffic.ping(c1, c2.ip4, count=2)

    # Nowhere, though a default route would lead there.
    fabric.h1.ip("route", "add", "default", "via", "172.31.11.9")
    fabric.h1.ip("route", "replace", "blackhole", "192.0.2.2/32")
    fabric.await_ways()
    assert not traffic.ping(c1, c2.ip4, count=1, check=False)
    fabric.h1.ip("route", "del", "blackhole", "192.0.2.2/32")
    fabric.await_ways(ONE)
    shown = [row for row in g1.ctl("show", "routes") if row["to"] == "0.0.0.0/0"]
    assert [(row["via"], row["ports"], row["from"]) for row in shown] == [(["172.31.11.9"], ["up1"], "table main")]

    # What goes with an interface goes silently.
    fabric.route("via", "172.31.21.9")
    fabric.await_ways(TWO)
    fabric.h1.ip("link", "set", "up2", "down")
    fabric.await_ways(ONE)
    fabric.h1.ip("link", "set", "up2", "up")
    fabric.route("via", "172.31.21.9")
    fabric.await_ways(TWO)


def test_twenty_thousand_routes(lab):
    fabric = Fabric(lab)
    c1, c2 = fabric.containers
    fabric.route("nexthop", "via", "172.31.11.9", "nexthop", "via", "172.31.21.9")
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    wait_until(lambda: fabric.g1.row("tunnels", "tun0")["state"] == "up" and len(fabric.ways()) == 2, 5, "both ways")
    networks = [f"10.{128 + n // 65536}.{n // 256 % 256}.{n % 256}/32" for n in range(ROUTES)]
    batch = lab.path("routes.batch")

    def run_batch(line):
        with open(batch, "w") as file:
            file.writelines(line.format(network) + "\n" for network in networks)
        fabric.h1.ip("-batch", batch)

    def known():
        return fabric.g1.ctl("show", "control")["routes"]

    before = known()["networks"]
    stream = traffic.UdpStream(c1, c2, c2.ip4)
    run_batch("route add {} via 172.31.11.9 proto 99")
    wait_until(lambda: known()["networks"] == before + ROUTES, 20, lambda: f"all are known: {known()}")
    run_batch("route replace {} via 172.31.21.9 proto 99")
    run_batch("route del {} proto 99")
    wait_until(lambda: known()["networks"] == before, 20, lambda: f"all are gone: {known()}")
    result = stream.stop()
    control = fabric.g1.ctl("show", "control")
    print(f"{ROUTES} routes came, moved and went; the control thread's longest stretch {control['longest_slice_ms']} ms; "
          f"routes {control['routes']}; {result}")
    assert len(result["lost"]) <= result["sent"] // 100 and len(fabric.ways()) == 2

    # They are there before the tunnels are, at a start.
    run_batch("route add {} via 172.31.11.9 proto 99")
    fabric.g1.stop()
    fabric.g1 = fabric.h1.causeway(fabric.g1.config)
    assert known()["networks"] == before + ROUTES and len(fabric.ways()) == 2
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2 again")


def test_another_table(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    for number, host in ((1, h1), (2, h2)):
        host.address("up0", f"172.31.0.{number}/24")
    h2.ip("addr", "add", "192.0.2.2/32", "dev", "lo")
    g1 = h1.causeway(config(1, "192.0.2.2", ["up0"], routes={"table": 10}))
    g2 = h2.causeway(config(2, "172.31.0.1", ["up0"], local="192.0.2.2"))
    h1.ip("route", "add", "192.0.2.2/32", "via", "172.31.0.2", "dev", "up0", "table", 10)
    wait_until(lambda: g1.row("tunnels", "tun0")["local"] == "172.31.0.1", 5, "its route is followed")
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    assert [row["from"] for row in g1.ctl("show", "routes") if row["to"] == "192.0.2.2/32"] == ["table 10"]
    # The main table has none to there.
    g1.apply(config(1, "192.0.2.2", ["up0"]))
    wait_until(lambda: g1.row("tunnels", "tun0")["state"] == "no_route", 5, "the main table knows no way")
    assert g2.row("tunnels", "tun0")["state"] != "no_route"
