"""Received underlay frames, row by row: `decap.GROUP.ROW.VERDICT` is the frame, where VERDICT is `accept` or the
reason of its drop; `inner.GROUP.ROW` is what must come out of an accepted one."""

from scapy.all import (ARP, HAO, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, HBHOptUnknown, ICMPv6EchoRequest, IPOption_RR,
                       IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Pad1, PadN, Raw,
                       RouterAlert, raw)
from scapy.contrib.geneve import GeneveOptions

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_MAC, encapsulated, host_mac, outer_ip, some_bytes, tunnel_header, udp

IP_BAD, L4_BAD, IP_GOOD, L4_GOOD = 1, 2, 4, 8  # what the NIC says, in the `nic` number of a line


def inner_frame(payload_bytes=61, version=4, ecn=0, tags=()):
    frame = Ether(src=host_mac(0x51), dst=host_mac(0x52))
    for tag in tags:
        frame = frame / tag
    if version == 4:
        frame = frame / IP(src="10.0.0.1", dst="10.0.0.2", tos=0xA8 | ecn, id=77)
    else:
        frame = frame / IPv6(src="fd00:a::1", dst="fd00:a::2", tc=0xA8 | ecn, fl=0x54321)
    return frame / UDP(sport=1000, dport=2000) / Raw(some_bytes(payload_bytes))


class Rows:
    def __init__(self, out, group):
        self.out, self.group = out, group

    def accept(self, row, frame, inner, nic=0):
        self.out.write(f"decap.{self.group}.{row}.accept", frame, nic=nic)
        self.out.write(f"inner.{self.group}.{row}", inner)

    def drop(self, row, reason, frame, nic=0):
        self.out.write(f"decap.{self.group}.{row}.{reason}", frame, nic=nic)


def changed(frame, at, value):
    """`frame` with other bytes at one place."""
    frame = bytearray(frame)
    frame[at:at + len(value)] = value
    return bytes(frame)


def flipped(frame, at):
    return changed(frame, at, bytes([frame[at] ^ 0x40]))


def vxlan4(inner, **fields):
    return encapsulated("vxlan", 100, inner, **fields)


# Sources that no host sends from, and such as are only unknown.
NO_HOST = {4: ("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "224.0.0.1", "239.129.1.1", "240.0.0.1",
               "255.255.255.255", OUR_IP[4]),
           6: ("::", "::1", "::2", "::172.31.0.2", "::ffff:172.31.0.2", "::ffff:10.0.0.1", "ff02::1", "ff05::1:2345", OUR_IP[6])}
SOME_HOST = {4: ("1.0.0.1", "126.255.255.255", "128.0.0.1", "169.254.0.9", "223.255.255.254"),
             6: ("fe80::9", "64:ff9b::a00:1", "::1:0:0", "::fffe:a00:1", "2001:db8::1", "fd00:31::99")}


def source_rows(rows, family):
    """RFC 1122 section 3.2.1.3, RFC 4291 section 2.5."""
    inner = inner_frame()
    for source in NO_HOST[family]:
        rows.drop(f"source-{source}", "impossible_source", encapsulated("vxlan", 100, inner, family=family, ip=dict(src=source)))
    for source in SOME_HOST[family]:
        rows.drop(f"source-{source}", "unknown_remote", encapsulated("vxlan", 100, inner, family=family, ip=dict(src=source)))
    liar = NO_HOST[family][1]
    for mode, number in (("geneve", 123), ("gretap", 7)):
        rows.drop(f"source-{mode}", "impossible_source", encapsulated(mode, number, inner, family=family, ip=dict(src=liar)))
    echo = ICMP(type="echo-request") if family == 4 else ICMPv6EchoRequest(data=some_bytes(8))
    rows.drop("source-echo", "impossible_source", raw(outer_ip(family, src=liar) / echo))
    rows.drop("source-and-not-our-address", "not_for_us", encapsulated(
        "vxlan", 100, inner, family=family, ip=dict(src=liar, dst="172.31.0.99" if family == 4 else "fd00:31::99")))


