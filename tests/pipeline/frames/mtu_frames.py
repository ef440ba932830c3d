"""Frames too big for their way out and what their senders are told; SYNs whose MSS is lowered; routers of the underlay
that say what is too big for them. The topology is that of mtu.cpp."""

from scapy.all import (ARP, GRE, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_Redirect,
                       ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPOption_Router_Alert, IPv6, Raw, raw)

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_MAC, encapsulated, host_mac, outer_ip, some_bytes

# Where each host is, and how large an IP packet gets there.
MTU = {"gn0": (2, 1450), "gn6": (3, 1430), "gre0": (4, 1458), "lan1": (5, 1400)}


def ether(destination=2, vlan=None, source=1):
    head = Ether(src=host_mac(source), dst=host_mac(destination))
    return head if vlan is None else head / Dot1Q(vlan=vlan, prio=3)


def packet(family, size, layer=None, **fields):
    """An IP packet of `size` bytes from host 1 to host 2."""
    if family == 4:
        ip = IP(**{"src": "10.8.0.1", "dst": "10.8.0.2", "id": 77, "flags": "DF", "ttl": 33, "tos": 8, **fields})
    else:
        ip = IPv6(**{"src": "fd00:8::1", "dst": "fd00:8::2", "hlim": 33, "tc": 8, "fl": 5, **fields})
    head = ip / (layer or UDP(sport=7, dport=8))
    return head / Raw(some_bytes(size - len(raw(head))))


def told(frame, mtu):
    """What the frame's sender is told: as the Linux kernel's bridge does it for VXLAN, an independent writing of it."""
    l3 = 18 if frame[12:14] == b"\x81\x00" else 14
    head, rest = frame[6:12] + frame[:6] + frame[12:l3], frame[l3:]
    if rest[0] >> 4 == 4:
        ip = IP(rest)
        return head + raw(IP(src=ip.dst, dst=ip.src, id=0, flags="DF", ttl=ip.ttl)
                          / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(rest[:576 - 28]))
    ip = IPv6(rest)
    return head + raw(IPv6(src=ip.dst, dst=ip.src, hlim=ip.hlim) / ICMPv6PacketTooBig(mtu=mtu) / Raw(rest[:1280 - 48]))


def write_answered(out):
    def write(name, frame, mtu):
        out.write(f"told.{name}.frame", frame)
        out.write(f"told.{name}.answer", told(frame, mtu))

    for way, (host, mtu) in MTU.items():
        for family in (4, 6):
            # A port's frame may be 4 bytes longer than its MTU: room for a tag.
            write(f"{way}.v{family}", raw(ether(host) / packet(family, mtu + 5)), mtu)
            write(f"{way}.v{family}.long", raw(ether(host) / packet(family, 1500)), mtu)
            tagged = mtu if way == "lan1" else mtu - 4
            write(f"{way}.v{family}.tagged", raw(ether(host, vlan=5) / packet(family, 1490)), tagged)
    write("gn0.echo", raw(ether() / packet(4, 1500, ICMP(type=8, id=1, seq=2))), 1450)
    write("gn0.echo6", raw(ether() / packet(6, 1500, ICMPv6EchoRequest(id=1, seq=2))), 1450)
    write("gn0.options", raw(ether() / packet(4, 1500, options=[IPOption_Router_Alert()])), 1450)
    for family in (4, 6):
        big = raw(ether() / packet(family, 9000, TCP(sport=7, dport=8, flags="A", seq=99)))
        out.write(f"super.v{family}", big)
        out.write(f"super.v{family}.answer", told(big, 1450))
    # From a remote, for a port that takes less.
    inner = raw(ether(5, source=2) / packet(4, 1440))
    out.write("told-remote.frame", encapsulated("geneve", 50, inner))
    out.write("told-remote.answer", encapsulated("geneve", 50, told(inner, 1400), incoming=False))
    # Behind narrow underlays.
    for family in (4, 6):
        for size, mtu in ((600, 550), (1300, 1250), (1330, 1280)):
            narrow = raw(ether() / packet(family, mtu + 1))
            out.write(f"narrow.{size}.v{family}", narrow)
            if mtu >= (576 if family == 4 else 1280):
                out.write(f"narrow.{size}.v{family}.answer", told(narrow, mtu))


