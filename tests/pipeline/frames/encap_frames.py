"""Frames from a bridge port into each tunnel: `encap.TUNNEL.INNER` goes in, `outer.TUNNEL.INNER` must come out, with
another UDP source port (40000 here) and IPv6 flow label. `flow.*` are frames of many flows into one tunnel."""

from scapy.all import (ARP, IP, SCTP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPOption_RR, IPv6, IPv6ExtHdrHopByHop, LLC, PadN,
                       Raw, raw)

from scapy.contrib.geneve import GeneveOptions

from overlay_frames import encapsulated, host_mac, some_bytes

# kEveryTunnel's, behind MAC 02:00:00:00:02:NN: mode, id, outer IP version, remote, checksum, tos, ttl, UDP port.
TUNNELS = {
    "gnv4": (0x01, "geneve", 123, 4, 2, None, 0, 64, None),
    "gnv6": (0x02, "geneve", 123, 6, 2, None, 0, 64, None),
    "gnv4port": (0x03, "geneve", 125, 4, 2, None, 0, 64, 16081),
    "gnv4sum": (0x04, "geneve", 126, 4, 2, True, 0, 64, None),
    "gnv4tos": (0x05, "geneve", 127, 4, 2, None, 184, 5, None),
    "gnv4inherit": (0x06, "geneve", 128, 4, 2, None, "inherit", 64, None),
    "gnv6inherit": (0x07, "geneve", 129, 6, 2, None, "inherit", 255, None),
    "gnv4other": (0x08, "geneve", 130, 4, 3, None, 0, 64, None),
    "vx4": (0x09, "vxlan", 100, 4, 2, None, 0, 64, None),
    "vx6": (0x0A, "vxlan", 100, 6, 2, None, 0, 64, None),
    "vx6nosum": (0x0B, "vxlan", 131, 6, 2, False, 0, 64, None),
    "vx4ecn": (0x0C, "vxlan", 132, 4, 2, None, 75, 64, None),  # its low two bits are not ours to set
    "gre4": (0x0D, "gretap", 7, 4, 2, None, 0, 64, None),
    "gre4nokey": (0x0E, "gretap", None, 4, 2, None, 0, 64, None),
    "gre4sum": (0x0F, "gretap", 9, 4, 2, True, 0, 64, None),
    "gre6": (0x10, "gretap", 7, 6, 2, None, 0, 64, None),
    "gnv4opt": (0x11, "geneve", 133, 4, 2, None, 0, 64, None),
    "gnv6opt": (0x12, "geneve", 134, 6, 2, None, 0, 64, None),
    "gre4keys": (0x13, "gretap", 22, 4, 2, None, 0, 64, None),
    "vx4keys": (0x14, "vxlan", 322, 4, 2, None, 0, 64, None),
    "nv4": (0x15, "nvgre", 0x123456, 4, 2, None, 0, 64, None),
    "nv6": (0x16, "nvgre", 0x123456, 6, 2, None, 0, 7, None),
}
# Of the tunnel's header: class, type, data.
OPTIONS = {
    "gnv4opt": dict(options=[GeneveOptions(classid=0x0102, type=3, data=bytes.fromhex("a1a2a3a4"))]),
    "gnv6opt": dict(critical=1, options=[GeneveOptions(classid=0xFFFF, type=0x84, data=bytes(range(0x14))),
                                         GeneveOptions(classid=5, type=6),
                                         GeneveOptions(classid=7, type=8, data=bytes.fromhex("0011223344556677")),
                                         GeneveOptions(classid=7, type=9, data=bytes.fromhex("00112233"))]),
}


def ethernet(tunnel, source=0x61):
    return Ether(src=host_mac(source), dst=f"02:00:00:00:02:{TUNNELS[tunnel][0]:02x}")


def ip4(tos=0, **fields):
    return IP(src="10.1.0.1", dst="10.1.0.2", tos=tos, id=1, **fields)


def ip6(tos=0):
    return IPv6(src="fd00:b::1", dst="fd00:b::2", tc=tos, fl=0x777)


def inner_shapes():
    """Name -> (layers behind Ethernet, the inner IP header's DSCP and ECN, which a tunnel copies or inherits)."""
    payload = Raw(some_bytes(83))
    shapes = {}
    for ecn in range(4):
        tos = 0x48 | ecn
        shapes[f"tcp4-ecn-{ecn}"] = (ip4(tos) / TCP(sport=4000, dport=80) / payload, tos)
        shapes[f"udp6-ecn-{ecn}"] = (ip6(tos) / UDP(sport=4000, dport=53) / payload, tos)
        shapes[f"tagged4-ecn-{ecn}"] = (Dot1Q(vlan=77) / ip4(tos) / UDP(sport=1, dport=2) / payload, tos)
        shapes[f"q-in-q6-ecn-{ecn}"] = (Dot1AD(vlan=5) / Dot1Q(vlan=6) / ip6(tos) / TCP(sport=1, dport=2), tos)
    shapes["sctp"] = (ip4(0x10) / SCTP(sport=7, dport=8) / payload, 0x10)
    shapes["odd-size"] = (ip4() / UDP(sport=9, dport=10) / Raw(some_bytes(84)), 0)
    shapes["options"] = (ip4(4, options=[IPOption_RR()]) / UDP(sport=9, dport=10) / payload, 4)
    shapes["hop-by-hop"] = (ip6(4) / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / UDP(sport=9) / payload, 4)
    shapes["fragment"] = (ip4(8, frag=100) / payload, 8)
    shapes["icmp-like"] = (ip4(12, proto=1) / payload, 12)
    shapes["arp"] = (ARP(psrc="10.1.0.1", pdst="10.1.0.2"), 0)
    shapes["arp-padded"] = (ARP(psrc="10.1.0.1", pdst="10.1.0.2") / Raw(b"\0" * 18), 0)
    shapes["llc"] = (LLC(dsap=0x42, ssap=0x42, ctrl=3) / payload, 0)
    shapes["ip-cut"] = (Raw(raw(ip4(3))[:19]), 0)
    shapes["tag-cut"] = (Raw(b"\0\1"), 0)
    shapes["only-ethernet"] = (b"", 0)
    shapes["big"] = (ip4() / UDP(sport=9, dport=10) / Raw(some_bytes(1400)), 0)
    return shapes


