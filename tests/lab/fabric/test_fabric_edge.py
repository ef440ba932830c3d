"""Where a fabric ends: what the gateway's tables say of it, one that leaves it, and a tunnel that is stitched to it."""

from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsPeer
from tests.support import traffic
from tests.support.fabric import CONVERGED_S, HOLD_S, VNI, Fabric
from tests.support.overlay import CONTAINER_MTU
from tests.support.process import wait_until


def hold_nothing(config, _number):
    config["bridges"]["br-int"]["evpn"]["hold"] = 0


def test_what_show_says(lab):
    """The gateway's own tables say what FRR of both ends has."""
    fabric = Fabric(lab, gateways=2, kernels=0, change=hold_nothing)
    fabric.meet()
    fabric.await_complete()
    one, other = fabric.gateways
    [row] = one.gateway.ctl("show", "evpn")
    assert (row["vni"], row["bridge"], row["mode"], row["local"]) == (VNI, "br-int", "vxlan", one.vtep)
    assert (row["state"], row["vteps"], row["local_macs"], row["remote_macs"]) == ("up", 1, 1, 1)
    assert [vtep["remote"] for vtep in one.gateway.row("tunnels", f"evpn{VNI}")["vteps"]] == [other.vtep]
    learnt = [row for row in one.gateway.ctl("show", "fdb") if row["mac"] == other.container.mac("eth0")]
    assert [(row["type"], row["remote"]) for row in learnt] == [("evpn", other.vtep)]
    # One that stops withdraws: its VTEP and its MACs are gone from the other, long before BGP misses it.
    one.gateway.stop()
    wait_until(lambda: other.flood_list() == set(), HOLD_S / 3, "the VTEP that stopped is in no flood list")
    wait_until(lambda: one.container.mac("eth0") not in other.known_macs(), 30, "nor is its container's MAC known")
    wait_until(lambda: [row["mac"] for row in other.gateway.ctl("show", "fdb")] == [other.container.mac("eth0")], 30,
               "nor in the FDB")


EDGE, EDGE_KEY = "172.31.0.50", 7
BROADCASTS = 10
SEND = """
import socket, sys
cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
cable.bind(("eth0", 0))
for number in range(int(sys.argv[1])):
    cable.send(b"\\xff" * 6 + bytes.fromhex(sys.argv[2].replace(":", "")) + b"\\x88\\xb5" + bytes([number]) * 46)
"""


def with_an_edge(config, number):
    """The first gateway has a GENEVE tunnel, too, whose far end is in no fabric."""
    if number == 1:
        config["tunnels"] = {"gnv0": {"mode": "geneve", "id": EDGE_KEY, "local": "172.31.0.1", "remote": EDGE, "isolated": False}}
        config["bridges"]["br-int"]["interfaces"].append("gnv0")


def test_an_edge_is_stitched_to_the_fabric(lab):
    """Open vSwitch by GENEVE, a container and the fabric in one bridge: all reach each other, and nobody hears a frame twice."""
    fabric = Fabric(lab, gateways=2, kernels=1, change=with_an_edge)
    edge = lab.host("edge")
    lab.link(edge, "up0", fabric.switch, "edge")
    fabric.switch.ip("link", "set", "edge", "master", "br0")
    behind = edge.container("c9", address="10.1.0.9/24", mtu=CONTAINER_MTU)
    behind.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    plain_cable(behind, "eth0")
    OvsPeer(edge, "up0", f"{EDGE}/24", ["c9"], [("gnv0", "geneve", "172.31.0.1", EDGE_KEY)])
    fabric.meet()
    one, two, kernel = fabric.members
    for member in fabric.members:
        wait_until(lambda: traffic.ping(behind, member.container.ip4, count=1, check=False), CONVERGED_S,
                   f"the edge reaches {member.container.name}")
    # What the first gateway has learnt behind its tunnel is told to the fabric as its own.
    mac = behind.mac("eth0")
    for member in (two, kernel):
        wait_until(lambda: member.fdb().get(mac) == one.vtep, CONVERGED_S, f"{member.name} has the edge's MAC behind gw1")
    containers = [behind, *(member.container for member in fabric.members)]
    captures = [container.capture("eth0", filter="ether proto 0x88b5") for container in containers]
    for container in containers:
        container.run([traffic.PYTHON, "-c", SEND, BROADCASTS, container.mac("eth0")])
    every = BROADCASTS * len(containers)
    wait_until(lambda: all(capture.count_bpf("ether broadcast") >= every for capture in captures), 30, "all have arrived", interval=0.2)
    for capture in captures:
        capture.stop()
    heard = {container.name: capture.count_bpf("ether broadcast") for container, capture in zip(containers, captures)}
    assert heard == {container.name: every for container in containers}
    assert fabric.lost() == {}