def ipv4_rows(rows):
    inner = inner_frame()
    right = vxlan4(inner)
    rows.accept("right", right, inner)
    rows.accept("ttl-1", vxlan4(inner, ip=dict(ttl=1, flags=0, id=4711)), inner)
    rows.drop("checksum", "ip_checksum", flipped(right, 24))
    rows.drop("checksum-covers-ttl", "ip_checksum", flipped(right, 22))
    rows.drop("nic-says-bad", "ip_checksum", right, nic=IP_BAD)
    rows.accept("nic-says-good", flipped(right, 24), inner, nic=IP_GOOD)
    rows.drop("fragment-first", "ip_fragment", vxlan4(inner, ip=dict(flags="MF")))
    rows.drop("fragment-later", "ip_fragment", vxlan4(inner, ip=dict(flags=0, frag=10)))
    rows.drop("options", "ip_options", vxlan4(inner, ip=dict(options=[IPOption_RR()])))
    rows.drop("header-length-16", "ip_version", vxlan4(inner, ip=dict(ihl=4)))
    rows.drop("version-5", "ip_version", vxlan4(inner, ip=dict(version=5)))
    rows.drop("version-6", "ip_version", vxlan4(inner, ip=dict(version=6)))
    length = len(right) - 14
    rows.drop("length-beyond-frame", "ip_length", vxlan4(inner, ip=dict(len=length + 1)))
    rows.drop("length-65535", "ip_length", vxlan4(inner, ip=dict(len=65535)))
    rows.drop("length-under-header", "ip_length", vxlan4(inner, ip=dict(len=19)))
    rows.drop("length-0", "ip_length", vxlan4(inner, ip=dict(len=0)))
    rows.drop("no-room-for-udp", "udp_length", vxlan4(inner, ip=dict(len=27)))
    rows.drop("frame-ends-in-ethernet", "frame_too_short", right[:13])
    rows.drop("frame-ends-in-ip", "frame_too_short", right[:33])
    rows.drop("frame-ends-in-udp", "ip_length", right[:40])
    rows.accept("trailing-4", right + b"\xee" * 4, inner)
    small = inner_frame(0)
    rows.accept("trailing-1000", vxlan4(small) + some_bytes(1000), small)
    rows.drop("not-our-mac", "not_for_us", changed(right, 0, bytes.fromhex("020000000009")))
    rows.drop("not-our-address", "not_for_us", vxlan4(inner, ip=dict(dst="172.31.0.99")))
    rows.drop("broadcast-address", "not_for_us", vxlan4(inner, ip=dict(dst="255.255.255.255")))
    rows.drop("protocol", "unknown_protocol", raw(outer_ip(4, proto=89) / Raw(some_bytes(24))))
    rows.drop("tcp", "unknown_protocol", raw(outer_ip(4) / TCP(sport=5, dport=4789) / raw(inner)))
    rows.drop("udp-port", "unknown_protocol", raw(outer_ip(4) / UDP(sport=5, dport=4790) / raw(inner)))
    rows.drop("lldp", "unknown_ethertype", raw(Ether(src=REMOTE_MAC[2], dst="01:80:c2:00:00:0e", type=0x88CC)
                                               / Raw(some_bytes(46))))
    tagged = Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / Dot1Q(vlan=5) / raw(outer_ip(4))[14:]
    rows.drop("vlan-tag", "unknown_ethertype", changed(raw(tagged), 16, b"\x08\x00"))
    echo_rows(rows, 4)
    source_rows(rows, 4)


def priority_rows(rows):
    """VLAN ID 0 is none (IEEE 802.1Q 6.9.1), of whichever kind of tag, and however many (as Linux)."""
    inner = inner_frame()
    frames = {"vxlan": vxlan4(inner), "vxlan-checksum": vxlan4(inner, checksum=True),
              "geneve": encapsulated("geneve", 123, inner), "gretap": encapsulated("gretap", 7, inner),
              "vxlan-ipv6": encapsulated("vxlan", 100, inner, family=6),
              "gretap-ipv6": encapsulated("gretap", 7, inner, family=6)}
    zero, high, service = Dot1Q(vlan=0), Dot1Q(vlan=0, prio=7, id=1), Dot1AD(vlan=0, prio=2)
    for name, frame in frames.items():
        rows.accept(name, with_tags(frame, zero), inner)
        rows.accept(f"{name}-high", with_tags(frame, high), inner)
        rows.accept(f"{name}-service", with_tags(frame, service), inner)
        rows.accept(f"{name}-three", with_tags(frame, service, zero, high), inner)
        rows.drop(f"{name}-in-front-of-another", "unknown_ethertype", with_tags(frame, zero, Dot1Q(vlan=5)))
        rows.drop(f"{name}-behind-another", "unknown_ethertype", with_tags(frame, Dot1Q(vlan=5), zero))
    small = inner_frame(0)
    rows.accept("trailing", with_tags(vxlan4(small), zero) + some_bytes(9), small)
    rows.drop("cut-in-the-tag", "unknown_ethertype", with_tags(frames["vxlan"], zero)[:17])
    rows.drop("cut-behind-the-tag", "frame_too_short", with_tags(frames["vxlan"], zero)[:18])
    rows.drop("checksum", "ip_checksum", with_tags(flipped(frames["vxlan"], 24), zero))
    rows.drop("not-our-address", "not_for_us", with_tags(vxlan4(inner, ip=dict(dst="172.31.0.99")), zero))