ETHERTYPE = {"ip-cut": 0x0800, "tag-cut": 0x8100, "only-ethernet": 0x0800}


def outer_tos(setting, inner_tos):
    """RFC 6040 section 4.1, normal mode: the ECN field is copied, whatever becomes of the DSCP."""
    dscp = inner_tos if setting == "inherit" else setting
    return dscp & 0xFC | inner_tos & 3


def encap(tunnel, inner, inner_tos):
    _, mode, number, family, remote, checksum, tos, ttl, port = TUNNELS[tunnel]
    tos = outer_tos(tos, inner_tos)
    fields = dict(tos=tos, ttl=ttl) if family == 4 else dict(tc=tos, hlim=ttl)
    return encapsulated(mode, number, inner, family=family, checksum=checksum, remote=remote, incoming=False, ip=fields,
                        port=port, **OPTIONS.get(tunnel, {}))


def write_encap(out):
    for shape, (layers, tos) in inner_shapes().items():
        for tunnel in TUNNELS:
            frame = ethernet(tunnel)
            if shape in ETHERTYPE:
                frame.type = ETHERTYPE[shape]
            inner = raw(frame / layers)
            out.write(f"encap.{tunnel}.{shape}", inner)
            out.write(f"outer.{tunnel}.{shape}", encap(tunnel, inner, tos))
    write_flows(out)
    # One byte less and one more than the underlay's MTU of 2000 takes, per tunnel.
    for tunnel in TUNNELS:
        fits = raw(ethernet(tunnel) / ip4() / UDP(sport=5, dport=6) / Raw(some_bytes(1500)))
        room = 2000 - (len(encap(tunnel, fits, 0)) - 14 - len(fits))
        fits = raw(ethernet(tunnel) / ip4() / UDP(sport=5, dport=6) / Raw(some_bytes(room - 14 - 28)))
        out.write(f"mtu.{tunnel}.fits", fits)
        out.write(f"mtu.{tunnel}.outer", encap(tunnel, fits, 0))
        out.write(f"mtu.{tunnel}.too-big", raw(ethernet(tunnel) / ip4() / UDP(sport=5, dport=6)
                                               / Raw(some_bytes(room - 14 - 28 + 1))))


def write_flows(out):
    """Flows that differ in one thing each; and pairs that are one flow."""
    tunnel = "gnv4"
    for n in range(64):
        vary = {
            "source-port": ip4() / UDP(sport=1000 + n, dport=2000),
            "destination-port": ip4() / TCP(sport=1000, dport=2000 + n),
            "source-address": IP(src=f"10.2.0.{n}", dst="10.1.0.2") / UDP(sport=1, dport=2),
            "destination-address": IP(src="10.1.0.2", dst=f"10.2.0.{n}") / UDP(sport=1, dport=2),
            "source-address-6": IPv6(src=f"fd00:c::{n:x}", dst="fd00:b::2") / UDP(sport=1, dport=2),
            "prefix-6": IPv6(src=f"fd00:{n:x}::1", dst="fd00:b::2") / UDP(sport=1, dport=2),
            "ports-6": ip6() / UDP(sport=3 * n, dport=2),
            "tagged-port": Dot1Q(vlan=77) / ip4() / UDP(sport=1000 + n, dport=2000),
        }
        for what, layers in vary.items():
            out.write_next(f"flows.{what}", raw(ethernet(tunnel) / layers))
        out.write_next("flows.source-mac", raw(ethernet(tunnel, source=n) / ARP()))
        out.write_next("flow.payload", raw(ethernet(tunnel) / ip4(tos=n & 0xFC, ttl=n + 1) / UDP(sport=1, dport=2)
                                           / Raw(some_bytes(n))))
        out.write_next("flow.tcp-sequence", raw(ethernet(tunnel) / ip4() / TCP(sport=1, dport=2, seq=n * 1448)))
        out.write_next("flow.fragments", raw(ethernet(tunnel) / ip4(frag=n * 10, flags="MF") / Raw(some_bytes(16))))
        out.write_next("flow.same-macs", raw(ethernet(tunnel) / ARP(psrc=f"10.0.0.{n}")))
