"""Questions for hosts, what they get for an answer, and what hosts say of themselves: `hosts.ask.NAME` and
`hosts.answer.NAME` from 10.0.0.2 for 10.0.0.1; `hosts.flood.NAME` nobody answers for others."""

from scapy.all import (ARP, BOOTP, DHCP, IP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptSrcLLAddr, IPv6, Raw, raw)

from overlay_frames import encapsulated, host_mac

BROADCAST = "ff:ff:ff:ff:ff:ff"
PROBER = "02:00:00:00:99:99"  # stands for the gateway's own, which is random
PROBER_LINK_LOCAL = "fe80::ff:fe00:9999"
SOLICITED = "33:33:ff:00:00:01"  # of fd00::1 (RFC 2464 section 7)
NONCE, RSA_SIGNATURE = b"\x0e\x01\1\2\3\4\5\6", b"\x0c\x01\0\0\0\0\0\0"  # RFC 3971 section 5.3.2, 5.2


def arp(source, sender, target, op=1, to=BROADCAST, known="00:00:00:00:00:00", tags=(), **fields):
    frame = Ether(src=source, dst=to)
    for tag in tags:
        frame = frame / tag
    return frame / ARP(op=op, **{"hwsrc": source, "psrc": sender, "hwdst": known, "pdst": target, **fields})


def solicits(source, target="fd00::1", option=True, more=b"", to=SOLICITED, group="ff02::1:ff00:1", tags=(), hlim=255,
             sender=host_mac(2), **fields):
    frame = Ether(src=sender, dst=to)
    for tag in tags:
        frame = frame / tag
    frame = frame / IPv6(src=source, dst=group, hlim=hlim) / ICMPv6ND_NS(tgt=target, **fields)
    if option:
        frame = frame / ICMPv6NDOptSrcLLAddr(lladdr=sender)
    return frame / Raw(more) if more else frame


def advertises(number, target, to_mac, to, R=1, S=1, O=1, tags=()):
    frame = Ether(src=host_mac(number), dst=to_mac)
    for tag in tags:
        frame = frame / tag
    return (frame / IPv6(src=target, dst=to, hlim=255, tc=0, fl=0) / ICMPv6ND_NA(R=R, S=S, O=O, tgt=target)
            / ICMPv6NDOptDstLLAddr(lladdr=host_mac(number)))


def replies(to="10.0.0.2", tags=()):
    return arp(host_mac(1), "10.0.0.1", to, 2, host_mac(2), host_mac(2), tags)


def changed(frame, offset, byte):
    changed_frame = bytearray(raw(frame))
    changed_frame[offset] = byte
    return bytes(changed_frame)


def answered():
    asks = arp(host_mac(2), "10.0.0.2", "10.0.0.1")
    yield "arp", asks, replies()
    yield "arp-padded", raw(asks) + bytes(18), raw(replies()) + bytes(18)
    yield "arp-probe", arp(host_mac(2), "0.0.0.0", "10.0.0.1"), replies("0.0.0.0")  # RFC 5227 section 2.1.1
    nd = advertises(1, "fd00::1", host_mac(2), "fd00::2")
    yield "nd", solicits("fd00::2"), nd
    yield "nd-without-option", solicits("fd00::2", option=False), nd
    yield "nd-nonce", solicits("fd00::2", more=NONCE), nd
    to_all = advertises(1, "fd00::1", "33:33:00:00:00:01", "ff02::1", S=0)  # RFC 4861 section 7.2.4
    yield "dad", solicits("::", option=False), to_all
    yield "dad-nonce", solicits("::", option=False, more=NONCE), to_all  # RFC 7527


def answered_tagged():
    for name, tag in (("tag", Dot1Q(vlan=7)), ("priority", Dot1Q(vlan=7, prio=5)), ("service-tag", Dot1AD(vlan=7))):
        tags = [tag]
        yield f"arp.{name}", arp(host_mac(2), "10.0.0.2", "10.0.0.1", tags=tags), replies(tags=tags)
        yield (f"nd.{name}", solicits("fd00::2", tags=tags),
               advertises(1, "fd00::1", host_mac(2), "fd00::2", tags=tags))


