"""BGP unnumbered: two gateways and two spines, no IPv4 address on any link. FRR on each speaks over the host path, its
routes have IPv6 next hops, and BFD says when a spine has died."""

from tests.peers.frr import Frr
from tests.support import traffic
from tests.support.process import wait_until
from tests.support.traffic import FLOWS

PATIENCE_S = 60
TIMERS = """bfd
 profile fast
  transmit-interval 50
  receive-interval 50
  detect-multiplier 3
"""


def bgp(number, router_id, interfaces, network=None):
    neighbors = "".join(f" neighbor {name} interface remote-as external\n neighbor {name} bfd profile fast\n"
                        for name in interfaces)
    announced = f"  network {network}\n" if network else ""
    return (f"frr defaults datacenter\n{TIMERS}!\nrouter bgp {number}\n bgp router-id {router_id}\n"
            f" no bgp ebgp-requires-policy\n bgp bestpath as-path multipath-relax\n{neighbors}"
            f" address-family ipv4 unicast\n{announced} exit-address-family\n")


class Fabric:
    """h1 and h2 with up1 and up2, each to a spine of its own. VTEPs are 192.0.2.1 and .2, on up1."""

    def __init__(self, lab):
        self.hosts = [lab.host("h1"), lab.host("h2")]
        self.spines = [lab.host("spine1"), lab.host("spine2")]
        for host in (*self.hosts, *self.spines):
            for scope in ("all", "default"):
                host.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 0)
        for s, spine in enumerate(self.spines, 1):
            spine.sysctl("net.ipv4.ip_forward", 1)
            for h, host in enumerate(self.hosts, 1):
                lab.link(host, f"up{s}", spine, f"h{h}")
        self.containers = [host.container(f"c{h}", address=f"10.1.0.{h}/24", mtu=1450)
                           for h, host in enumerate(self.hosts, 1)]
        self.gateways = [host.causeway(self.config(h)) for h, host in enumerate(self.hosts, 1)]
        self.routers = [Frr(spine).start(bgp(65100, f"192.0.2.10{s}", ("h1", "h2")))
                        for s, spine in enumerate(self.spines, 1)]
        self.leaves = [Frr(host).start(bgp(65000 + h, f"192.0.2.{h}", ("host-up1", "host-up2"), f"192.0.2.{h}/32"))
                       for h, host in enumerate(self.hosts, 1)]

    def config(self, h):
        # An underlay has an address; up2's is nobody's business.
        ups = {"up1": f"192.0.2.{h}/32", "up2": f"192.0.2.{200 + h}/32"}
        return {"version": 1, "system": {"hugepages": "off"},
                "ethernets": {f"c{h}": {}, **{name: {"addresses": [address], "host": True, "routes": "host"}
                                              for name, address in ups.items()}},
                "bridges": {"br-int": {"interfaces": [f"c{h}", "tun0"]}},
                "tunnels": {"tun0": {"mode": "vxlan", "id": 123, "local": f"192.0.2.{h}", "remote": f"192.0.2.{3 - h}"}}}

    def ways(self, gateway):
        """Ports of the next hops that answer; all of these are link-local."""
        hops = gateway.row("tunnels", "tun0")["next_hops"]
        assert all(hop["address"].startswith("fe80::") for hop in hops), hops
        return sorted(hop["port"] for hop in hops if hop["state"] == "reachable")

    def await_ways(self, *ports):
        wait_until(lambda: all(self.ways(gateway) == list(ports) for gateway in self.gateways), PATIENCE_S,
                   lambda: f"gateways go by {ports}: {[self.ways(gateway) for gateway in self.gateways]}\n"
                           + self.leaves[0].vtysh("show bgp summary", "show ip route", check=False))

    def bfd_is_up(self):
        peers = [peer for leaf in self.leaves for peer in leaf.json("show bfd peers")]
        return len(peers) == 4 and all(peer["status"] == "up" for peer in peers)

    def send_flows(self):
        return traffic.ways_of_flows(self.gateways[0], self.containers[0], "10.1.0.2", each=20)


def test_two_spines_and_one_that_dies(lab):
    fabric = Fabric(lab)
    c1, c2 = fabric.containers
    fabric.await_ways("up1", "up2")
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "c1 reaches c2")
    both = fabric.send_flows()
    assert min(both.values()) > 20 * FLOWS // 8, both
    wait_until(fabric.bfd_is_up, PATIENCE_S, "BFD is up")

    # Streams in both directions and by several flows: some go by the spine that dies.
    streams = [traffic.UdpStream(source, target, target.ip4, per_second=250, port=41000 + n)
               for n in range(2) for source, target in ((c1, c2), (c2, c1))]
    spine, router = fabric.spines[0], fabric.routers[0]
    spine.sysctl("net.ipv4.ip_forward", 0)  # the kernel of a host that has died forwards nothing, and its links stay up
    for daemon in ("bfdd", "bgpd", "zebra"):
        router.kill(daemon)
    fabric.await_ways("up2")
    results = [stream.stop() for stream in streams]
    lost_ms = [4 * len(result["lost"]) for result in results]
    print(f"without frames while a spine died, a flow each: {lost_ms} ms (bar: 300)")
    assert max(lost_ms) < 3000, results
    assert traffic.ping(c1, c2.ip4, count=3)

    # It comes back, and is used again.
    spine.sysctl("net.ipv4.ip_forward", 1)
    router.restart()
    fabric.await_ways("up1", "up2")
    wait_until(lambda: min(fabric.send_flows().values()) > 20 * FLOWS // 8, 20, "both are used again")
    assert traffic.ping(c1, c2.ip4, count=3)