def with_tags(frame, *tags):
    head = Ether(src=Ether(frame).src, dst=Ether(frame).dst)
    for tag in tags:
        head = head / tag.copy()
    head.lastlayer().type = Ether(frame).type
    return raw(head) + frame[14:]


def echo_rows(rows, family):
    """Echo requests that nobody answers are counted by what they are."""
    if family == 4:
        rest = ICMP(type="echo-request") / Raw(some_bytes(56))
        rows.drop("echo-options", "ip_options", raw(outer_ip(4, options=[IPOption_RR()], proto=1) / rest))
        rows.drop("echo-options-not-our-address", "not_for_us",
                  raw(outer_ip(4, options=[IPOption_RR()], proto=1, dst="172.31.0.99") / rest))
        rows.drop("echo-fragment-first", "ip_fragment", raw(outer_ip(4, flags="MF", proto=1) / rest))
        rows.drop("echo-fragment-later", "ip_fragment", raw(outer_ip(4, flags=0, frag=185, proto=1) / rest))
        return
    pad = [PadN(optdata=b"\0" * 4)]
    headers = {"hop-by-hop": (IPv6ExtHdrHopByHop(options=pad), "ip_options"),
               "router-alert": (IPv6ExtHdrHopByHop(options=[RouterAlert(), PadN(optdata=b"")]), "ip_options"),
               "long-hop-by-hop": (IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)]), "ip_options"),
               "destination-options": (IPv6ExtHdrDestOpt(options=pad), "ip_options"),
               "routing": (IPv6ExtHdrRouting(), "ip_options"),
               "fragment-first": (IPv6ExtHdrFragment(m=1, id=9), "ip_fragment"),
               "fragment-later": (IPv6ExtHdrFragment(offset=181, id=9), "ip_fragment")}
    for name, (header, reason) in headers.items():
        rows.drop(f"echo-{name}", reason, raw(outer_ip(6) / header / ICMPv6EchoRequest(data=some_bytes(56))))


def ipv6_rows(rows):
    inner = inner_frame()
    right = encapsulated("vxlan", 100, inner, family=6)
    rows.accept("right", right, inner)
    rows.accept("vxlan-no-checksum", encapsulated("vxlan", 100, inner, family=6, checksum=False), inner)
    rows.accept("geneve", encapsulated("geneve", 123, inner, family=6), inner)
    no_sum = encapsulated("geneve", 123, inner, family=6, checksum=False)
    rows.drop("geneve-no-checksum", "udp_zero_checksum", no_sum)
    rows.accept("geneve-no-checksum-allowed", encapsulated("geneve", 124, inner, family=6, checksum=False), inner)
    rows.drop("checksum", "udp_checksum", flipped(right, 61))
    rows.drop("checksum-covers-addresses", "udp_checksum", flipped(right, 29))
    rows.drop("nic-says-bad", "udp_checksum", right, nic=L4_BAD)
    rows.accept("nic-says-good", flipped(right, 61), inner, nic=L4_GOOD)
    headers = {"hop-by-hop": (IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]), "ip_options"),
               "routing": (IPv6ExtHdrRouting(), "ip_options"),
               "destination-options": (IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]), "ip_options"),
               "fragment-first": (IPv6ExtHdrFragment(m=1, id=9), "ip_fragment"),
               "fragment-later": (IPv6ExtHdrFragment(offset=90, id=9), "ip_fragment")}
    for row, (header, reason) in headers.items():
        rows.drop(row, reason, raw(outer_ip(6) / header / udp("vxlan", True) / tunnel_header("vxlan", 100) / raw(inner)))
    length = len(right) - 54
    rows.drop("length-beyond-frame", "ip_length", encapsulated("vxlan", 100, inner, family=6, ip=dict(plen=length + 1)))
    rows.drop("length-under-udp", "udp_length", encapsulated("vxlan", 100, inner, family=6, ip=dict(plen=7)))
    rows.drop("version-4", "ip_version", encapsulated("vxlan", 100, inner, family=6, ip=dict(version=4)))
    rows.drop("frame-ends-in-ip", "frame_too_short", right[:53])
    rows.accept("trailing-333", right + some_bytes(333), inner)
    rows.drop("next-header", "unknown_protocol", encapsulated("vxlan", 100, inner, family=6, ip=dict(nh=89)))
    rows.drop("not-our-address", "not_for_us", encapsulated("vxlan", 100, inner, family=6, ip=dict(dst="fd00:31::99")))
    rows.drop("multicast-address", "not_for_us", encapsulated("vxlan", 100, inner, family=6, ip=dict(dst="ff02::1")))
    echo_rows(rows, 6)
    source_rows(rows, 6)
    mapped = dict(src="::ffff:172.31.0.2", dst="::ffff:172.31.0.1")  # as our tables write IPv4 addresses
    rows.drop("mapped-address", "not_for_us", encapsulated("vxlan", 100, inner, family=6, ip=mapped))