def write_silent(out):
    silent = {
        "may-fragment": packet(4, 1500, flags=0),
        "fragment": packet(4, 1500, flags="DF", frag=5),
        "first-fragment": packet(4, 1500, flags="DF+MF"),
        "error": packet(4, 1500, ICMP(type=3, code=1)),
        "error-11": packet(4, 1500, ICMP(type=11)),
        "error6": packet(6, 1500, ICMPv6TimeExceeded()),
        "redirect6": packet(6, 1500, ICMPv6ND_Redirect()),
        "to-group": packet(4, 1500, dst="239.1.1.1"),
        "to-all": packet(4, 1500, dst="255.255.255.255"),
        "to-group6": packet(6, 1500, dst="ff02::5"),
        "from-nobody": packet(4, 1500, src="0.0.0.0"),
        "from-loopback": packet(4, 1500, src="127.0.0.1"),
        "from-group": packet(4, 1500, src="239.1.1.1"),
        "from-nobody6": packet(6, 1500, src="::"),
        "from-loopback6": packet(6, 1500, src="::1"),
    }
    for name, layers in silent.items():
        out.write(f"silent.{name}", raw(ether() / layers))
    out.write("silent.arp", raw(ether() / ARP() / Raw(some_bytes(1480))))
    out.write("silent.other", raw(Ether(src=host_mac(1), dst=host_mac(2), type=0x88B5) / Raw(some_bytes(1500))))
    out.write("silent-flood", raw(Ether(src=host_mac(1), dst="01:00:5e:01:01:01") / packet(4, 1500)))


