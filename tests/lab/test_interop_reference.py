"""The peers against each other, without Causeway: what fails here is no fault of ours."""

from tests.support import traffic
from tests.peers.cable import plain_cable
from tests.peers.kernel_vxlan import KernelVxlanPeer
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.peers.uml import UmlPeer
from tests.support.process import wait_until


def hosts(lab):
    left, right = lab.host("left"), lab.host("right")
    lab.link(left, "up0", right, "up0")
    plain_cable(left, "up0")
    plain_cable(right, "up0")
    return left, right


def container(host, name, address):
    made = host.container(name, address=address, mtu=1450)
    plain_cable(made, "eth0")
    return made


def exchange(a, address_a, b, address_b):
    wait_until(lambda: traffic.ping(a, address_b, count=1, check=False), 20, f"{a} reaches {address_b}")
    for payload_bytes in (56, 1372):
        traffic.ping(a, address_b, payload_bytes=payload_bytes, dont_fragment=True)
        traffic.ping(b, address_a, payload_bytes=payload_bytes, dont_fragment=True)
    print(f"{transfer(a, b, address_a):.0f} and {transfer(b, a, address_b):.0f} Mbit/s")


def test_kernel_vxlan_and_ovs(lab):
    left, right = hosts(lab)
    c1, c2 = container(left, "c1", "10.1.0.1/24"), container(right, "c2", "10.1.0.2/24")
    KernelVxlanPeer(left, "up0", "172.31.0.1/24", "172.31.0.2", ["c1"])
    OvsPeer(right, "up0", "172.31.0.2/24", ["c2"], [("vx0", "vxlan", "172.31.0.1", 100)])
    exchange(c1, "10.1.0.1", c2, "10.1.0.2")


def test_kernel_geneve_and_ovs(lab):
    left, right = hosts(lab)
    inside = UmlPeer(left, "up0")
    inside.add_geneve("172.31.0.1/24", "172.31.0.2", "10.1.0.1/24")
    c2 = container(right, "c2", "10.1.0.2/24")
    OvsPeer(right, "up0", "172.31.0.2/24", ["c2"], [("gnv0", "geneve", "172.31.0.1", 123)])
    exchange(inside, "10.1.0.1", c2, "10.1.0.2")
    inside.stop()
