"""ARP and ND suppression between two gateways, with hosts of the kernel's; tshark says what is asked on the underlay."""

import json

from tests.support import traffic
from tests.support.overlay import CONTAINER_MTU, gateway
from tests.support.process import wait_until

OF_EACH = 500  # known hosts, IPv4 and IPv6
KNOWN4 = [f"10.1.{1 + i // 250}.{i % 250 + 1}" for i in range(OF_EACH)]
KNOWN6 = [f"fd00:1::1:{i + 1:x}" for i in range(OF_EACH)]
TO_ALL = "(eth.dst == ff:ff:ff:ff:ff:ff || eth.dst[0:2] == 33:33)"

# Asks for hosts until all have answered, or twenty seconds are over; says who did, and with which MAC.
ASK = """
import json, sys, threading, time
from scapy.all import (ARP, AsyncSniffer, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,
                       IPv6, conf, get_if_hwaddr)
mac, own4, own6 = get_if_hwaddr("eth0"), sys.argv[1], sys.argv[2]
wanted, got, started = sys.argv[3:], {}, threading.Event()

def question(address):
    if ":" not in address:
        return Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=mac, psrc=own4, pdst=address)
    last = int(address.rpartition(":")[2], 16)
    middle = int(address.rpartition(":")[0].rpartition(":")[2] or "0", 16) & 0xff
    low = f"{middle:02x}:{last >> 8:02x}:{last & 255:02x}"
    group = f"ff02::1:ff{middle:02x}:{last:x}"
    return (Ether(src=mac, dst="33:33:ff:" + low) / IPv6(src=own6, dst=group, hlim=255) / ICMPv6ND_NS(tgt=address)
            / ICMPv6NDOptSrcLLAddr(lladdr=mac))

def take(frame):
    if ARP in frame and frame[ARP].op == 2:
        got[frame[ARP].psrc] = frame[ARP].hwsrc
    elif ICMPv6ND_NA in frame and ICMPv6NDOptDstLLAddr in frame:
        got[frame[ICMPv6ND_NA].tgt] = frame[ICMPv6NDOptDstLLAddr].lladdr

sniffer = AsyncSniffer(iface="eth0", prn=take, store=False, started_callback=started.set)
sniffer.start()
started.wait(10)
out = conf.L2socket(iface="eth0")
until = time.monotonic() + 20
while time.monotonic() < until and not got.keys() >= set(wanted):
    for number, address in enumerate(address for address in wanted if address not in got):
        out.send(question(address))
        if number % 50 == 49:
            time.sleep(0.05)
    pause = time.monotonic() + 1
    while time.monotonic() < pause and not got.keys() >= set(wanted):
        time.sleep(0.05)
sniffer.stop()
print(json.dumps({address: got.get(address) for address in wanted}))
"""


def suppressing(me, ports):
    config = gateway(me, "vxlan", ports=ports)
    config["bridges"]["br-int"]["parameters"] = {"arp-nd-suppress": True}
    return config


def state_of(daemon, address):
    return next((row["state"] for row in daemon.ctl("show", "hosts") if row["ip"] == address), None)


def flags_of(container, address):
    """What the kernel says of one of its IPv6 addresses: `tentative`, `dadfailed`."""
    lines = container.ip("-6", "addr", "show", "dev", "eth0").stdout.splitlines()
    return next((line.split() for line in lines if f" {address}/" in line), [])


def asked(capture, target):
    """How often all were asked for `target` in a capture, at any depth."""
    field = "icmpv6.nd.ns.target_address" if ":" in target else "arp.dst.proto_ipv4"
    kind = "icmpv6.type == 135" if ":" in target else "arp.opcode == 1"
    return capture.count(f"{TO_ALL} && {kind} && {field} == {target}")


