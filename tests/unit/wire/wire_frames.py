#!/usr/bin/python3
"""Packets of every format the wire headers describe, and checksums, by scapy.

Usage: wire_frames.py OUTPUT. Lines as tests/support/frames.h reads them.
"""

import random
import sys

from scapy.all import (ARP, GRE, ICMP, IP, TCP, UDP, VXLAN, Dot1AD, Dot1Q, Ether, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptSrcLLAddr, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6PacketTooBig, IPOption_RR, IPv6, Raw,
                       checksum, raw)
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.ipsec import ESP

rng = random.Random(1071)
ETHER = Ether(src="02:00:00:00:01:01", dst="02:00:00:00:02:02")
V4 = IP(src="10.1.2.3", dst="10.4.5.6")
V6 = IPv6(src="fe80::1", dst="fe80::2")
OPTIONS = [GeneveOptions(classid=0x102, type=0x80, data=b"\1\2\3\4"), GeneveOptions(classid=0x103, type=1, data=b"")]


def headers():
    yield "vlan-tcp", (ETHER / Dot1AD(vlan=4094, prio=7, id=1) / Dot1Q(vlan=1, prio=2)
                       / IP(src="10.1.2.3", dst="10.4.5.6", tos=0x2B, id=0xBEEF, flags="DF", ttl=61)
                       / TCP(sport=1234, dport=80, seq=0x01020304, ack=0x05060708, flags="SEC", window=0x1112,
                             urgptr=0x1314, options=[("MSS", 1460)]) / Raw(b"abc"))
    yield "first-fragment", ETHER / IP(flags="MF") / Raw(b"x" * 8)
    yield "last-fragment", ETHER / IP(frag=185) / Raw(b"x" * 8)
    yield "arp", ETHER / ARP(op=2, hwsrc=ETHER.src, psrc="10.0.0.1", hwdst=ETHER.dst, pdst="10.0.0.2")
    yield "echo", ETHER / V4 / ICMP(type=8, id=0x1234, seq=7)
    yield "fragmentation-needed", ETHER / V4 / ICMP(type=3, code=4, nexthopmtu=1400) / V4 / Raw(b"x" * 8)
    nd = dict(src="fe80::1", dst="fe80::2", hlim=255, tc=0xB9, fl=0xABCDE)
    yield "solicitation", ETHER / IPv6(**nd) / ICMPv6ND_NS(tgt="fe80::9") / ICMPv6NDOptSrcLLAddr(lladdr=ETHER.src)
    yield "advertisement", (ETHER / IPv6(**nd) / ICMPv6ND_NA(tgt="fe80::9", R=0, S=1, O=1)
                            / ICMPv6NDOptDstLLAddr(lladdr=ETHER.src))
    yield "packet-too-big", ETHER / V6 / ICMPv6PacketTooBig(mtu=1400) / V6
    yield "vxlan", ETHER / V4 / UDP(sport=40000, dport=4789) / VXLAN(flags=8, vni=0xABCDEF) / ETHER
    tunnel = ETHER / V4 / UDP(sport=40000, dport=6081)
    yield "geneve", tunnel / GENEVE(vni=0x123456, proto=0x6558, critical=1, options=OPTIONS) / ETHER
    yield "geneve-control", tunnel / GENEVE(vni=1, oam=1)
    yield "gre", ETHER / V4 / GRE(proto=0x6558) / ETHER
    yield "gre-full", ETHER / V4 / GRE(proto=0x6558, chksum_present=1, key_present=1, seqnum_present=1,
                                       key=0x01020304, sequence_number=0x05060708) / ETHER
    yield "gre-key", ETHER / V4 / GRE(proto=0x6558, key_present=1, key=0x01020304) / ETHER
    yield "gre-routing", ETHER / V4 / GRE(proto=0x6558, routing_present=1) / ETHER
    yield "gre-version", ETHER / V4 / GRE(proto=0x6558, version=1) / ETHER


def flows():
    """The same inner frames in several tunnels, and what else is to go to one worker, or to another."""
    inner = {"a": ETHER / V4 / UDP(sport=1, dport=2) / Raw(b"x" * 20), "b": ETHER / V4 / UDP(sport=1, dport=3) / Raw(b"x" * 20),
             "ipv6": ETHER / V6 / TCP(sport=1, dport=2), "arp": ETHER / ARP(psrc="10.0.0.1", pdst="10.0.0.2")}
    full = GRE(proto=0x6558, chksum_present=1, key_present=1, seqnum_present=1, key=7, sequence_number=9)
    tunnels = {"gre": ETHER / V4 / GRE(proto=0x6558), "gre-full": ETHER / V4 / full, "gre-vlan": ETHER / Dot1Q(vlan=5) / V4 / full,
               "gre-ipv6": ETHER / V6 / full, "gre-other": Ether(src="02:00:00:00:03:03") / IP(src="10.9.9.9") / full}
    for name, frame in inner.items():
        yield f"plain.{name}", frame
        for tunnel, outer in tunnels.items():
            yield f"{tunnel}.{name}", outer / frame
    yield "esp.1", ETHER / V4 / ESP(spi=1, seq=1, data=b"x" * 40)
    yield "esp.1-later", ETHER / V4 / ESP(spi=1, seq=2, data=b"y" * 60)
    yield "esp.2", ETHER / V4 / ESP(spi=2, seq=1, data=b"x" * 40)
    for port in (1, 2):
        yield f"vxlan.{port}", ETHER / V4 / UDP(sport=40000 + port, dport=4789) / VXLAN(flags=8, vni=1) / inner["a"]
    yield "fragment.first", ETHER / IP(flags="MF", proto=47) / Raw(b"x" * 40)
    yield "fragment.last", ETHER / IP(frag=5, proto=47) / Raw(b"y" * 40)


def some_bytes(count):
    return bytes(rng.getrandbits(8) for _ in range(count))


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        for name, packet in headers():
            out.write(f"header.{name} {raw(packet).hex()}\n")
        for name, packet in flows():
            out.write(f"flow.{name} {raw(packet).hex()}\n")
        for count in [*range(1, 81), 127, 191, 192, 193, 1447, 1448, 1449, 5001]:
            data = some_bytes(count)
            out.write(f"sum.{count} {data.hex()} checksum={checksum(data)}\n")
        out.write(f"ipv4.plain {raw(ETHER / V4 / UDP()).hex()}\n")
        out.write(f"ipv4.options {raw(ETHER / IP(src='10.1.2.3', options=[IPOption_RR()]) / UDP()).hex()}\n")
        for count in (0, 1, 2, 333, 1450):
            for version, ip in ((4, V4), (6, V6), ("4-options", IP(src="10.1.2.3", options=[IPOption_RR()]))):
                packet = ETHER / ip / UDP(sport=7, dport=6081) / Raw(some_bytes(count))
                l4 = len(raw(packet)) - len(raw(packet[UDP]))
                out.write(f"udp.{version}.{count} {raw(packet).hex()} l3=14 l4={l4}\n")


if __name__ == "__main__":
    main()
