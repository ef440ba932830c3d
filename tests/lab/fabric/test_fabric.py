"""A fabric of three gateways and a VTEP of the kernel's, by stock FRR: everybody knows where everybody is, and reaches him."""

import pytest

from tests.peers.transfer import transfer
from tests.support import traffic
from tests.support.fabric import VNI, Fabric, Watch
from tests.support.process import wait_until

BYTES, SOME_BYTES = 100_000_000, 4_000_000
FABRICS = {"vxlan4": ("vxlan", 4, 1), "vxlan6": ("vxlan", 6, 1), "geneve4": ("geneve", 4, 0)}


def ping_all(fabric):
    for one, other in fabric.pairs():
        for address in (other.container.ip4, other.container.ip6):
            assert traffic.ping(one.container, address, interval_s=0.05) == 3


@pytest.mark.parametrize("name", FABRICS)
def test_everybody_knows_and_reaches_everybody(lab, name):
    mode, family, kernels = FABRICS[name]
    fabric = Fabric(lab, mode, family, kernels=kernels)
    fabric.meet()
    fabric.await_complete()
    fabric.forget_neighbors()
    with Watch(fabric) as watch:
        ping_all(fabric)
    # Once learnt, no unicast frame goes to a VTEP that its host isn't behind, and hosts that are known aren't asked for.
    assert watch.misdirected() == []
    assert watch.requests() == []
    for one, other in fabric.pairs():
        whole = (one, other) == fabric.pairs()[-1]
        rate = transfer(other.container, one.container, other.container.ip4, BYTES if whole else SOME_BYTES)
        print(f"{one.name} to {other.name}: {rate:.0f} Mbit/s")
    fabric.await_complete()
    assert fabric.lost() == {}


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
    assert other.vtep in one.gateway.ctl_run("show", "tunnels").stdout
    learnt = [row for row in one.gateway.ctl("show", "fdb") if row["mac"] == other.container.mac("eth0")]
    assert [(row["type"], row["remote"]) for row in learnt] == [("evpn", other.vtep)]
    # One that stops withdraws: its VTEP and its MACs are gone from the other.
    one.gateway.stop()
    wait_until(lambda: other.flood_list() == set(), 30, "the VTEP that stopped is in no flood list")
    wait_until(lambda: one.container.mac("eth0") not in other.known_macs(), 30, "nor is its container's MAC known")
    wait_until(lambda: [row["mac"] for row in other.gateway.ctl("show", "fdb")] == [other.container.mac("eth0")], 30,
               "nor in the FDB")
