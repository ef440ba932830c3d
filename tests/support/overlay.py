"""The topology of the demo and of most lab tests: two hosts, a container behind each, one tunnel between."""

CONTAINER_MTU = 1450  # what fits into 1500 bytes beside IPv4, UDP, VXLAN or GENEVE and the inner Ethernet header


def two_hosts(lab, underlay_mtu=1500, container_mtu=CONTAINER_MTU):
    """h1 and h2 with up0 between them, c1 and c2 with 10.1.0.x/24 and fd00:1::x/64; no gateway yet."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0", mtu=underlay_mtu)
    containers = [host.container(f"c{number}", address=[f"10.1.0.{number}/24", f"fd00:1::{number}/64"],
                                 mtu=container_mtu) for number, host in ((1, h1), (2, h2))]
    return h1, h2, *containers


def tunnel(me, mode, id):
    return {"mode": mode, "id": id, "local": f"172.31.0.{me}", "remote": f"172.31.0.{3 - me}"}


def gateway(me, mode, ports=None, system=None):
    """Configuration of gateway 1 or 2 as a dict, to be changed at will: bridge br-int with `ports` and tun0."""
    ports = {f"c{me}": {}} if ports is None else ports
    # Whether huge pages are free depends on what else the machine does: no test should.
    config = {"version": 1, "system": {"hugepages": "off", **(system or {})}}
    config["ethernets"] = {**ports, "up0": {"addresses": [f"172.31.0.{me}/24"]}}
    config["bridges"] = {"br-int": {"interfaces": [*ports, "tun0"]}}
    config["tunnels"] = {"tun0": tunnel(me, mode, 123)}
    return config


class Overlay:
    """The topology with a causewayd on each host."""

    def __init__(self, lab, mode="geneve", system=None):
        self.lab = lab
        self.mode = mode
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        self.g1 = self.h1.causeway(gateway(1, mode, system=system))
        self.g2 = self.h2.causeway(gateway(2, mode, system=system))

    def drops(self):
        return {"h1": self.g1.drops(), "h2": self.g2.drops()}