def flooded():
    me = host_mac(2)
    yield "unknown", arp(me, "10.0.0.2", "10.0.0.77")
    yield "announces", arp(me, "10.0.0.1", "10.0.0.1")
    yield "announces-reply", arp(me, "10.0.0.1", "10.0.0.1", op=2)
    yield "of-another-mac", arp(me, "10.0.0.2", "10.0.0.1", hwsrc=host_mac(5))
    yield "odd-hardware", changed(arp(me, "10.0.0.2", "10.0.0.1"), 15, 6)
    yield "rarp", arp(me, "10.0.0.2", "10.0.0.1", op=3)
    yield "cut", raw(arp(me, "10.0.0.2", "10.0.0.1"))[:14 + 27]
    yield "two-tags", arp(me, "10.0.0.2", "10.0.0.1", tags=[Dot1AD(vlan=5), Dot1Q(vlan=7)])
    yield "tagged", arp(me, "10.0.0.2", "10.0.0.1", tags=[Dot1Q(vlan=7)])
    yield "nd-unknown", solicits("fd00::2", "fd00::1:0:1")
    yield "nd-checksum", solicits("fd00::2", cksum=0x1234)
    yield "nd-routed", solicits("fd00::2", hlim=254)
    yield "nd-other-group", solicits("fd00::2", group="ff02::1:ff00:2")
    yield "nd-code", solicits("fd00::2", code=1)
    yield "nd-secured", solicits("fd00::2", more=RSA_SIGNATURE)
    yield "nd-broken-option", solicits("fd00::2", more=b"\x0e\0\0\0\0\0\0\0")
    yield "nd-another-mac", changed(solicits("fd00::2"), 11, 5)
    yield "dad-option", solicits("::")


def dhcp(kind, **fields):
    """Of a server, 02:...:02, for 02:...:03 at 10.0.0.3."""
    mac = bytes.fromhex(host_mac(3).replace(":", ""))
    return (Ether(src=host_mac(2), dst=host_mac(3)) / IP(src="10.0.0.2", dst="10.0.0.3") / UDP(sport=67, dport=68)
            / BOOTP(op=2, yiaddr="10.0.0.3", chaddr=mac + bytes(10), xid=1)
            / DHCP(options=["pad", ("server_id", "10.0.0.2"), ("message-type", kind), "end"], **fields))


def said():
    for number in (3, 4, 5):
        yield f"says.{number}", arp(host_mac(number), "10.0.0.3", "10.0.0.77")
        yield f"answers.{number}", arp(host_mac(number), "10.0.0.3", "0.0.0.0", 2, PROBER, PROBER)
    yield "says.bound", arp(host_mac(3), "10.0.0.1", "10.0.0.77")
    yield "replies.3", arp(host_mac(3), "10.0.0.3", "10.0.0.2", 2, host_mac(2), host_mac(2))
    for number in (3, 4):  # as long as Ethernet wants frames
        yield f"probe.{number}", raw(arp(PROBER, "0.0.0.0", "10.0.0.3", to=host_mac(number))) + bytes(18)
    yield "asks.3", arp(host_mac(2), "10.0.0.2", "10.0.0.3")
    for number in (3, 4):
        yield f"told.{number}", arp(host_mac(number), "10.0.0.3", "10.0.0.2", 2, host_mac(2), host_mac(2))
    yield "asks.3.beside", arp(host_mac(5), "10.0.0.5", "10.0.0.3")
    yield "looks.3", arp(host_mac(3), "0.0.0.0", "10.0.0.3")
    # A router: its advertisement's flags are those of the answers for it.
    yield "nd.says.3", advertises(3, "fd00::3", "33:33:00:00:00:01", "ff02::1", R=0, S=0)
    yield "nd.answers.3", advertises(3, "fd00::3", PROBER, "fd00::2", R=0)
    yield "nd.asks.3", solicits("fd00::2", "fd00::3", to="33:33:ff:00:00:03", group="ff02::1:ff00:3")
    yield "nd.told.3", advertises(3, "fd00::3", host_mac(2), "fd00::2", R=0)
    # Linux' next word to whom it has answered (RFC 4861 section 7.3.3).
    yield "nd.looks.3", solicits("fd00::3", PROBER_LINK_LOCAL, to=PROBER, group=PROBER_LINK_LOCAL, sender=host_mac(3))
    yield "dhcp.ack", dhcp("ack")
    yield "dhcp.nak", dhcp("nak")
    yield "speaks.3", Ether(src=host_mac(3), dst=BROADCAST, type=0x88B5) / Raw(bytes(46))
    yield "tunnel.asks", encapsulated("vxlan", 100, arp(host_mac(2), "10.0.0.2", "10.0.0.1"))


def write_hosts(out):
    for name, question, answer in (*answered(), *answered_tagged()):
        out.write(f"hosts.ask.{name}", raw(question))
        out.write(f"hosts.answer.{name}", raw(answer))
    for name, frame in flooded():
        out.write(f"hosts.flood.{name}", raw(frame))
    for name, frame in said():
        out.write(f"hosts.{name}", raw(frame))