def zero_sum_inner(**fields):
    """An inner frame that makes the outer UDP checksum 0, which goes on the wire as 0xffff."""
    base = raw(inner_frame(60))
    zeroed = changed(base, len(base) - 2, b"\0\0")
    at = 40 if fields.get("family", 4) == 4 else 60
    frame = encapsulated("vxlan", 100, zeroed, checksum=True, **fields)
    return changed(zeroed, len(base) - 2, frame[at:at + 2])


def udp_rows(rows):
    for bytes_in in (60, 61):
        inner = inner_frame(bytes_in)
        rows.accept(f"checksum-right-{bytes_in}", vxlan4(inner, checksum=True), inner)
        rows.drop(f"checksum-wrong-{bytes_in}", "udp_checksum", flipped(vxlan4(inner, checksum=True), 40))
        rows.drop(f"payload-wrong-{bytes_in}", "udp_checksum", flipped(vxlan4(inner, checksum=True), -1))
        rows.accept(f"checksum-right-trailing-{bytes_in}", vxlan4(inner, checksum=True) + b"\x77" * 33, inner)
    inner = inner_frame()
    of_another = int.from_bytes(vxlan4(inner, checksum=True, ip=dict(src="172.31.0.3"))[40:42], "big")
    rows.drop("checksum-covers-addresses", "udp_checksum",
              raw(outer_ip(4) / udp("vxlan", True, chksum=of_another) / tunnel_header("vxlan", 100) / raw(inner)))
    rows.accept("no-checksum", vxlan4(inner, checksum=False), inner)
    for version in (4, 6):
        zero = zero_sum_inner(family=version)
        frame = encapsulated("vxlan", 100, zero, checksum=True, family=version)
        at = 40 if version == 4 else 60
        frame = changed(frame, at, b"\xff\xff")  # scapy leaves a sum of 0 as it is
        rows.accept(f"checksum-ffff-v{version}", frame, zero)
    rows.drop("nic-says-bad", "udp_checksum", vxlan4(inner, checksum=True), nic=L4_BAD)
    rows.accept("nic-says-bad-of-none", vxlan4(inner), inner, nic=L4_BAD)
    rows.accept("nic-says-good", flipped(vxlan4(inner, checksum=True), 40), inner, nic=L4_GOOD | IP_GOOD)

    def with_length(length, checksum=False):
        return raw(outer_ip(4) / udp("vxlan", checksum, len=length) / tunnel_header("vxlan", 100) / raw(inner))

    whole = 8 + 8 + len(inner)
    rows.drop("length-beyond-ip", "udp_length", with_length(whole + 1))
    rows.drop("length-65535", "udp_length", with_length(65535))
    rows.drop("length-7", "udp_length", with_length(7))
    rows.drop("length-0", "udp_length", with_length(0))
    rows.drop("length-8", "inner_too_short", with_length(8))
    rows.accept("shorter-than-ip", with_length(whole - 5), raw(inner)[:-5])


