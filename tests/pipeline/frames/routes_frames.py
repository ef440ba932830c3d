"""Frames of tests/pipeline/routes.cpp: the flows of encap_frames.py in GENEVE, by either of two underlays."""

from scapy.all import IP, UDP, Ether, Raw, raw
from scapy.contrib.geneve import GENEVE

from discovery_frames import OUR_LINK_LOCAL, advertisement, solicitation
from encap_frames import ethernet, ip4
from host_frames import arp

NEXT_HOPS = {"up0": ("02:00:00:00:00:01", "02:00:00:00:01:09"), "up1": ("02:00:00:00:00:02", "02:00:00:00:02:09")}


def write_far_next_hops(out):
    us, router, nobody = ("02:00:00:00:00:01", "192.0.2.1"), ("02:00:00:00:01:09", "203.0.113.1"), "00:00:00:00:00:00"
    out.write("routes.on-link.who-is", arp("who-has", us, (nobody, router[1])))
    out.write("routes.on-link.is-at", arp("is-at", router, us, to=us[0]))
    # The same link-local addresses on two links.
    for port, (ours, theirs) in NEXT_HOPS.items():
        out.write(f"routes.links.{port}.asks", solicitation((theirs, "fe80::2"), "fe80::1"))
        out.write(f"routes.links.{port}.answer", advertisement((ours, "fe80::1"), (theirs, "fe80::2")))


def write_unnumbered(out):
    """A link without IPv4 addresses: its router has a link-local one alone (RFC 8950)."""
    us, router = (NEXT_HOPS["up0"][0], OUR_LINK_LOCAL[1]), (NEXT_HOPS["up0"][1], "fe80::9")
    out.write("routes.unnumbered.who-is", solicitation(us, router[1]))
    out.write("routes.unnumbered.is-at", advertisement(router, us))


def write_routes(out):
    write_unnumbered(out)
    write_far_next_hops(out)
    for port, (us, them) in NEXT_HOPS.items():
        for n in range(64):
            inner = raw(ethernet("gnv4") / ip4() / UDP(sport=1000 + n, dport=2000))
            out.write_next(f"routes.{port}", raw(
                Ether(src=us, dst=them) / IP(src="192.0.2.1", dst="198.51.100.5", id=0, flags="DF", ttl=64)
                / UDP(sport=40000, dport=6081, chksum=0) / GENEVE(vni=50, proto=0x6558) / Raw(inner)))
