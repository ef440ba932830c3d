#!/usr/bin/python3
"""The frames that the generator ports of generator_port.cpp ought to send, by scapy.

Usage: generator_frames.py OUTPUT. Lines as tests/support/frames.h reads them: a sequence a name, flow 0 first.
"""

import ipaddress
import sys

from scapy.all import GRE, IP, UDP, VXLAN, Ether, Raw, raw
from scapy.contrib.geneve import GENEVE

OWN_MAC = "02:00:00:00:00:aa"


def mac(first, number):
    return ":".join(f"{byte:02x}" for byte in (int(first.replace(":", ""), 16) + number).to_bytes(6, "big"))


def address(first, number):
    return str(ipaddress.ip_address(first) + number)


def frame(flow, size, sources=10):
    """Fields run on with the flow; there are `sources` source addresses, and one destination port."""
    packet = (Ether(dst=mac("02:02:00:00:00:ff", flow), src=mac("02:01:00:00:00:00", flow))
              / IP(src=address("10.0.0.254", flow % sources), dst=address("198.19.0.0", flow), id=0, flags="DF", ttl=64)
              / UDP(sport=1024 + flow, dport=7, chksum=0))
    return packet / Raw(bytes(size - len(packet)))


def outer(flow, source="172.31.0.2"):
    """Up to the source port, which tells flows apart."""
    return (Ether(dst=OWN_MAC, src="02:03:00:00:00:00")
            / IP(src=source, dst="172.31.0.1", id=0, flags="DF", ttl=64)), 49152 + flow * 40503 % 16384


def summed(flow, size):
    """In VXLAN, with a UDP checksum."""
    ip, source_port = outer(flow, address("172.31.0.2", flow % 4))
    return ip / UDP(sport=source_port, dport=4789) / VXLAN(flags=8, vni=0xABCDEF + flow % 3) / frame(flow, size)


def tunnelled(mode, flow):
    inner = frame(flow, 60)
    ip, source_port = outer(flow)
    if mode == "vxlan":  # three VNIs
        return ip / UDP(sport=source_port, dport=4789, chksum=0) / VXLAN(flags=8, vni=0xABCDEF + flow % 3) / inner
    if mode == "geneve":  # of four VTEPs
        ip, _ = outer(flow, address("172.31.0.2", flow % 4))
        return ip / UDP(sport=source_port, dport=6082, chksum=0) / GENEVE(vni=7, proto=0x6558) / inner
    return ip / GRE(proto=0x6558, key_present=1, key=0xFFFFFFF0 + flow) / inner


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        sizes = (60, 1518, 61)
        for flow in range(30):
            out.write(f"plain {raw(frame(flow, sizes[flow % len(sizes)])).hex()}\n")
            out.write(f"summed {raw(summed(flow, sizes[flow % len(sizes)])).hex()}\n")
            for mode in ("vxlan", "geneve", "gretap"):
                if flow < 12:
                    out.write(f"{mode} {raw(tunnelled(mode, flow)).hex()}\n")


if __name__ == "__main__":
    main()