def geneve_rows(rows):
    inner = inner_frame()

    def geneve(**fields):
        return encapsulated("geneve", 123, fields.pop("inside", inner), **fields)

    def option(critical=False, data=b"", **fields):
        return GeneveOptions(**{"classid": 0xFFF0, "type": 0x81 if critical else 1, "data": data, **fields})

    rows.accept("right", geneve(), inner)
    for version in (1, 3):
        rows.drop(f"version-{version}", "geneve_version", geneve(version=version))
    rows.drop("control", "geneve_control", geneve(oam=1))
    rows.drop("protocol-ipv4", "geneve_protocol", geneve(proto=0x0800))
    rows.drop("critical-option", "geneve_critical", geneve(critical=1, options=[option(True)]))
    rows.drop("critical-option-second", "geneve_critical",
              geneve(critical=1, options=[option(data=b"\1" * 8), option(True, b"\2" * 4)]))
    rows.accept("c-bit-options-not-critical", geneve(critical=1, options=[option(data=b"\1" * 4)]), inner)
    rows.accept("c-bit-no-options", geneve(critical=1), inner)
    rows.accept("c-bit-clear", geneve(options=[option(data=b"\1" * 12)]), inner)
    rows.accept("options-three", geneve(options=[option(data=b"\1" * 4), option(), option(data=b"\3" * 124)]), inner)
    # scapy's own count of so many words is too small.
    rows.accept("options-252-bytes",
                geneve(optionlen=63, options=[option(data=b"\1" * 124), option(data=b"\2" * 120)]), inner)
    rows.accept("option-reserved-bits", geneve(options=[option(data=b"\1" * 4, reserved=7)]), inner)
    rows.accept("reserved-bits", changed(geneve(reserved=0x3F), 49, b"\xff"), inner)
    rows.drop("options-beyond-frame", "geneve_options", geneve(optionlen=63, inside=inner_frame(0)))
    rows.drop("option-beyond-header", "geneve_options", geneve(options=[option(data=b"\1" * 8, length=3)]))
    rows.drop("option-second-beyond-header", "geneve_options",
              geneve(options=[option(data=b"\1" * 4), option(data=b"\2" * 4, length=31)]))
    rows.drop("options-shorter-than-option", "geneve_options", geneve(optionlen=1, options=[option(data=b"\1" * 8)]))
    rows.drop("header-cut", "inner_too_short", raw(outer_ip(4) / udp("geneve", False) / Raw(b"\0" * 7)))
    rows.drop("unknown-vni", "unknown_vni", encapsulated("geneve", 0x123, inner))
    rows.drop("stranger", "unknown_remote", geneve(remote=9))
    rows.drop("remote-of-another-vni", "unknown_remote", geneve(remote=3))
    rows.drop("inner-13-bytes", "inner_too_short", geneve(inside=raw(inner)[:13]))
    rows.drop("inner-0-bytes", "inner_too_short", geneve(inside=b""))
    rows.drop("inner-13-bytes-padded", "inner_too_short", geneve(inside=raw(inner)[:13]) + b"\0" * 20)
    rows.accept("inner-14-bytes", geneve(inside=raw(inner)[:14]), raw(inner)[:14])
    rows.drop("in-no-bridge", "tunnel_unassigned", encapsulated("geneve", 999, inner))
    rows.accept("other-port", encapsulated("geneve", 125, inner, port=16081), inner)
    rows.drop("vni-of-other-port", "unknown_vni", encapsulated("geneve", 125, inner))
    rows.drop("right-at-other-port", "unknown_vni", geneve(port=16081))


def vxlan_rows(rows):
    inner = inner_frame()
    rows.accept("right", vxlan4(inner), inner)
    rows.drop("no-i-flag", "vxlan_flags", vxlan4(inner, flags=0))
    rows.drop("all-but-i-flag", "vxlan_flags", changed(vxlan4(inner), 42, b"\xf7"))
    rows.accept("reserved-flags", changed(vxlan4(inner), 42, b"\xff"), inner)
    rows.accept("reserved-bytes", changed(changed(vxlan4(inner), 43, b"\xff\xff\xff"), 49, b"\xff"), inner)
    rows.drop("unknown-vni", "unknown_vni", encapsulated("vxlan", 101, inner))
    rows.drop("vni-of-geneve", "unknown_vni", encapsulated("vxlan", 123, inner))
    rows.drop("right-at-other-port", "unknown_protocol", vxlan4(inner, port=4790))
    rows.drop("stranger", "unknown_remote", vxlan4(inner, remote=9))
    rows.drop("header-cut", "inner_too_short", raw(outer_ip(4) / udp("vxlan", False) / Raw(b"\x08" + b"\0" * 6)))
    rows.drop("inner-13-bytes", "inner_too_short", vxlan4(raw(inner)[:13]))
    big = inner_frame(1500)
    rows.accept("inner-1500", vxlan4(big), big)


