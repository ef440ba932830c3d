"""ICMP errors about packets of our tunnels, as hosts, filters and routers of the underlay send them. The topology is that
of refused.cpp."""

from scapy.all import (GRE, ICMP, IP, UDP, Ether, ICMPv6DestUnreach, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6, Raw,
                       raw)

from erspan_frames import erspan, erspan_one
from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, encapsulated, host_mac, outer_ip, some_bytes


def says4(outer, quoted=548, sender="172.31.0.2", **icmp):
    return raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / IP(src=sender, dst=OUR_IP[4], ttl=64, tos=0xc0)
               / ICMP(**icmp) / Raw(outer[14:14 + quoted]))


def says6(outer, layer, quoted=1232, sender=REMOTE_IP[6][2]):
    return raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / IPv6(src=sender, dst=OUR_IP[6], hlim=64)
               / layer / Raw(outer[14:14 + quoted]))


def write_refused(out):
    inner = raw(Ether(src=host_mac(1), dst=host_mac(2)) / IP(src="10.8.0.1", dst="10.8.0.2") / UDP() / Raw(some_bytes(40)))
    sent = {name: encapsulated(mode, number, inner, family=family, incoming=False)
            for name, mode, number, family in (("gn0", "geneve", 50, 4), ("gn6", "geneve", 51, 6), ("gre0", "gretap", 7, 4),
                                               ("gre6", "gretap", 8, 6), ("nv0", "nvgre", 5000, 4), ("in", "vxlan", 60, 4),
                                               ("keys0", "vxlan", 61, 4))}
    sent |= {"er0": erspan(inner, 5, session_id=70), "er1": erspan_one(inner)}
    out.write("refused.heard.gn0", encapsulated("geneve", 50, raw(Ether(src=host_mac(2), dst=host_mac(1)) / Raw(some_bytes(60)))))
    # tunnel, what show tunnels says of it, the frame
    words = {
        "gn0.port unreachable": says4(sent["gn0"], type=3, code=3),
        "gn0.port unreachable.short": says4(sent["gn0"], quoted=36, type=3, code=3),
        "gn0.destination unreachable.net": says4(sent["gn0"], sender="172.31.9.9", type=3, code=0),
        "gn0.destination unreachable.host": says4(sent["gn0"], sender="172.31.9.9", type=3, code=1),
        "gn0.administratively prohibited.net": says4(sent["gn0"], type=3, code=9),
        "gn0.administratively prohibited.host": says4(sent["gn0"], type=3, code=10),
        "gn0.administratively prohibited.filter": says4(sent["gn0"], type=3, code=13),
        "gn0.time exceeded": says4(sent["gn0"], sender="172.31.9.9", type=11, code=0),
        "gre0.protocol unreachable": says4(sent["gre0"], type=3, code=2),
        "er0.protocol unreachable": says4(sent["er0"], type=3, code=2),
        "er1.protocol unreachable": says4(sent["er1"], type=3, code=2),
        "nv0.protocol unreachable": says4(sent["nv0"], type=3, code=2),
        "keys0.port unreachable": says4(sent["keys0"], type=3, code=3),
        "gn6.port unreachable": says6(sent["gn6"], ICMPv6DestUnreach(code=4)),
        "gn6.destination unreachable.route": says6(sent["gn6"], ICMPv6DestUnreach(code=0), sender="fd00:99::9"),
        "gn6.destination unreachable.address": says6(sent["gn6"], ICMPv6DestUnreach(code=3), sender="fd00:99::9"),
        "gn6.administratively prohibited": says6(sent["gn6"], ICMPv6DestUnreach(code=1)),
        "gn6.time exceeded": says6(sent["gn6"], ICMPv6TimeExceeded(code=0), sender="fd00:99::9"),
        # What Linux says of a protocol it doesn't know: the next header at byte 6 of the IPv6 header.
        "gre6.protocol unreachable": says6(sent["gre6"], ICMPv6ParamProblem(code=1, ptr=6)),
    }
    for name, frame in words.items():
        out.write(f"refused.{name}".replace(" ", "-"), frame)
    right = says4(sent["gn0"], type=3, code=3)
    lies = {
        "session": says4(erspan(inner, 5, session_id=71), type=3, code=2),
        "vni": says4(encapsulated("geneve", 49, inner, incoming=False), type=3, code=3),
        "remote": says4(encapsulated("geneve", 50, inner, incoming=False, remote=4), type=3, code=3),
        "direction": says4(encapsulated("geneve", 50, inner), type=3, code=3),
        "received-key": says4(sent["in"], type=3, code=3),
        "source-port": says4(raw(outer_ip(4, incoming=False) / UDP(sport=53, dport=6081, chksum=0) / Raw(sent["gn0"][42:])),
                             type=3, code=3),
        "no-tunnel": says4(raw(outer_ip(4, incoming=False) / UDP(sport=40000, dport=53) / Raw(some_bytes(40))), type=3, code=3),
        "quote": says4(sent["gn0"], quoted=28, type=3, code=3),
        "checksum": right[:-1] + bytes([right[-1] ^ 1]),
        "code": says4(sent["gn0"], type=3, code=14),
        "reassembly": says4(sent["gn0"], type=11, code=1),
        "v6-header": says6(sent["gre6"], ICMPv6ParamProblem(code=0, ptr=6)),
        "v6-checksum": says6(sent["gn6"], ICMPv6DestUnreach(code=4, cksum=7)),
        "gre-ip": says4(raw(outer_ip(4, incoming=False) / GRE(key_present=1, key=7, proto=0x800) / Raw(some_bytes(40))),
                        type=3, code=2),
    }
    for name, frame in lies.items():
        out.write(f"refused-lie.{name}", frame)
