"""Frames of tests/pipeline/routes.cpp: the flows of encap_frames.py in GENEVE, by either of two underlays."""

from scapy.all import IP, UDP, Ether, Raw, raw
from scapy.contrib.geneve import GENEVE

from encap_frames import ethernet, ip4

NEXT_HOPS = {"up0": ("02:00:00:00:00:01", "02:00:00:00:01:09"), "up1": ("02:00:00:00:00:02", "02:00:00:00:02:09")}


def write_routes(out):
    for port, (us, them) in NEXT_HOPS.items():
        for n in range(64):
            inner = raw(ethernet("gnv4") / ip4() / UDP(sport=1000 + n, dport=2000))
            out.write_next(f"routes.{port}", raw(
                Ether(src=us, dst=them) / IP(src="192.0.2.1", dst="198.51.100.5", id=0, flags="DF", ttl=64)
                / UDP(sport=40000, dport=6081, chksum=0) / GENEVE(vni=50, proto=0x6558) / Raw(inner)))