def gre_rows(rows):
    inner = inner_frame()

    def gre(key=7, **fields):
        return encapsulated("gretap", key, fields.pop("inside", inner), **fields)

    rows.accept("key", gre(), inner)
    rows.accept("no-key", gre(key=None), inner)
    rows.accept("ipv6", gre(family=6), inner)
    limit_rows(rows, inner)
    for payload_bytes in (60, 61):
        some = inner_frame(payload_bytes)
        rows.accept(f"checksum-{payload_bytes}", gre(inside=some, checksum=True), some)
        rows.accept(f"checksum-trailing-{payload_bytes}", gre(inside=some, checksum=True) + b"\x55" * 9, some)
        rows.drop(f"checksum-wrong-{payload_bytes}", "gre_checksum", flipped(gre(inside=some, checksum=True), 39))
        rows.drop(f"checksum-payload-{payload_bytes}", "gre_checksum", flipped(gre(inside=some, checksum=True), -1))
    rows.accept("checksum-no-key", gre(key=None, checksum=True), inner)
    rows.accept("sequence", gre(seqnum_present=1, seqence_number=0xDEADBEEF), inner)
    rows.accept("sequence-no-key", gre(key=None, seqnum_present=1, seqence_number=1), inner)
    rows.accept("everything", gre(checksum=True, seqnum_present=1, seqence_number=5), inner)
    rows.drop("routing", "gre_flags", gre(routing_present=1, chksum=0, offset=0))
    rows.drop("strict-route", "gre_flags", gre(strict_route_source=1))
    rows.drop("recursion", "gre_flags", gre(recursion_control=4))
    rows.accept("ignored-reserved-bits", gre(flags=0x1F), inner)
    for version in (1, 7):
        rows.drop(f"version-{version}", "gre_flags", changed(gre(), 35, bytes([version])))
    rows.drop("protocol-ipv4", "gre_protocol", gre(proto=0x0800))
    rows.drop("protocol-erspan", "gre_protocol", gre(proto=0x88BE))
    rows.drop("unknown-key", "unknown_vni", gre(key=8))
    rows.drop("stranger", "unknown_remote", gre(remote=9))
    rows.drop("stranger-no-key", "unknown_remote", gre(key=None, remote=9))
    rows.drop("header-cut", "ip_length", raw(outer_ip(4, proto=47) / Raw(b"\x20\x00\x65")))
    rows.drop("key-cut", "inner_too_short", raw(outer_ip(4, proto=47) / Raw(b"\x20\x00\x65\x58\0\0")))
    rows.drop("inner-13-bytes", "inner_too_short", gre(inside=raw(inner)[:13]))