def write_syns(out):
    """syn.NAME.in and what becomes of it behind gn0 with mss-clamp: auto."""
    def syn(family, announced, vlan=None, flags="S", **fields):
        ip = IP(src="10.8.0.1", dst="10.8.0.2", id=9, flags="DF", **fields) if family == 4 else \
            IPv6(src="fd00:8::1", dst="fd00:8::2", **fields)
        return raw(ether(vlan=vlan) / ip / TCP(sport=4000, dport=80, seq=123456, flags=flags, options=announced))

    def write(name, family, before, after, vlan=None, **fields):
        for way, announced in (("in", before), ("out", after)):
            frame = syn(family, announced, vlan, **fields)
            out.write(f"syn.{name}.{way}", frame)
            back = frame[6:12] + frame[:6] + frame[12:]  # from host 2 to host 1
            out.write(f"syn-received.{name}.{way}", encapsulated("geneve", 50, back) if way == "in" else back)

    rest = [("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7)]
    for family, mss in ((4, 1410), (6, 1390)):
        write(f"v{family}", family, [("MSS", 1460)], [("MSS", mss)])
        write(f"v{family}.linux", family, [("MSS", 1460), *rest], [("MSS", mss), *rest])
        write(f"v{family}.odd", family, [("NOP", None), ("MSS", 1460), *rest], [("NOP", None), ("MSS", mss), *rest])
        write(f"v{family}.last", family, [*rest, ("MSS", 65535)], [*rest, ("MSS", mss)])
        write(f"v{family}.synack", family, [("MSS", 8960), *rest], [("MSS", mss), *rest], flags="SA")
        write(f"v{family}.tagged", family, [("MSS", 1460)], [("MSS", mss - 4)], vlan=5)
        write(f"v{family}.exact", family, [("MSS", mss)], [("MSS", mss)])
        write(f"v{family}.less", family, [("MSS", 536)], [("MSS", 536)])
        write(f"v{family}.none", family, rest, rest)
        write(f"v{family}.no-options", family, [], [])
        write(f"v{family}.no-syn", family, [("MSS", 1460)], [("MSS", 1460)], flags="A")
        write(f"v{family}.behind-end", family, [("EOL", None), ("MSS", 1460)], [("EOL", None), ("MSS", 1460)])
    write("v4.ip-options", 4, [("MSS", 1460)], [("MSS", 1410)], options=[IPOption_Router_Alert()])
    write("v4.fragment", 4, [("MSS", 1460)], [("MSS", 1460)], frag=3)
    # Options whose lengths are lies: looked at no further.
    good = syn(4, [("MSS", 1460)])
    for name, option in (("zero", b"\x08\x00\x05\xb4"), ("one", b"\x02\x01\x05\xb4"), ("long", b"\x02\x05\x05\xb4"),
                         ("short", b"\x02\x03\x05\xb4")):
        frame = good[:54] + option
        out.write(f"syn.v4.length-{name}.in", frame)
        out.write(f"syn.v4.length-{name}.out", frame)
    cut = bytearray(good)
    cut[46] = 0xF0  # a TCP header longer than the frame
    out.write("syn.v4.header-cut.in", bytes(cut))
    out.write("syn.v4.header-cut.out", bytes(cut))
    for mss in (1460, 1400, 1360, 1310):
        out.write(f"syn-mss.{mss}", syn(4, [("MSS", mss)]))


def router_says(outer, mtu, quoted=548, family=4, **fields):
    """An ICMP error about a frame that we sent."""
    if family == 4:
        return raw(Ether(src=REMOTE_MAC[9], dst=OUR_MAC) / IP(src="172.31.9.9", dst=OUR_IP[4], ttl=60)
                   / ICMP(**{"type": 3, "code": 4, "nexthopmtu": mtu, **fields}) / Raw(outer[14:14 + quoted]))
    return raw(Ether(src=REMOTE_MAC[9], dst=OUR_MAC) / IPv6(src="fd00:99::9", dst=OUR_IP[6], hlim=60)
               / ICMPv6PacketTooBig(**{"mtu": mtu, **fields}) / Raw(outer[14:14 + min(quoted, 1232)]))


def write_path_mtus(out):
    inner = raw(ether() / packet(4, 1420))
    geneve = encapsulated("geneve", 50, inner, incoming=False)
    geneve6 = encapsulated("geneve", 51, inner, family=6, incoming=False)
    gre = encapsulated("gretap", 7, inner, incoming=False)
    out.write("pmtu.gn0", router_says(geneve, 1400))
    out.write("pmtu.gn0.short-quote", router_says(geneve, 1400, quoted=36))
    out.write("pmtu.gn0.1300", router_says(geneve, 1300))
    out.write("pmtu.gn0.1450", router_says(geneve, 1450))
    out.write("pmtu.gn0.100", router_says(geneve, 100))
    out.write("pmtu.gn0.0", router_says(geneve, 0))
    out.write("pmtu.gn6", router_says(geneve6, 1400, family=6))
    out.write("pmtu.gn6.short-quote", router_says(geneve6, 1400, quoted=56, family=6))
    out.write("pmtu.gn6.1280", router_says(geneve6, 1280, family=6))
    out.write("pmtu.gre0.100", router_says(gre, 100))
    for mtu in range(1440, 1380, -10):
        out.write(f"pmtu-steps.{mtu}", router_says(geneve, mtu))
    out.write("pmtu.gre0", router_says(gre, 1400))
    out.write("pmtu.gre0.short-quote", router_says(gre, 1400, quoted=28))
    right = router_says(geneve, 1400)
    lies = {
        "vni": router_says(encapsulated("geneve", 49, inner, incoming=False), 1400),
        "vni-of-another": router_says(encapsulated("geneve", 52, inner, incoming=False), 1400),
        "mode": router_says(encapsulated("vxlan", 50, inner, incoming=False), 1400),
        "port": router_says(encapsulated("geneve", 50, inner, incoming=False, port=6082), 1400),
        "remote": router_says(encapsulated("geneve", 50, inner, incoming=False, remote=4), 1400),
        "local": router_says(encapsulated("geneve", 50, inner, incoming=False, ip=dict(src="172.31.0.7")), 1400),
        "from-remote": router_says(encapsulated("geneve", 50, inner), 1400),
        "may-fragment": router_says(encapsulated("geneve", 50, inner, incoming=False, ip=dict(flags=0)), 1400),
        "fragment": router_says(encapsulated("geneve", 50, inner, incoming=False, ip=dict(flags="DF+MF")), 1400),
        "source-port": router_says(raw(outer_ip(4, incoming=False) / UDP(sport=32767, dport=6081, chksum=0)
                                       / Raw(geneve[42:])), 1400),
        "no-tunnel": router_says(raw(outer_ip(4, incoming=False) / TCP() / Raw(some_bytes(1440))), 1400),
        "quote-28": router_says(geneve, 1400, quoted=28),
        "quote-35": router_says(geneve, 1400, quoted=35),
        "quote-none": router_says(geneve, 1400, quoted=0),
        "fits": router_says(geneve, 1470),
        "port-is-narrower": router_says(encapsulated("geneve", 50, raw(ether() / packet(4, 1700)), incoming=False), 1600),
        "checksum": right[:-1] + bytes([right[-1] ^ 1]),
        "code": router_says(geneve, 1400, code=14),
        "v6-1279": router_says(geneve6, 1279, family=6),
        "v6-vni": router_says(encapsulated("geneve", 50, inner, family=6, incoming=False), 1400, family=6),
        "v6-quote": router_says(geneve6, 1400, quoted=55, family=6),
        "gre-key": router_says(encapsulated("gretap", 8, inner, incoming=False), 1400),
        "gre-keyless": router_says(encapsulated("gretap", None, inner, incoming=False), 1400),
        "gre-ip": router_says(raw(outer_ip(4, incoming=False) / GRE(key_present=1, key=7, proto=0x800)
                                  / Raw(some_bytes(1440))), 1400),
    }
    for name, frame in lies.items():
        out.write(f"pmtu-lie.{name}", frame)


def write_mtu(out):
    write_answered(out)
    write_silent(out)
    write_syns(out)
    write_path_mtus(out)
