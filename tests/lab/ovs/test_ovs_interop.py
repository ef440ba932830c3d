"""One end is a Causeway that ovs-vsctl drives, the other Open vSwitch itself: each type of tunnel, over IPv4 and IPv6."""

import pytest

from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsPeer
from tests.peers.transfer import transfer
from tests.support import traffic
from tests.support.ovsdb import Vsctl
from tests.support.overlay import two_hosts
from tests.support.process import wait_until

KINDS = {"gre": {"key": 7}, "vxlan": {"key": 123}, "geneve": {"key": 123}}
ADDRESSES = {4: ("172.31.0.1", "172.31.0.2"), 6: ("fd00:31::1", "fd00:31::2")}


@pytest.fixture
def ends(lab):
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=1400)
    plain_cable(h1, "up0")
    plain_cable(c2, "eth0")
    ours = Vsctl(h1)
    ours("add-br", "sw")
    ours("add-port", "sw", "c1")
    return ours, OvsPeer(h2, "up0", ["172.31.0.2/24", "fd00:31::2/64"], ["c2"], []), c1, c2


@pytest.mark.parametrize("family", ADDRESSES)
def test_tunnels_to_open_vswitch(ends, family):
    ours, theirs, c1, c2 = ends
    near, far = ADDRESSES[family]
    # Without a key: VNI 0, and GRE that has none.
    for kind, options in [*KINDS.items(), ("geneve", {}), ("gre", {})]:
        ours.tunnel("tun0", kind, far, **options)
        theirs.add_tunnel("tun0", kind, near, **options)
        wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 20, f"{kind} {options} carries")
        if options:
            print(f"{kind} over IPv{family}: {transfer(c2, c1, c2.ip4):.0f} Mbit/s there, "
                  f"{transfer(c1, c2, c1.ip4):.0f} Mbit/s back")
        ours("del-port", "sw", "tun0")
        theirs.vsctl("del-port", "br-int", "tun0")