def limit_rows(rows, inner):
    """The tunnel encapsulation limit (RFC 2473 section 4.1.1), which Linux' ip6gretap sends unless told not to."""
    def gre6(*options, key=7, next_header=47, inside=inner, cut=None, checksum=False, extension=None):
        rest = raw(tunnel_header("gretap", key, **(dict(chksum_present=1) if checksum else {})) / raw(inside))
        header = raw(IPv6ExtHdrDestOpt(nh=next_header, options=list(options))) if extension is None else extension
        return raw(outer_ip(6, nh=60) / Raw((header + rest)[:cut]))

    def limit(value=4):
        return HBHOptUnknown(otype=4, optlen=1, optdata=bytes([value]))

    # As in net/ipv6/ip6_tunnel.c, init_tel_txopt.
    linux = bytes([47, 0, 4, 1, 4, 1, 1, 0])
    rows.accept("limit-as-linux", gre6(extension=linux), inner)
    rows.accept("limit", gre6(limit(), PadN(optdata=b"\0")), inner)
    rows.accept("limit-0", gre6(limit(0), PadN(optdata=b"\0")), inner)
    rows.accept("limit-255", gre6(limit(255), Pad1(), Pad1(), Pad1()), inner)
    rows.accept("limit-behind-padding", gre6(Pad1(), PadN(optdata=b""), limit()), inner)
    rows.accept("limit-long-padding", gre6(PadN(optdata=b"\0" * 9), limit()), inner)
    rows.accept("limit-checksum", gre6(limit(), PadN(optdata=b"\0"), checksum=True), inner)
    rows.drop("limit-checksum-wrong", "gre_checksum", flipped(gre6(limit(), PadN(optdata=b"\0"), checksum=True), -1))
    rows.drop("limit-unknown-key", "unknown_vni", gre6(limit(), PadN(optdata=b"\0"), key=8))
    rows.drop("limit-twice", "ip_options", gre6(limit(), limit()))
    rows.drop("limit-none", "ip_options", gre6(PadN(optdata=b"\0" * 4)))
    rows.drop("limit-2-bytes", "ip_options", gre6(HBHOptUnknown(otype=4, optlen=2, optdata=b"\4\4"), PadN(optdata=b"")))
    rows.drop("limit-0-bytes", "ip_options", gre6(HBHOptUnknown(otype=4, optlen=0), PadN(optdata=b"\0\0")))
    rows.drop("limit-and-another", "ip_options", gre6(limit(), HBHOptUnknown(otype=0x1E, optlen=1, optdata=b"\0")))
    rows.drop("limit-home-address", "ip_options", gre6(limit(), PadN(optdata=b"\0"), HAO()))
    rows.drop("limit-overruns", "ip_options", gre6(extension=bytes([47, 0, 4, 1, 4, 1, 2, 0])))
    rows.drop("limit-padding-overruns", "ip_options", gre6(extension=bytes([47, 0, 4, 1, 4, 0, 0, 1])))
    rows.drop("limit-header-beyond-packet", "ip_length", gre6(extension=bytes([47, 200, 4, 1, 4, 1, 1, 0])))
    rows.drop("limit-cut", "ip_length", gre6(extension=linux, cut=7))
    rows.drop("limit-gre-cut", "ip_length", gre6(extension=linux, cut=11))
    rows.drop("limit-and-udp", "ip_options", gre6(extension=bytes([17]) + linux[1:]))
    rows.drop("limit-and-routing", "ip_options", gre6(extension=bytes([43]) + linux[1:]))


def nvgre_rows(rows):
    inner = inner_frame()

    def nvgre(vsid=0x123456, **fields):
        return encapsulated("nvgre", vsid, fields.pop("inside", inner), **fields)

    rows.accept("right", nvgre(), inner)
    for flow in (1, 0x80, 0xFF):
        rows.accept(f"flow-{flow}", nvgre(flow=flow), inner)
    rows.accept("ipv6", nvgre(family=6, flow=9), inner)
    rows.drop("checksum", "gre_flags", nvgre(checksum=True))
    rows.drop("sequence", "gre_flags", nvgre(seqnum_present=1, seqence_number=1))
    rows.drop("unknown-vsid", "unknown_vni", nvgre(0x123457))
    rows.drop("stranger", "unknown_remote", nvgre(remote=9, flow=3))
    rows.drop("no-key", "unknown_remote", encapsulated("gretap", None, inner, remote=9))
    rows.drop("inner-13-bytes", "inner_too_short", nvgre(inside=raw(inner)[:13]))


def keys_rows(rows):
    inner = inner_frame()
    rows.accept("gretap-in", encapsulated("gretap", 21, inner), inner)
    rows.drop("gretap-out", "unknown_vni", encapsulated("gretap", 22, inner))
    rows.accept("vxlan-in", encapsulated("vxlan", 321, inner), inner)
    rows.drop("vxlan-out", "unknown_vni", encapsulated("vxlan", 322, inner))


