"""A gateway on a segment with an honest peer and a stranger who forges what he likes."""

from tests.support import plain_frames as frames
from tests.support.bystander import Bystander
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.support.process import wait_until

GATEWAY_MAC, ATTACKER_MAC, C1_MAC = "02:00:00:00:01:01", "02:00:00:00:01:66", "02:00:00:00:0c:01"
NETWORK = {4: "172.31.0.{}", 6: "fd00:31::{:x}"}
LENGTH = {4: 16, 6: 64}
VNI, GROUP = 100, "239.1.1.1"


class Underlay:
    """h1 with the gateway, c1 and c3, h2 with a kernel's VXLAN and c2, an attacker, all on one switch."""

    def __init__(self, lab, family=4, remote=None, tunnels=None):
        self.lab, self.family = lab, family
        self.h1, self.h2, self.attacker = lab.host("h1"), lab.host("h2"), lab.host("atk")
        self.switch = lab.switch("sw", [(host, "up0") for host in (self.h1, self.h2, self.attacker)])
        self.h1.ip("link", "set", "up0", "address", GATEWAY_MAC)
        self.attacker.ip("link", "set", "up0", "address", ATTACKER_MAC)
        self.c1, self.c2, self.c3 = (
            host.container(f"c{number}", address=f"10.9.0.{number}/16", mtu=1400, mac=f"02:00:00:00:0c:0{number}")
            for number, host in ((1, self.h1), (2, self.h2), (3, self.h1)))
        KernelVxlanPeer(self.h2, "up0", self.at(2) + f"/{LENGTH[family]}", remote or self.at(1), ["c2"], vni=VNI)
        self.config = {
            "version": 1, "system": {"hugepages": "off"},
            "ethernets": {"c1": {}, "c3": {}, "up0": {"addresses": [f"{self.at(1)}/{LENGTH[family]}"]}},
            "bridges": {"br": {"interfaces": ["c1", "c3", "vx0"]}},
            "tunnels": {"vx0": {"mode": "vxlan", "id": VNI, "local": self.at(1), "remote": remote or self.at(2)},
                        **(tunnels or {})}}
        self.gateway = self.h1.causeway(self.config)

    def at(self, number):
        return NETWORK[self.family].format(number)

    def bystander(self):
        """A ping from c3 to c2. c1 is for attacks."""
        wait_until(lambda: self.c3.run(["ping", "-c1", "-W1", self.c2.ip4], check=False, quiet=True).returncode == 0, 10,
                   "the containers see each other")
        return Bystander(self.gateway, self.c3, self.c2.ip4)

    def to_gateway(self, ethertype, body, source=ATTACKER_MAC):
        return frames.ethernet(GATEWAY_MAC, source, ethertype, body)


def in_vxlan(network, source, inner, vni=VNI):
    """From the attacker, but with this outer source."""
    datagram = frames.udp(40000, 4789, frames.vxlan(vni, inner))
    return network.to_gateway(0x0800, frames.ipv4(source, network.at(1), frames.UDP, datagram))


def stranger(number):
    return f"172.31.{16 + number // 250}.{1 + number % 250}"


def mac_of(number):
    return f"02:66:00:00:{number >> 8:02x}:{number & 255:02x}"
