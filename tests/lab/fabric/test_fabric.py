"""A fabric of three gateways and a VTEP of the kernel's, by stock FRR: everybody knows where everybody is, and reaches him."""

import pytest

from tests.peers.transfer import transfer
from tests.support import traffic
from tests.support.fabric import Fabric, Watch

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
