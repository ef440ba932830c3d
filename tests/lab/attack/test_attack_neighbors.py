"""Forged ARP and neighbor discovery, frames for neighbors that never answer, and a storm in the midst of which one has
to be found: what a stranger on the underlay can do, beside traffic that has nothing to do with it."""

import time

import pytest

from tests.support import plain_frames as frames
from tests.support.blast import Blast, blast
from tests.support.bystander import buffers_used
from tests.support.process import wait_until
from tests.support.underlay_attack import (ATTACKER_MAC, C1_MAC, GATEWAY_MAC, GROUP, NETWORK, VNI, Underlay, in_vxlan,
                                           mac_of, stranger)

TUNNELS = 1000
SECONDS = 3


def tunnels_to(local, remote):
    """As many as make each change of their next hop a lot of work."""
    return {f"x{number}": {"mode": "geneve", "id": 1000 + number, "local": local, "remote": remote} for number in range(TUNNELS)}


@pytest.mark.parametrize("family, macs", [(4, 2), (4, 5000), (6, 2), (6, 5000)])
def test_macs_in_turn_for_one_next_hop(lab, family, macs):
    """The next hop of 1,000 tunnels, which is nobody's but the attacker's; the ping goes by another one. With many MACs
    each is a source of its own, for limits that count by source."""
    network = Underlay(lab, family, tunnels=tunnels_to(NETWORK[family].format(1), NETWORK[family].format(9)))
    bystander = network.bystander()

    def answer(mac):
        if family == 4:
            body = frames.arp(frames.ARP_REPLY, mac, network.at(9), GATEWAY_MAC, network.at(1))
            return network.to_gateway(0x0806, body, mac)
        return network.to_gateway(0x86DD, frames.neighbor_advertisement(mac, network.at(9), network.at(1)), mac)

    with Blast(network.attacker, "up0", [answer(mac_of(number)) for number in range(macs)], 50000) as sender:
        bystander.endure(SECONDS)
        print(sender.result())
    bystander.unharmed()
    # And the next hop is known all the same, once nobody plays with it.
    blast(network.attacker, "up0", [answer(ATTACKER_MAC)], 2.5, per_second=20)
    macs = [row["mac"] for row in network.gateway.ctl("show", "neighbors") if row["address"] == network.at(9)]
    assert macs == [ATTACKER_MAC]


def test_frames_for_neighbors_that_never_answer(lab):
    """4,000 forged VTEPs, and a tenant who is with the attacker and sends to what is behind them: enough to take every
    buffer there is."""
    count = 4000
    network = Underlay(lab, remote=GROUP)
    bystander = network.bystander()
    forged = [in_vxlan(network, stranger(n), frames.ethernet(C1_MAC, mac_of(n), 0x88B5, b"x" * 46)) for n in range(count)]
    answers = [frames.ethernet(mac_of(n), C1_MAC, 0x88B5, b"x" * 46) for n in range(count)]
    held, used, looked_s = [0], [0], time.monotonic()

    def sample():
        nonlocal looked_s
        used.append(buffers_used(network.gateway) or 0)
        if time.monotonic() - looked_s > 1:  # 4,000 rows
            held.append(sum(row["waiting_frames"] for row in network.gateway.ctl("show", "neighbors")))
            looked_s = time.monotonic()

    with Blast(network.attacker, "up0", forged, 4000) as teaching, Blast(network.c1, "eth0", answers, 10000) as sender:
        bystander.endure(SECONDS, sample)
        print(teaching.result(), sender.result())
    print(f"held: at most {max(held)}; buffers in use: at most {max(used)}, {bystander.buffers} before")
    assert max(held) <= 52428 / 8
    assert max(used) <= 52428 / 4
    bystander.unharmed()


def storm(gateway_mac):
    """What the control thread gets of a busy or hostile network: ARP of strangers, echo requests, unknown VTEPs."""
    for number in range(6000):  # more VTEPs than a tunnel learns
        stranger_ip = f"172.30.{16 + number // 250}.{1 + number % 250}"
        inner = frames.ethernet(frames.BROADCAST, mac_of(number), 0x88B5, b"x" * 46)
        yield frames.ethernet(frames.BROADCAST, ATTACKER_MAC, 0x0806, frames.arp(
            frames.ARP_REQUEST, ATTACKER_MAC, stranger_ip, "00:00:00:00:00:00", "172.30.0.9"))
        for protocol, body in ((frames.ICMP, frames.icmp_echo(7, number)),
                               (frames.UDP, frames.udp(40000, 4789, frames.vxlan(VNI + 1, inner)))):
            yield frames.ethernet(gateway_mac, ATTACKER_MAC, 0x0800, frames.ipv4(stranger_ip, "172.30.0.1", protocol, body))


def test_neighbors_are_found_in_a_storm(lab):
    """On one underlay the storm, on the other 100 next hops that are new: an answer is enough to find each."""
    network = Underlay(lab)
    lab.link(network.h1, "up1", network.attacker, "up1")  # no switch between: as fast as it goes
    network.config["ethernets"]["up1"] = {"addresses": ["172.30.0.1/16"]}
    network.config["tunnels"]["grp0"] = {"mode": "vxlan", "id": VNI + 1, "local": "172.30.0.1", "remote": "239.1.1.2"}
    network.config["bridges"]["br2"] = {"interfaces": ["grp0"]}
    network.gateway.apply(network.config)
    bystander = network.bystander()
    hops = [network.at(number) for number in range(101, 201)]
    with open(lab.path("addresses"), "w") as batch:
        batch.write("".join(f"addr add {hop}/16 dev up0\n" for hop in hops))
    network.h2.ip("-batch", lab.path("addresses"))

    def states():
        rows = network.gateway.ctl("show", "neighbors")
        return {row["address"]: row["state"] for row in rows if row["address"] in hops}

    for number, hop in enumerate(hops):
        network.config["tunnels"][f"x{number}"] = {"mode": "geneve", "id": number, "local": network.at(1), "remote": hop}
    attack = list(storm(network.h1.mac("up1")))
    capture = network.switch.capture("h1", filter=f"arp and arp[6:2] = 1 and src host {network.at(1)}")
    with Blast(network.attacker, "up1", attack) as sender:
        time.sleep(0.5)
        started = time.monotonic()
        network.gateway.apply(network.config)
        wait_until(lambda: list(states().values()) == ["reachable"] * len(hops), 2, lambda: f"all are found: {states()}")
        print(f"found after {time.monotonic() - started:.2f} s;", sender.result(), network.gateway.drops())
    capture.stop()
    asked = capture.count()
    print(f"{asked} requests for {len(hops)} next hops")
    assert asked <= 1.2 * len(hops)  # an answer that was lost to the storm is asked for again
    with Blast(network.attacker, "up1", attack, 20000) as sender:
        bystander.endure(SECONDS)
        print(sender.result())
    assert set(states().values()) == {"reachable"}
    bystander.unharmed()
