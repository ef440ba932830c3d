"""Forged VTEPs on a tunnel over a multicast group, more than it learns: who comes later must be heard all the same."""

import time

from tests.support import plain_frames as frames
from tests.support.blast import Blast, blast
from tests.support.process import wait_until
from tests.support.underlay_attack import GROUP, Underlay, in_vxlan, mac_of, stranger

FORGED = 4200  # a tunnel learns 4,096


def forged(network):
    for number in range(FORGED):
        yield in_vxlan(network, stranger(number), frames.ethernet(frames.BROADCAST, mac_of(number), 0x88B5, b"x" * 46))


def requests_for_strangers(network, seconds):
    """ARP requests of the gateway's for addresses of forged VTEPs, on the wire in that time."""
    capture = network.switch.capture("h1", filter=f"arp and arp[6:2] = 1 and src host {network.at(1)}")
    time.sleep(seconds)
    capture.stop()
    targets = [frame["arp.dst.proto_ipv4"][0] for frame in capture.frames("arp", ["arp.dst.proto_ipv4"])]
    return sum(not target.startswith("172.31.0.") for target in targets)


def test_an_honest_peer_that_comes_later_is_heard(lab):
    network = Underlay(lab, remote=GROUP)
    network.h2.ip("link", "set", "vx0", "down")
    print(blast(network.attacker, "up0", list(forged(network)), 1.5, per_second=50000))
    learnt = network.gateway.row("tunnels", "vx0")["vteps"]
    assert len(learnt) <= 4096
    network.h2.ip("link", "set", "vx0", "up")
    started = time.monotonic()
    wait_until(lambda: network.c1.run(["ping", "-c1", "-W1", network.c2.ip4], check=False, quiet=True).returncode == 0, 3,
               "the peer that came later is heard")
    print(f"{len(learnt)} VTEPs learnt; the honest peer was heard after {time.monotonic() - started:.2f} s")
    bystander = network.bystander()
    bystander.endure(2)
    bystander.unharmed()


def test_forged_vteps_are_not_asked_for(lab):
    """Nobody has sent to them: once the attack is over there is nothing to ask."""
    network = Underlay(lab, remote=GROUP)
    bystander = network.bystander()
    result = blast(network.attacker, "up0", list(forged(network)), 1, per_second=50000)
    bystander.endure(2)
    asked = requests_for_strangers(network, 3)
    print(f"{asked} ARP requests for forged VTEPs in 3 s, after {result}")
    assert asked <= 30
    bystander.unharmed()


def test_the_flood_goes_on_and_the_group_carries(lab):
    """Without an end: new forged VTEPs all the time, and two who know each other don't notice."""
    network = Underlay(lab, remote=GROUP)
    bystander = network.bystander()
    with Blast(network.attacker, "up0", list(forged(network)), 20000) as sender:
        bystander.endure(4)
        print(sender.result())
    bystander.unharmed()
