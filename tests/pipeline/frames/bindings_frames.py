"""Frames of a port with bindings: `bound.VERDICT.NAME`, where VERDICT is `pass` or what they are dropped for."""

from scapy.all import (ARP, BOOTP, DHCP, IP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6MLDMultAddrRec,
                       ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, LLC, PadN, Raw, RouterAlert, in6_mactoifaceid, raw)

from overlay_frames import host_mac, some_bytes

# tests/pipeline/bindings.cpp's: both families; any address; IPv4 only; IPv6 only. The fifth is nobody's.
BOTH, ANY, ONLY4, ONLY6, STRANGER = (host_mac(number) for number in range(1, 6))
THERE = host_mac(9)
PASS, MAC, ADDRESS = "pass", "mac_not_bound", "address_not_bound"


def link_local(mac):
    return f"fe80::{in6_mactoifaceid(mac)}"


def eth(layers, mac=BOTH, to=THERE):
    return raw(Ether(src=mac, dst=to) / layers)


def ip4(source, mac=BOTH, **fields):
    return eth(IP(src=source, dst="10.0.0.9", **fields) / UDP(sport=1, dport=2) / Raw(some_bytes(20)), mac)


def ip6(source, layers=None, mac=BOTH, to="fd00::9", **fields):
    return eth(IPv6(src=source, dst=to, hlim=255, **fields) / (layers or UDP(sport=1, dport=2) / Raw(b"hello")), mac)


def arp(sender, target, mac=BOTH, op=1, claimed=None, **fields):
    return eth(ARP(op=op, hwsrc=claimed or mac, psrc=sender, pdst=target, **fields), mac, "ff:ff:ff:ff:ff:ff")


def dhcp(mac=BOTH, source="0.0.0.0", to="255.255.255.255", sport=68, dport=67, **fields):
    return eth(IP(src=source, dst=to, **fields) / UDP(sport=sport, dport=dport) / BOOTP(xid=1) / DHCP(
        options=[("message-type", "discover"), "end"]), mac, "ff:ff:ff:ff:ff:ff")


def solicits(source, target, option=BOTH, mac=BOTH, **fields):
    message = ICMPv6ND_NS(tgt=target)
    return ip6(source, message / ICMPv6NDOptSrcLLAddr(lladdr=option, **fields) if option else message, mac)


def advertises(source, target, option=BOTH, mac=BOTH):
    return ip6(source, ICMPv6ND_NA(tgt=target) / ICMPv6NDOptDstLLAddr(lladdr=option), mac)


def mld(source, mac=BOTH):
    return ip6(source, IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]) / ICMPv6MLReport2(
        records=[ICMPv6MLDMultAddrRec(rtype=4, dst="ff02::1:ff00:5")]), mac, to="ff02::16")


def tagged(frame, *tags):
    layers = Ether(src=frame[6:12], dst=frame[:6])
    for tag in tags:
        layers = layers / tag
    layers.lastlayer().type = int.from_bytes(frame[12:14], "big")
    return raw(layers) + frame[14:]


OWN6, OWN_LINK_LOCAL = "fd00::5", link_local(BOTH)
EXTENSIONS = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)])


def ipv4_frames():
    yield PASS, "ip4", ip4("10.0.0.5")
    yield PASS, "ip4-of-prefix", ip4("10.9.1.2")
    yield PASS, "ip4-fragment", ip4("10.0.0.5", frag=10)
    yield PASS, "ip4-of-any", ip4("192.0.2.1", ANY)
    yield PASS, "dhcp", dhcp()
    yield PASS, "dhcp-renewed", dhcp(source="10.0.0.5", to="10.0.0.1")
    yield PASS, "dhcp-of-only4", dhcp(ONLY4)
    yield ADDRESS, "ip4-another", ip4("10.0.0.6")
    yield ADDRESS, "ip4-of-another-binding", ip4("10.0.0.7")
    yield ADDRESS, "ip4-beside-prefix", ip4("10.10.0.1")
    yield ADDRESS, "ip4-fragment-another", ip4("10.0.0.6", frag=10)
    yield ADDRESS, "ip4-nobody", ip4("0.0.0.0")
    yield ADDRESS, "ip4-cut", eth(IP(src="10.0.0.5", dst="10.0.0.9"))[:14 + 19]
    yield ADDRESS, "dhcp-to-one", dhcp(to="10.0.0.1")
    yield ADDRESS, "dhcp-server", dhcp(sport=67, dport=68)
    yield ADDRESS, "dhcp-fragment", dhcp(frag=1)
    yield ADDRESS, "dhcp-tcp", dhcp(proto=6)
    yield ADDRESS, "dhcp-of-only6", dhcp(ONLY6)
    yield ADDRESS, "ip4-of-only6", ip4("10.0.0.5", ONLY6)