def test_known_hosts_are_answered_for(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    hosts = {name: host.container(name, address=[f"10.1.0.{number}/16", f"fd00:1::{number}/64"], mtu=CONTAINER_MTU)
             for name, host, number in (("c1", h1, 1), ("a1", h1, 3), ("c2", h2, 2))}
    c1, a1, c2 = hosts["c1"], hosts["a1"], hosts["c2"]
    c1_mac, a1_mac = c1.mac("eth0"), a1.mac("eth0")
    bound = [{"mac": c1_mac, "addresses": [c1.ip4, c1.ip6, *KNOWN4, *KNOWN6]}]
    g1 = h1.causeway(suppressing(1, {"c1": {"bindings": bound}, "a1": {}}))
    g2 = h2.causeway(suppressing(2, {"c2": {}}))
    # Whoever is no known host is found as ever.
    wait_until(lambda: traffic.ping(a1, c2.ip4, count=1, check=False), 20, "the tunnel is up")
    assert traffic.ping(a1, c2.ip6) == 3
    assert g1.row("bridges", "br-int")["hosts"] >= 2 * OF_EACH + 2

    underlay, there = h1.capture("up0"), c1.capture("eth0")
    answers = json.loads(a1.run([traffic.PYTHON, "-c", ASK, a1.ip4, a1.ip6, *KNOWN4, *KNOWN6], timeout=60,
                                quiet=True).stdout)
    a1.ip("neigh", "flush", "dev", "eth0")
    assert traffic.ping(a1, c1.ip4) == 3 and traffic.ping(a1, c1.ip6) == 3  # the kernel takes the answer
    underlay.stop()
    there.stop()
    assert {address: mac for address, mac in answers.items() if mac != c1_mac} == {}
    requests = "(arp.opcode == 1 || icmpv6.type == 135)"
    assert underlay.count(f"vxlan && eth.src == {a1_mac} && {TO_ALL} && {requests}") == 0
    assert asked(there, c1.ip4) == asked(there, c1.ip6) == 0
    assert underlay.broken() == [] and there.broken() == []
    assert g1.row("bridges", "br-int")["answered"] >= 2 * OF_EACH

    # An unknown one floods.
    underlay = h1.capture("up0")
    a1.run(["ping", "-c", 1, "-W", 1, "10.1.0.77"], check=False)
    underlay.stop()
    assert asked(underlay, "10.1.0.77") > 0

    # c2 has told a1 where it is: its gateway has heard it, and c2's kernel has answered the probe.
    for address in (c2.ip4, c2.ip6):
        wait_until(lambda: state_of(g2, address) == "known", 20, lambda: f"{address}: {g2.ctl('show', 'hosts')}")
    there = c2.capture("eth0")
    a1.ip("neigh", "flush", "dev", "eth0")
    assert traffic.ping(a1, c2.ip4) == 3 and traffic.ping(a1, c2.ip6) == 3
    there.stop()
    assert there.count(f"{TO_ALL} && {requests} && eth.src == {a1_mac}") == 0
    assert g2.row("bridges", "br-int")["answered"] >= 2


def test_duplicate_addresses_are_detected(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    a1 = h1.container("a1", address=["10.1.0.3/16", "fd00:1::3/64"], mtu=CONTAINER_MTU)
    b1 = h1.container("b1", address=["10.1.0.4/16", "fd00:1::4/64"], mtu=CONTAINER_MTU)
    c2 = h2.container("c2", address=["10.1.0.2/16", "fd00:1::2/64"], mtu=CONTAINER_MTU)
    g1 = h1.causeway(suppressing(1, {"a1": {}, "b1": {}}))
    h2.causeway(suppressing(2, {"c2": {}}))
    wait_until(lambda: traffic.ping(a1, c2.ip6, count=1, check=False), 20, "the tunnel is up")
    assert traffic.ping(a1, b1.ip6) == 3
    wait_until(lambda: state_of(g1, b1.ip6) == "known", 20, lambda: f"b1 is known: {g1.ctl('show', 'hosts')}")
    # Of a host that is known here, of one behind the tunnel, and of nobody.
    seen = b1.capture("eth0")
    for address in (b1.ip6, c2.ip6, "fd00:1::77"):
        a1.ip("-6", "addr", "add", f"{address}/64", "dev", "eth0")
    for address in (b1.ip6, c2.ip6):
        wait_until(lambda: "dadfailed" in flags_of(a1, address), 20, lambda: f"{address}: {flags_of(a1, address)}")
    wait_until(lambda: "tentative" not in flags_of(a1, "fd00:1::77"), 20, "fd00:1::77 is good")
    assert "dadfailed" not in flags_of(a1, "fd00:1::77")
    seen.stop()
    assert seen.count(f"icmpv6.nd.ns.target_address == {b1.ip6} && ipv6.src == ::") == 0  # answered for it
    assert traffic.ping(b1, "fd00:1::77") == 3
    wait_until(lambda: state_of(g1, "fd00:1::77") == "known", 20, "fd00:1::77 is known")
    # Its own address, once more: nobody else has it, whoever is known to.
    a1.ip("-6", "addr", "del", "fd00:1::77/64", "dev", "eth0")
    a1.ip("-6", "addr", "add", "fd00:1::77/64", "dev", "eth0")
    wait_until(lambda: "tentative" not in flags_of(a1, "fd00:1::77"), 20, "fd00:1::77 is good again")
    assert "dadfailed" not in flags_of(a1, "fd00:1::77")
    assert traffic.ping(b1, "fd00:1::77") == 3