def options_rows(rows):
    """What a tunnel that knows options takes: gnv4match wants both of its own, gnv4opt only knows its one."""
    inner = inner_frame()
    first = GeneveOptions(classid=0x0102, type=0x83, data=bytes.fromhex("a1a2a3a4"))
    second = GeneveOptions(classid=0x0103, type=1)
    other = GeneveOptions(classid=0x0999, type=1, data=b"\1" * 4)
    critical = GeneveOptions(classid=0x0999, type=0x81)

    def match(*options, **fields):
        return encapsulated("geneve", 135, inner, **{"critical": 1, "options": list(options), **fields})

    rows.accept("both", match(first, second), inner)
    rows.accept("in-another-order-and-more", match(second, other, first), inner)
    rows.accept("c-bit-clear", match(first, second, critical=0), inner)
    rows.drop("none", "geneve_mismatch", match(critical=0))
    rows.drop("one", "geneve_mismatch", match(first))
    rows.drop("other-data", "geneve_mismatch", match(GeneveOptions(classid=0x0102, type=0x83, data=b"\0" * 4), second))
    rows.drop("shorter-data", "geneve_mismatch", match(GeneveOptions(classid=0x0102, type=0x83), second))
    rows.drop("other-class", "geneve_mismatch", match(first, GeneveOptions(classid=0x0104, type=1)))
    rows.drop("critical-unknown", "geneve_critical", match(first, second, critical))
    rows.accept("known-not-wanted", encapsulated("geneve", 133, inner, options=[other]), inner)
    rows.drop("critical-of-known-class", "geneve_critical", encapsulated(
        "geneve", 133, inner, critical=1, options=[GeneveOptions(classid=0x0102, type=0x84)]))
    rows.accept("critical-known", encapsulated("geneve", 134, inner, family=6, critical=1, options=[
        GeneveOptions(classid=0xFFFF, type=0x84, data=b"\7" * 8)]), inner)


# RFC 6040 section 4.2, figure 4: [inner][outer] -> inner, None: drop.
NOT_ECT, ECT_1, ECT_0, CE = 0, 1, 2, 3
RFC_6040 = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT_0: NOT_ECT, ECT_1: NOT_ECT, CE: None},
    ECT_0: {NOT_ECT: ECT_0, ECT_0: ECT_0, ECT_1: ECT_1, CE: CE},
    ECT_1: {NOT_ECT: ECT_1, ECT_0: ECT_1, ECT_1: ECT_1, CE: CE},
    CE: {NOT_ECT: CE, ECT_0: CE, ECT_1: CE, CE: CE},
}


def ecn_rows(rows):
    q_in_q = (Dot1AD(vlan=20), Dot1Q(vlan=10))
    shapes = {"v4-in-v4": (4, 4, ()), "v6-in-v4": (4, 6, ()), "v4-in-v6": (6, 4, ()), "v6-in-v6": (6, 6, ()),
              "tagged-v4": (4, 4, (Dot1Q(vlan=10),)), "tagged-v6": (4, 6, (Dot1Q(vlan=10),)),
              "q-in-q-v4": (4, 4, q_in_q), "q-in-q-v6": (6, 6, q_in_q)}
    for shape, (outer, version, tags) in shapes.items():
        for inner_ecn, combined in RFC_6040.items():
            for outer_ecn, result in combined.items():
                inner = inner_frame(20, version, inner_ecn, tags)
                row = f"{shape}-inner-{inner_ecn}-outer-{outer_ecn}"
                field = {"tos" if outer == 4 else "tc": 0x10 | outer_ecn}
                frame = encapsulated("vxlan", 100, inner, family=outer, ip=field)
                if result is None:
                    rows.drop(row, "ecn", frame)
                    continue
                layer = inner[IP] if version == 4 else inner[IPv6]
                setattr(layer, "tos" if version == 4 else "tc", 0xA8 | result)
                rows.accept(row, frame, inner)
    arp = raw(Ether(src=host_mac(0x51), dst="ff:ff:ff:ff:ff:ff") / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    for outer_ecn in (NOT_ECT, ECT_0, ECT_1):
        rows.accept(f"arp-outer-{outer_ecn}", vxlan4(arp, ip=dict(tos=outer_ecn)), arp)
    rows.drop("arp-outer-3", "ecn", vxlan4(arp, ip=dict(tos=CE)))
    cut = raw(inner_frame())[:30]
    rows.drop("ip-header-cut-outer-3", "ecn", vxlan4(cut, ip=dict(tos=CE)))


def write_decap(out):
    groups = {"ipv4": ipv4_rows, "priority": priority_rows, "ipv6": ipv6_rows, "udp": udp_rows, "geneve": geneve_rows, "vxlan": vxlan_rows,
              "gre": gre_rows, "nvgre": nvgre_rows, "keys": keys_rows, "options": options_rows,
              "ecn": ecn_rows}
    for group, write in groups.items():
        write(Rows(out, group))
