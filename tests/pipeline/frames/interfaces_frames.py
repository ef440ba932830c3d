"""Frames of a gateway whose interfaces come, go and change."""

from scapy.all import IP, UDP, Ether, Raw, raw

from host_frames import arp
from mtu_frames import packet, ether, told
from overlay_frames import OUR_IP, OUR_MAC, encapsulated, host_mac, some_bytes

MOVED_MAC = "02:00:00:00:77:01"


def write_interfaces(out):
    for source, destination in ((1, 2), (2, 1), (1, 3), (3, 1)):
        inner = raw(Ether(src=host_mac(source), dst=host_mac(destination)) / IP(src=f"10.8.0.{source}", dst=f"10.8.0.{destination}")
                    / UDP(sport=7, dport=8) / Raw(some_bytes(60)))
        out.write(f"life.{source}-{destination}", inner)
        outer = encapsulated("vxlan", 50, inner, incoming=source != 1)
        out.write(f"life.outer.{source}-{destination}", outer)
        ours = bytes.fromhex(MOVED_MAC.replace(":", ""))
        moved = outer[:6] + ours + outer[12:] if source == 1 else ours + outer[6:]
        out.write(f"life.moved.{source}-{destination}", moved)
    nobody = "00:00:00:00:00:00"
    out.write("life.announced", arp("who-has", (MOVED_MAC, OUR_IP[4]), (nobody, OUR_IP[4])))
    out.write("life.announced-before", arp("who-has", (OUR_MAC, OUR_IP[4]), (nobody, OUR_IP[4])))
    # Too long for a tunnel over 1400 bytes, not for one over 1500.
    long = raw(ether(3) / packet(4, 1400))
    out.write("life.long", long)
    out.write("life.long-told", told(long, 1350))
    out.write("life.long-outer", encapsulated("vxlan", 50, long, incoming=False))
