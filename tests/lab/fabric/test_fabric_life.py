"""A fabric in its daily life: hosts that move, daemons that are killed and come back, a gateway that is replaced."""

import pytest

from tests.support import traffic
from tests.support.fabric import CONVERGED_S, VNI, Fabric, Mover
from tests.support.lab import Host
from tests.support.process import wait_until
from tests.support.systemd import Systemd

pytestmark = pytest.mark.alone

MOVES = 20
BAR_MS, SLACK = 200, 10     # of the longest gap, and how many times that a loaded machine may take
SHADOW = f"cwv{VNI}"        # the kernel's vxlan device that FRR sees


def test_a_host_moves_back_and_forth(lab):
    mover = Mover(lab)
    fabric = Fabric(lab, kernels=0, mover=mover)
    one, two, three = fabric.gateways
    fabric.await_flood_lists()
    mover.move(1)
    wait_until(lambda: traffic.ping(mover.host, three.container.ip4, count=1, check=False), 30, "the mover reaches c3")

    wait_until(lambda: mover.is_seen_by(fabric.gateways), CONVERGED_S, "all know where it is")
    streams = [traffic.UdpStream(mover.host, three.container, three.container.ip4, port=40000),
               traffic.UdpStream(three.container, mover.host, mover.ip4, port=40001)]
    for _ in range(MOVES):
        mover.move(3 - mover.at)
        wait_until(lambda: mover.is_seen_by(fabric.gateways), CONVERGED_S, lambda: f"all know that it is at gw{mover.at}")
    from_mover, to_mover = [stream.stop() for stream in streams]
    print(f"{MOVES} moves: longest gap {to_mover['longest_gap_ms']} ms to the host (at most {BAR_MS}), "
          f"{from_mover['longest_gap_ms']} ms from it; lost {len(to_mover['lost'])} and {len(from_mover['lost'])} "
          f"of {to_mover['sent']}")
    assert to_mover["longest_gap_ms"] <= BAR_MS * SLACK
    # None has kept the way to where it was.
    for member in fabric.gateways:
        behind = mover.seen_from(member)
        wait_until(lambda: member.known_macs().get(mover.mac, "nowhere") == behind, CONVERGED_S,
                   lambda: f"FRR on {member.name} knows where it is: {member.known_macs()}")
        entries = member.host.run(["bridge", "fdb", "show", "dev", SHADOW]).stdout.splitlines()
        remotes = [entry.split()[entry.split().index("dst") + 1] for entry in entries
                   if entry.startswith(mover.mac) and " dst " in entry]
        assert remotes == ([behind] if behind else [])


class Streams:
    """Both ways between two members, as long as the `with` block lasts; then `lost`, numbers of frames each way."""

    PER_SECOND = 500

    def __init__(self, one, other):
        self.streams = [traffic.UdpStream(one.container, other.container, other.container.ip4, self.PER_SECOND, port=41000),
                        traffic.UdpStream(other.container, one.container, one.container.ip4, self.PER_SECOND, port=41001)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        reports = [stream.stop() for stream in self.streams]
        self.lost = [len(report["lost"]) for report in reports]
        print(f"lost {self.lost} of {[report['sent'] for report in reports]}, longest gap "
              f"{[report['longest_gap_ms'] for report in reports]} ms")


def known_fabric(lab, start):
    fabric = Fabric(lab, kernels=0, start=start)
    fabric.meet()
    fabric.await_complete()
    return fabric


def test_daemons_of_frr_die(lab):
    fabric = known_fabric(lab, Host.causeway)
    one, two, _ = fabric.gateways
    mac = one.container.mac("eth0")
    with Streams(one, two) as streams:
        one.frr.kill("bgpd")
        wait_until(lambda: len(fabric.sessions()) == 2, 30, "the reflector has lost it")
        wait_until(lambda: mac not in two.known_macs(), 30, "FRR of the others has withdrawn it")
        wait_until(lambda: two.container.mac("eth0") not in one.known_macs(), 30, "and its zebra has withdrawn the others")
        assert traffic.ping(one.container, two.container.ip4) == 3
        one.frr.restart("bgpd")
        fabric.await_sessions()
        fabric.await_complete()
    assert streams.lost == [0, 0]
    with Streams(one, two) as streams:
        one.frr.kill("zebra")
        assert traffic.ping(one.container, two.container.ip4) == 3
    assert streams.lost == [0, 0]
    # A zebra that comes back alone knows less than bgpd has told the one before: all of it anew.
    with Streams(one, two) as streams:
        one.frr.restart()
        fabric.await_sessions()
        fabric.await_complete()


@pytest.fixture
def systemd(lab):
    store = Systemd(lab)
    yield store
    store.close()


def test_a_gateway_is_replaced_and_restarted(lab, systemd):
    def start(host, config):
        return Host.causeway(host, config, arguments=["--state", lab.path(f"{host.name}-state")],
                             by=systemd.by if host.name == "gw1" else ())

    def is_as_before():
        """All know all, also once everybody asks anew."""
        fabric.forget_neighbors()
        fabric.meet()
        fabric.await_complete()

    fabric = known_fabric(lab, start)
    one, two, _ = fabric.gateways
    before = fabric.sessions()
    with Streams(one, two):
        one.gateway.stop()
        one.gateway = start(one.host, one.gateway.config)
        is_as_before()
    with Streams(one, two):
        one.gateway.upgrade()
        is_as_before()
    # The host path's TAP was kept by systemd, then handed over: BGP has noticed nothing.
    after = fabric.sessions()
    assert after.keys() == before.keys() and all(after[peer] > before[peer] for peer in before)
    # Where nobody keeps the TAP, BGP may lose its session; all is as it was once it has it again.
    two.gateway.stop()
    two.gateway = start(two.host, two.gateway.config)
    fabric.await_sessions()
    is_as_before()
