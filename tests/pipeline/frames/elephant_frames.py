"""Frames between a host behind a bridge port and one behind each tunnel. `elephant.up.TUNNEL` goes into the tunnel and
leaves as `elephant.wire.TUNNEL`; `elephant.arriving.TUNNEL` comes out of it as `elephant.down.TUNNEL`. `elephant.soft.*`
arrive in the same flows, and are to be carried by software; `elephant.softly.*` is what comes of them."""

from scapy.all import IP, UDP, Dot1Q, Ether, raw
from scapy.contrib.geneve import GeneveOptions

from overlay_frames import encapsulated, host_mac, some_bytes

HOST = host_mac(0x71)
# As in elephants.cpp: mode, id, outer IP version, options of the tunnel's header that we send.
TUNNELS = {
    "vx4": ("vxlan", 100, 4, {}),
    "vx6nosum": ("vxlan", 131, 6, {}),
    "gnv4": ("geneve", 123, 4, {}),
    "gnv6zero": ("geneve", 124, 6, {}),
    "gnv4opt": ("geneve", 133, 4,
                dict(options=[GeneveOptions(classid=0x0102, type=3, data=bytes.fromhex("a1a2a3a4"))])),
    "gre4": ("gretap", 7, 4, {}),
    "gre4nokey": ("gretap", None, 4, {}),
    "gre6": ("gretap", 7, 6, {}),
    # Those that no NIC's switch may carry.
    "gnv4sum": ("geneve", 126, 4, {}),
    "vx6": ("vxlan", 132, 6, {}),
    "gnv4inherit": ("geneve", 128, 4, {}),
    "nv4": ("nvgre", 0x123456, 4, {}),
    "vx4vlan": ("vxlan", 134, 4, {}),
}


def write_elephants(out):
    for number, (tunnel, (mode, identity, family, options)) in enumerate(TUNNELS.items()):
        remote = f"02:00:00:00:03:{number:02x}"
        ip = IP(src="10.1.0.1", dst="10.1.0.2", id=1) / UDP(sport=1, dport=2) / some_bytes(400)
        back = IP(src="10.1.0.2", dst="10.1.0.1", id=1) / UDP(sport=2, dport=1) / some_bytes(300)
        up = Ether(src=HOST, dst=remote) / ip
        down = Ether(src=remote, dst=HOST) / back

        def outer(inner, incoming, **fields):
            return encapsulated(mode, identity, inner, family, False, incoming=incoming, **fields)

        out.write(f"elephant.up.{tunnel}", raw(up))
        out.write(f"elephant.wire.{tunnel}", outer(up, False, **options))
        out.write(f"elephant.down.{tunnel}", raw(down))
        out.write(f"elephant.arriving.{tunnel}", outer(down, True))
        # RFC 6040: CE outside becomes CE inside.
        marked = Ether(src=remote, dst=HOST) / IP(src="10.1.0.2", dst="10.1.0.1", tos=2) / UDP() / b"ecn"
        noticed = Ether(src=remote, dst=HOST) / IP(src="10.1.0.2", dst="10.1.0.1", tos=3) / UDP() / b"ecn"
        out.write(f"elephant.soft.{tunnel}.ce", outer(marked, True, ip={"tos" if family == 4 else "tc": 3}))
        out.write(f"elephant.softly.{tunnel}.ce", raw(noticed))
        tagged = Ether(src=remote, dst=HOST) / Dot1Q(vlan=0) / back
        out.write(f"elephant.soft.{tunnel}.tag", outer(tagged, True))
        out.write(f"elephant.softly.{tunnel}.tag", raw(tagged))
        if mode == "geneve":
            option = dict(options=[GeneveOptions(classid=9, type=9)])
            out.write(f"elephant.soft.{tunnel}.option", outer(down, True, **option))
            out.write(f"elephant.softly.{tunnel}.option", raw(down))
        if mode == "gretap":
            out.write(f"elephant.soft.{tunnel}.sequence", outer(down, True, seqnum_present=1))
            out.write(f"elephant.softly.{tunnel}.sequence", raw(down))