def arp_frames():
    yield PASS, "arp-asks", arp("10.0.0.5", "10.0.0.9")
    yield PASS, "arp-answers", arp("10.0.0.5", "10.0.0.9", op=2)
    yield PASS, "arp-announces", arp("10.0.0.5", "10.0.0.5")
    yield PASS, "arp-probes", arp("0.0.0.0", "10.0.0.5")
    yield PASS, "arp-of-any", arp("192.0.2.1", "10.0.0.9", ANY)
    yield ADDRESS, "arp-another", arp("10.0.0.6", "10.0.0.9", op=2)
    yield ADDRESS, "arp-announces-another", arp("10.0.0.9", "10.0.0.9")
    yield ADDRESS, "arp-probes-another", arp("0.0.0.0", "10.0.0.9")
    yield ADDRESS, "arp-another-mac", arp("10.0.0.5", "10.0.0.9", claimed=ONLY4)
    yield ADDRESS, "arp-of-any-another-mac", arp("192.0.2.1", "10.0.0.9", ANY, claimed=BOTH)
    yield ADDRESS, "arp-of-only6", arp("10.0.0.5", "10.0.0.9", ONLY6)
    yield ADDRESS, "arp-odd", arp("10.0.0.5", "10.0.0.9", hwlen=8)
    yield ADDRESS, "arp-cut", arp("10.0.0.5", "10.0.0.9")[:14 + 27]


def ipv6_frames():
    yield PASS, "ip6", ip6(OWN6)
    yield PASS, "ip6-of-any", ip6("2001:db8::1", mac=ANY)
    yield PASS, "ip6-link-local", ip6(OWN_LINK_LOCAL)
    yield PASS, "ip6-extensions", ip6(OWN6, EXTENSIONS / UDP(sport=1, dport=2))
    yield PASS, "ip6-ping", ip6(OWN6, ICMPv6EchoRequest())
    yield PASS, "ip6-ping-fragment", ip6(OWN6, IPv6ExtHdrFragment(m=1) / ICMPv6EchoRequest(data=b"x" * 32))
    yield PASS, "ip6-later-fragment", ip6(OWN6, IPv6ExtHdrFragment(offset=100, nh=58) / Raw(some_bytes(24)))
    yield ADDRESS, "ip6-another", ip6("fd00::6")
    yield ADDRESS, "ip6-link-local-another", ip6(link_local(ONLY6))
    yield ADDRESS, "ip6-mapped", ip6("::ffff:10.0.0.5")
    yield ADDRESS, "ip6-later-fragment-another", ip6("fd00::6", IPv6ExtHdrFragment(offset=100, nh=58) / Raw(some_bytes(24)))
    yield ADDRESS, "ip6-nobody", ip6("::")
    yield ADDRESS, "ip6-nobody-pings", ip6("::", ICMPv6EchoRequest())
    yield ADDRESS, "ip6-cut", ip6(OWN6)[:14 + 39]
    yield ADDRESS, "ip6-extension-cut", ip6(OWN6, EXTENSIONS / UDP(sport=1, dport=2))[:14 + 49]
    yield ADDRESS, "ip6-many-extensions", ip6(OWN6, raw_chain(9))
    yield ADDRESS, "ip6-of-only4", ip6(link_local(ONLY4), mac=ONLY4)


def raw_chain(count):
    chain = UDP(sport=1, dport=2)
    for _ in range(count):
        chain = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) / chain
    return chain


