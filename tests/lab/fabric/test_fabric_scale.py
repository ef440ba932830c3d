"""More of everything than one has in a small lab: 30 VNIs, one a VLAN, and 2,000 MACs. `./run bench fabric` has the large figures."""

import copy
import time

from tests.support import traffic
from tests.support.blast import Blast
from tests.support.fabric import CONVERGED_S, Fabric
from tests.support.lab import Host
from tests.support.overlay import CONTAINER_MTU
from tests.support.plain_frames import mac_bytes
from tests.support.process import wait_until

VLANS = range(101, 131)     # VLAN and VNI have the same number
ONE_MORE = 131
MACS = 2000
WITH_HOSTS = (VLANS[0], VLANS[-1], ONE_MORE)
PEOPLED = (1, 2)            # the gateways that have a container in each of these
ETHERTYPE = b"\x88\xb5"     # IEEE Std 802: local experiments


def evpn(number, vlans):
    return [{"vni": vlan, "vlan": vlan, "local": f"172.31.0.{number}"} for vlan in vlans]


def many_vnis(config, number):
    config["ethernets"][f"c{number}"] = {"vlan": {"mode": "trunk", "trunks": [*VLANS, ONE_MORE]}}
    config["bridges"]["br-int"]["evpn"] = evpn(number, VLANS)
    if number in PEOPLED:
        config["ethernets"].update({name_of(number, vlan): {"vlan": {"mode": "access", "tag": vlan}} for vlan in WITH_HOSTS})
        config["bridges"]["br-int"]["interfaces"] += [name_of(number, vlan) for vlan in WITH_HOSTS]


def name_of(number, vlan):
    """Of a container's port in one VLAN."""
    return f"v{vlan}-{number}"


def tagged(destination, source, vlan):
    return (mac_bytes(destination) + mac_bytes(source) + b"\x81\x00" + vlan.to_bytes(2, "big") + ETHERTYPE).ljust(64, b"\0")


def mac_of(number):
    return f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"


def learnt(member, vlan):
    """MACs that the gateway has from the fabric."""
    return {row["mac"]: row["remote"] for row in member.gateway.ctl("show", "fdb") if row["type"] == "evpn" and row["vlan"] == vlan}


def test_many_vnis_and_macs(lab):
    hosts = {}

    def start(host, config):
        for number in PEOPLED:
            if host.name == f"gw{number}":
                hosts.update({(number, vlan): host.container(name_of(number, vlan), f"10.2.{vlan}.{number}/24", CONTAINER_MTU)
                              for vlan in WITH_HOSTS})
        return Host.causeway(host, config)

    fabric = Fabric(lab, kernels=0, change=many_vnis, start=start)
    one, two, three = fabric.gateways
    everybody = {member.vtep for member in fabric.gateways}

    def floods(member, vlans):
        """Every VLAN to everybody else."""
        known = member.frr.json("show evpn vni")
        return {int(vni): set(row.get("remoteVteps", [])) for vni, row in known.items()} == {
            vlan: everybody - {member.vtep} for vlan in vlans}

    for member in fabric.gateways:
        wait_until(lambda: floods(member, VLANS), CONVERGED_S, f"{member.name} has every VNI's VTEPs", interval=0.2)
    for vlan in (VLANS[0], VLANS[-1]):
        wait_until(lambda: traffic.ping(hosts[1, vlan], hosts[2, vlan].ip4, count=1, check=False), CONVERGED_S, f"VLAN {vlan} is joined")

    here, there = [hosts[number, VLANS[0]].mac("eth0") for number in PEOPLED]
    started = time.monotonic()
    with Blast(one.container, "eth0", [tagged(there, mac_of(number), VLANS[0]) for number in range(MACS)],
               per_second=20_000):
        # Its own container's MAC is one of the VLAN's, too.
        for member in (two, three):
            wait_until(lambda: len(learnt(member, VLANS[0])) >= MACS + 1, CONVERGED_S, f"{member.name} knows them all", interval=0.1)
    print(f"{MACS} MACs known to both others in {time.monotonic() - started:.2f} s")
    assert {mac_of(number): one.vtep for number in range(MACS)}.items() <= learnt(two, VLANS[0]).items()
    assert {mac_of(number) for number in range(MACS)} <= set(one.known_macs(VLANS[0])) and here in one.known_macs(VLANS[0])

    # Those who know where they are send to that VTEP alone.
    capture = fabric.switch.capture("gw2", filter=f"udp dst port 4789 and src host {two.vtep}", snap_bytes=80)
    with Blast(two.container, "eth0", [tagged(mac_of(number), two.container.mac("eth0"), VLANS[0]) for number in range(MACS)],
               per_second=5_000):
        wait_until(lambda: two.gateway.row("ports", "c2")["rx_packets"] > MACS, 30, "they are sent")
        wait_until(lambda: capture.size_bytes() > MACS * 96, 30, "they leave")
    capture.stop()
    theirs = "udp[28:2] == 0x88b5"  # the inner EtherType: hosts say something to everybody now and then
    assert capture.count_bpf(f"dst host {one.vtep} and {theirs}") >= MACS
    assert capture.count_bpf(f"dst host {three.vtep} and {theirs}") == 0

    # One VNI more, and back, while others carry.
    one_host, other_host = [hosts[number, VLANS[0]] for number in PEOPLED]
    stream = traffic.UdpStream(one_host, other_host, other_host.ip4, per_second=500)
    more = [*VLANS, ONE_MORE]
    for vlans in (more, VLANS):
        for member in fabric.gateways:
            config = copy.deepcopy(member.gateway.config)
            config["bridges"]["br-int"]["evpn"] = evpn(member.number, vlans)
            member.gateway.apply(config)
        for member in fabric.gateways:
            wait_until(lambda: floods(member, vlans), CONVERGED_S, f"{member.name} has the VNIs of its file", interval=0.2)
        reached = traffic.ping(hosts[1, ONE_MORE], hosts[2, ONE_MORE].ip4, count=3, check=False)
        assert bool(reached) == (ONE_MORE in vlans)
    assert stream.stop()["lost"] == []
