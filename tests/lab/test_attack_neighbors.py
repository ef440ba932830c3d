"""Forged ARP and neighbor discovery, frames for neighbors that never answer, and a storm in the midst of which one has
to be found: what a stranger on the underlay can do, beside traffic that has nothing to do with it."""

import time

import pytest

from tests.support import plain_frames as frames
from tests.support.blast import Blast, blast
from tests.support.process import wait_until
from tests.support.underlay_attack import (ATTACKER_MAC, C1_MAC, GATEWAY_MAC, GROUP, NETWORK, VNI, Underlay, in_vxlan,
                                           mac_of, stranger)

STRANGER_MAC = "02:00:00:00:01:77"
TUNNELS = 1000
SECONDS = 4


def tunnels_to(local, remote):
    """As many as make each change of their next hop a lot of work."""
    return {f"x{number}": {"mode": "geneve", "id": 1000 + number, "local": local, "remote": remote} for number in range(TUNNELS)}


@pytest.mark.parametrize("family", [4, 6])
def test_two_macs_in_turn_for_one_next_hop(lab, family):
    """The next hop of 1,000 tunnels, which is nobody's but the attacker's; the ping goes by another one."""
    network = Underlay(lab, family, tunnels=tunnels_to(NETWORK[family].format(1), NETWORK[family].format(9)))
    bystander = network.bystander()

    def answer(mac):
        if family == 4:
            return network.to_gateway(0x0806, frames.arp(frames.ARP_REPLY, mac, network.at(9), GATEWAY_MAC, network.at(1)))
        return network.to_gateway(0x86DD, frames.neighbor_advertisement(mac, network.at(9), network.at(1)))

    with Blast(network.attacker, "up0", [answer(ATTACKER_MAC), answer(STRANGER_MAC)], 50000) as sender:
        bystander.endure(SECONDS)
        print(sender.result())
    bystander.unharmed()
    # And the next hop is known all the same, once nobody plays with it.
    blast(network.attacker, "up0", [answer(ATTACKER_MAC)], 2.5, per_second=20)
    macs = [row["mac"] for row in network.gateway.ctl("show", "neighbors") if row["address"] == network.at(9)]
    assert macs == [ATTACKER_MAC]


def inner_of(number):
    return f"10.9.{100 + number // 250}.{1 + number % 250}"


def pings_from_strangers(network, count):
    """From behind forged VTEPs, to c1, which answers: its answers go to VTEPs that nobody has."""
    for number in range(count):
        inner = frames.ethernet(C1_MAC, mac_of(number), 0x0800, frames.ipv4(
            inner_of(number), network.c1.ip4, frames.ICMP, frames.icmp_echo(7, number)))
        yield in_vxlan(network, stranger(number), inner)


def know_strangers(container, count):
    """The container needn't ask for their MACs: an attacker would answer that, too."""
    for key, value in {"net.ipv4.icmp_ratelimit": 0, "net.ipv4.icmp_msgs_per_sec": 1000000,
                       "net.ipv4.neigh.default.gc_thresh2": 90000, "net.ipv4.neigh.default.gc_thresh3": 100000}.items():
        container.run(["sysctl", "-qw", f"{key}={value}"], check=False, quiet=True)
    batch = container.lab.path("strangers")
    with open(batch, "w") as output:
        for number in range(count):
            output.write(f"neigh add {inner_of(number)} lladdr {mac_of(number)} dev eth0\n")
    container.ip("-batch", batch)


def test_frames_for_neighbors_that_never_answer(lab):
    """4,000 of them, and enough frames for each to take every buffer there is."""
    count = 4000
    network = Underlay(lab, remote=GROUP)
    bystander = network.bystander()
    know_strangers(network.c1, count)
    held, used = [0], [0]

    def sample():
        held.append(sum(row["waiting_frames"] for row in network.gateway.ctl("show", "neighbors")))
        used.append(network.gateway.ctl("show", "workers")[0].get("mbufs_used", 0))

    with Blast(network.attacker, "up0", list(pings_from_strangers(network, count)), 40000) as sender:
        bystander.endure(SECONDS, sample)
        print(sender.result())
    print(f"held: at most {max(held)}; buffers in use: at most {max(used)}, {bystander.buffers} before")
    assert max(held) <= 52428 / 4
    assert max(used) <= 52428 / 2
    bystander.unharmed()


def storm(network):
    """What the control thread gets of a busy or hostile network: ARP of strangers, echo requests, unknown VTEPs."""
    for number in range(6000):  # more VTEPs than a tunnel learns
        yield frames.ethernet(frames.BROADCAST, ATTACKER_MAC, 0x0806, frames.arp(
            frames.ARP_REQUEST, ATTACKER_MAC, stranger(number), "00:00:00:00:00:00", stranger(number + 1)))
        yield network.to_gateway(0x0800, frames.ipv4(network.at(66), network.at(1), frames.ICMP, frames.icmp_echo(7, number)))
        inner = frames.ethernet(frames.BROADCAST, mac_of(number), 0x88B5, b"x" * 46)
        yield in_vxlan(network, stranger(number), inner, VNI + 1)


def test_neighbors_are_found_in_a_storm(lab):
    """20 next hops that are new, one after the other: none is lost sight of, and each is there at once."""
    network = Underlay(lab)
    network.config["tunnels"]["grp0"] = {"mode": "vxlan", "id": VNI + 1, "local": network.at(1), "remote": GROUP}
    network.config["bridges"]["br2"] = {"interfaces": ["grp0"]}
    network.gateway.apply(network.config)
    bystander = network.bystander()
    hops = [network.at(number) for number in range(101, 121)]
    network.h2.address("up0", *(f"{hop}/16" for hop in hops))

    def states():
        rows = network.gateway.ctl("show", "neighbors")
        return {row["address"]: row["state"] for row in rows if row["address"] in hops}

    with Blast(network.attacker, "up0", list(storm(network)), 100000, seconds=20) as sender:
        for number, hop in enumerate(hops):
            network.config["tunnels"][f"x{number}"] = {"mode": "geneve", "id": number, "local": network.at(1), "remote": hop}
        started = time.monotonic()
        network.gateway.apply(network.config)
        wait_until(lambda: list(states().values()) == ["reachable"] * len(hops), 2, lambda: f"all are found: {states()}")
        seconds = time.monotonic() - started
        bystander.endure(SECONDS)
        assert sender.running()
        print(f"found after {seconds:.2f} s;", sender.result())
    assert set(states().values()) == {"reachable"}
    bystander.unharmed()