def discovery_frames():
    yield PASS, "nd-asks", solicits(OWN6, "fd00::9")
    yield PASS, "nd-asks-without-option", solicits(OWN6, "fd00::9", option=None)
    yield PASS, "nd-asks-link-local", solicits(OWN_LINK_LOCAL, "fd00::9")
    yield PASS, "nd-answers", advertises(OWN6, OWN6)
    yield PASS, "nd-answers-link-local", advertises(OWN_LINK_LOCAL, OWN_LINK_LOCAL)
    yield PASS, "nd-dad", solicits("::", OWN6, option=None)
    yield PASS, "nd-dad-link-local", solicits("::", OWN_LINK_LOCAL, option=None)
    yield PASS, "nd-router", ip6(OWN_LINK_LOCAL, ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=BOTH), to="ff02::2")
    yield PASS, "nd-router-nobody", ip6("::", ICMPv6ND_RS(), to="ff02::2")
    yield PASS, "nd-advertises-router", ip6(OWN_LINK_LOCAL, ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=BOTH), to="ff02::1")
    yield PASS, "mld", mld(OWN_LINK_LOCAL)
    yield PASS, "mld-nobody", mld("::")
    yield PASS, "nd-of-any", advertises("2001:db8::1", "2001:db8::1", ANY, ANY)
    yield ADDRESS, "nd-asks-another-mac", solicits(OWN6, "fd00::9", option=STRANGER)
    yield ADDRESS, "nd-asks-option-0", solicits(OWN6, "fd00::9", len=0)
    yield ADDRESS, "nd-dad-another", solicits("::", "fd00::9", option=None)
    yield ADDRESS, "nd-answers-another", advertises(OWN6, "fd00::9")
    yield ADDRESS, "nd-answers-another-mac", advertises(OWN6, OWN6, option=STRANGER)
    yield ADDRESS, "nd-answers-of-another", advertises("fd00::9", "fd00::9")
    yield ADDRESS, "nd-router-another-mac", ip6(OWN_LINK_LOCAL, ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=THERE), to="ff02::2")
    yield ADDRESS, "nd-advertises-router-another-mac", ip6(OWN_LINK_LOCAL, ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=THERE))
    claim = ICMPv6ND_NA(tgt="fd00::9") / ICMPv6NDOptDstLLAddr(lladdr=BOTH)
    yield ADDRESS, "nd-behind-extensions", ip6(OWN6, EXTENSIONS / claim)
    yield ADDRESS, "nd-behind-routing", ip6(OWN6, IPv6ExtHdrRouting(addresses=["fd00::8"], segleft=0) / claim)
    yield ADDRESS, "nd-in-fragment", ip6(OWN6, IPv6ExtHdrFragment() / ICMPv6ND_NA(tgt=OWN6) / ICMPv6NDOptDstLLAddr(lladdr=BOTH))
    yield ADDRESS, "nd-of-any-another-mac", advertises("2001:db8::1", "2001:db8::1", BOTH, ANY)
    yield ADDRESS, "nd-dad-of-only4", solicits("::", link_local(ONLY4), option=None, mac=ONLY4)


def other_frames():
    yield PASS, "llc", eth(LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(some_bytes(40)))
    yield PASS, "lldp-like", raw(Ether(src=BOTH, dst=THERE, type=0x88B5) / Raw(some_bytes(46)))
    yield MAC, "stranger-ip4", ip4("10.0.0.5", STRANGER)
    yield MAC, "stranger-arp", arp("10.0.0.5", "10.0.0.9", STRANGER, claimed=BOTH)
    yield MAC, "stranger-ip6", ip6(OWN6, mac=STRANGER)
    yield MAC, "stranger", raw(Ether(src=STRANGER, dst=THERE, type=0x88B5) / Raw(some_bytes(46)))
    yield MAC, "group", raw(Ether(src="03:00:00:00:01:01", dst=THERE, type=0x88B5) / Raw(some_bytes(46)))


def write_bindings(out):
    for part in (ipv4_frames, arp_frames, ipv6_frames, discovery_frames, other_frames):
        for verdict, name, frame in part():
            out.write(f"bound.{verdict}.{name}", frame)
            out.write(f"bound.{verdict}.{name}.tag", tagged(frame, Dot1Q(vlan=7)))
            out.write(f"bound.{verdict}.{name}.two-tags", tagged(frame, Dot1AD(vlan=5), Dot1Q(vlan=7)))
    out.write(f"bound.{ADDRESS}.three-tags", tagged(ip4("10.0.0.5"), Dot1AD(vlan=5), Dot1Q(vlan=6), Dot1Q(vlan=7)))
    out.write(f"bound.{ADDRESS}.tag-cut", tagged(ip4("10.0.0.5"), Dot1Q(vlan=7))[:16])
