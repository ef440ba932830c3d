"""Two hosts, two routers between them: flows take both ways, and one way when the other fails."""

from tests.support import traffic
from tests.support.overlay import gateway
from tests.support.process import wait_until
from tests.support.traffic import FLOWS


class Fabric:
    """h1 and h2 with up1 and up2; up1 goes by router spine1, up2 by spine2. VTEPs have addresses of their own."""

    def __init__(self, lab):
        self.hosts = [lab.host("h1"), lab.host("h2")]
        self.spines = [lab.host("spine1"), lab.host("spine2")]
        for s, spine in enumerate(self.spines, 1):
            for h, host in enumerate(self.hosts, 1):
                lab.link(host, f"up{s}", spine, f"h{h}")
                spine.address(f"h{h}", f"172.31.{s}{h}.9/24")
            spine.sysctl("net.ipv4.ip_forward", 1)
            for h in (1, 2):
                spine.ip("route", "add", f"192.0.2.{h}/32", "via", f"172.31.{s}{h}.1")
        self.containers = [host.container(f"c{h}", address=f"10.1.0.{h}/24", mtu=1450)
                           for h, host in enumerate(self.hosts, 1)]
        self.gateways = [host.causeway(self.config(h)) for h, host in enumerate(self.hosts, 1)]

    def config(self, h):
        text = gateway(h, "geneve")
        del text["ethernets"]["up0"]
        for s in (1, 2):
            text["ethernets"][f"up{s}"] = {"addresses": [f"172.31.{s}{h}.1/24"],
                                           "routes": [{"to": "default", "via": f"172.31.{s}{h}.9"}]}
        text["ethernets"]["up1"]["addresses"].append(f"192.0.2.{h}/32")
        text["tunnels"]["tun0"].update(local=f"192.0.2.{h}", remote=f"192.0.2.{3 - h}")
        return text

    def send_flows(self):
        return traffic.ways_of_flows(self.gateways[0], self.containers[0], "10.1.0.2")


def test_equal_cost_paths_and_a_link_that_fails(lab):
    fabric = Fabric(lab)
    c1, c2 = fabric.containers
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "the tunnel carries")
    wait_until(lambda: all(hop["state"] == "reachable" for gateway in fabric.gateways
                           for hop in gateway.row("tunnels", "tun0")["next_hops"]), 10, "both spines are known")
    both = fabric.send_flows()
    assert min(both.values()) > 10 * FLOWS // 8, both
    captures = [host.capture("up1", filter="udp port 6081") for host in fabric.hosts]

    # Seen by h1 alone: h2 still sends by both.
    fabric.spines[0].ip("link", "set", "h1", "down")
    wait_until(lambda: len(fabric.gateways[0].row("tunnels", "tun0")["next_hops"]) == 1, 5, "the link is seen down")
    only = fabric.send_flows()
    assert only["up1"] == 0 and only["up2"] >= 10 * FLOWS, only

    fabric.spines[0].ip("link", "set", "h1", "up")
    wait_until(lambda: [hop["state"] for hop in fabric.gateways[0].row("tunnels", "tun0")["next_hops"]]
               == ["reachable"] * 2, 5, "the way is back")
    fabric.spines[0].ip("route", "replace", "192.0.2.1/32", "via", "172.31.11.1")  # it went with the link
    again = fabric.send_flows()
    assert min(again.values()) > 10 * FLOWS // 8, again
    assert traffic.ping(c1, c2.ip4, count=3)
    for capture in captures:
        assert capture.stop().broken() == []
    assert fabric.gateways[1].lost() == {}


def test_a_router_that_dies_silently(lab):
    """The link stays up, but its router answers no more: neighbor probes notice."""
    fabric = Fabric(lab)
    c1, c2 = fabric.containers
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "the tunnel carries")
    for name in ("h1", "h2"):
        fabric.spines[1].ip("link", "set", name, "arp", "off")
        fabric.spines[1].ip("addr", "flush", "dev", name)
    wait_until(lambda: all([hop["state"] for hop in gateway.row("tunnels", "tun0")["next_hops"]].count("failed") == 1
                           for gateway in fabric.gateways), 60, "the dead router is noticed")
    only = fabric.send_flows()
    assert only["up2"] <= FLOWS and only["up1"] >= 10 * FLOWS, only  # probes
    assert traffic.ping(c1, c2.ip4, count=3)
