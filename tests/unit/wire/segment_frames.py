#!/usr/bin/python3
"""Super-packets and the segments they must become, all lengths and checksums by scapy.

Usage: segment_frames.py OUTPUT. Lines as tests/support/frames.h reads them: `cut.*` is a super-packet
with its Intent behind it, `want.*` of the same rest of the name the segments in order; `whole.*` is a frame
that only lacks its checksum, `done.*` the same frame with it. `jumbo.*` is a super-packet over 64 KB as Linux sends it
(BIG TCP), `pieces.*` its segments; `many.*` and `apart.*` are the same of 64 KB with very many segments; `sctp.*` wants
CRC32c, `summed.*` has it.
"""

import random
import sys

from scapy.all import (GRE, IP, TCP, UDP, VXLAN, Dot1AD, Dot1Q, Ether, IPOption_RR, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrHopByHop, IPv6ExtHdrSegmentRouting, PadN, Raw, checksum, raw)
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import in6_pseudoheader
from scapy.layers.sctp import SCTP, SCTPChunkData

GSO = {("tcp", 4): 1, ("tcp", 6): 2, ("udp", 4): 3, ("udp", 6): 4}
NUMBER = {"tcp": 6, "udp": 17}
CHECKSUM_AT = {"tcp": 16, "udp": 6}
rng = random.Random(8926)


def some_bytes(count):
    return bytes(rng.getrandbits(8) for _ in range(count))


def ip_layer(version, ident, extra=False):
    """The inner IP header; `extra` adds IPv4 options or IPv6 extension headers."""
    if version == 4:
        return IP(src="10.1.2.3", dst="10.9.8.7", id=ident & 0xFFFF, ttl=63, flags=0 if extra else "DF",
                  options=[IPOption_RR()] if extra else [])
    layer = IPv6(src="fd00:1::3", dst="fd00:9::7", tc=5, fl=0x12345, hlim=63)
    if extra:
        layer = layer / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
        layer = layer / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)])
    return layer


def layers_of(frame, kind):
    found = []
    while (layer := frame.getlayer(kind, len(found) + 1)) is not None:
        found.append(layer)
    return found


def tunnel4(index, **fields):
    return IP(src="192.0.2.1", dst="192.0.2.2", id=(500 + index) & 0xFFFF, flags="DF", **fields)


def tunnel6(**fields):
    return IPv6(src="2001:db8::1", dst="2001:db8::2", **fields)


def srv6(**fields):
    """One segment still to go: the address that counts in pseudo-headers is another one."""
    return tunnel6() / IPv6ExtHdrSegmentRouting(addresses=["2001:db8::9", "2001:db8::2"], segleft=1, lastentry=1, **fields)


def ether():
    return Ether(src="02:00:00:00:03:01", dst="02:00:00:00:04:01")


# Tunnels that a container makes itself: what stands between its Ethernet header and the inner IP header, in segment
# number `index`. Linux numbers every IPv4 header on the way (net/ipv4/af_inet.c, inet_gso_segment).
WITHIN = {
    "vxlan4": lambda index: tunnel4(index) / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=9) / ether(),
    "vxlan6": lambda index: tunnel6() / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=9) / ether(),
    "vxlan4-no-sum-tag": lambda index: (tunnel4(index) / UDP(sport=50000, dport=8472, chksum=0) / VXLAN(flags=8, vni=9) / ether() /
                                        Dot1Q(vlan=7)),
    "geneve6": lambda index: (tunnel6() / UDP(sport=50001, dport=6081) /
                              GENEVE(vni=9, proto=0x6558, options=[GeneveOptions(classid=0x102, type=1, data=b"E" * 8)]) / ether()),
    "fou4": lambda index: tunnel4(index) / UDP(sport=50002, dport=5555),
    "ip4": tunnel4,
    "ip4-options": lambda index: tunnel4(index, options=[IPOption_RR()]),
    "ip6": lambda index: tunnel6(),
    "ip6-limit": lambda index: tunnel6() / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]),  # RFC 2473 has one
    "srv6": lambda index: srv6(),
    "srv6-ethernet": lambda index: srv6(nh=143) / ether(),
    "srv6-vxlan": lambda index: srv6() / UDP(sport=50003, dport=4789) / VXLAN(flags=8, vni=9) / ether(),
    "gre4": lambda index: tunnel4(index) / GRE(),
    "gre4-sum-key-sequence": lambda index: tunnel4(index) / GRE(chksum_present=1, key_present=1, key=9, seqnum_present=1, sequence_number=5),
    "gre6-sum": lambda index: tunnel6() / GRE(chksum_present=1),
    "gretap4": lambda index: tunnel4(index) / GRE(proto=0x6558) / ether(),
    "mpls": lambda index: MPLS(label=100, s=0, ttl=9) / MPLS(label=200, s=1, ttl=9),
    "mpls-gre4": lambda index: tunnel4(index) / GRE(proto=0x8847) / MPLS(label=200, s=1, ttl=9),
    "l2tpv3-4": lambda index: tunnel4(index, proto=115) / Raw(bytes.fromhex("0000002a") + b"COOKIE!!" + bytes(4)) / ether(),
    "l2tpv3-udp6": lambda index: tunnel6() / UDP(sport=1701, dport=1701) / Raw(bytes.fromhex("000300000000002a") + bytes(4)) / ether(),
    "ip4-in-vxlan4": lambda index: tunnel4(index) / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=9) / ether() / tunnel4(index + 7000),
    "gre6-sum-in-vxlan4": lambda index: (tunnel4(index) / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=9) / ether() /
                                         tunnel6() / GRE(chksum_present=1)),
}


class Case:
    """One super-packet: build() makes the whole of it, or its segment number `index`."""

    def __init__(self, encap="plain", outer=4, inner=4, l4="tcp", flags="A", options=(), outer_sum=False,
                 inner_tags=(), outer_tags=(), extra=False, ident=0x1234, within=None):
        self.encap, self.outer, self.inner, self.l4 = encap, outer, inner, l4
        self.flags, self.options, self.outer_sum = flags, list(options), outer_sum
        self.inner_tags, self.outer_tags, self.extra, self.ident = inner_tags, outer_tags, extra, ident
        self.within = within  # one of WITHIN

    def outer_headers(self, index):
        if self.encap == "plain":
            return None
        head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        for tag in self.outer_tags:
            head = head / tag
        if self.outer == 4:
            head = head / IP(src="172.31.0.1", dst="172.31.0.2", id=(0xFFFE + index) & 0xFFFF, flags="DF", tos=3)
        else:
            head = head / IPv6(src="fd00:31::1", dst="fd00:31::2", tc=0x2E)
        sums = {} if self.outer_sum else {"chksum": 0}
        if self.encap == "vxlan":
            return head / UDP(sport=40000, dport=4789, **sums) / VXLAN(flags=8, vni=100)
        if self.encap == "geneve":
            return head / UDP(sport=40001, dport=6081, **sums) / GENEVE(vni=123, proto=0x6558)
        if self.encap == "geneve-options":
            options = [GeneveOptions(classid=0x102, type=0x80, data=b"\1\2\3\4"),
                       GeneveOptions(classid=0x103, type=1, data=b"\5" * 12)]
            return head / UDP(sport=40002, dport=6081, **sums) / GENEVE(vni=77, proto=0x6558, options=options)
        if self.encap == "gre":
            return head / GRE(proto=0x6558)
        assert self.encap == "gre-sum-key"
        return head / GRE(proto=0x6558, chksum_present=1, key_present=1, key=7)

    def inner_headers(self, index, offset, last):
        head = Ether(src="02:00:00:00:01:01", dst="02:00:00:00:02:01")
        for tag in self.inner_tags:
            head = head / tag
        if self.within:
            head = head / WITHIN[self.within](index)
        head = head / ip_layer(self.inner, self.ident + index, self.extra)
        if self.l4 == "udp":
            return head / UDP(sport=5000, dport=5001)
        flags = self.flags
        if not last:
            flags = flags.replace("F", "").replace("P", "")
        if index != 0:
            flags = flags.replace("C", "")
        return head / TCP(sport=3000, dport=80, seq=(0xFFFFFF00 + offset) & 0xFFFFFFFF, ack=99, window=4000,
                          flags=flags, options=self.options)

    def build(self, payload, index=0, offset=0, last=True):
        outer = self.outer_headers(index)
        inner = self.inner_headers(index, offset, last) / Raw(payload)
        return raw(inner if outer is None else outer / inner)

    def offsets(self):
        """Bytes to the inner Ethernet header (0: no tunnel) and to the inner L4 header."""
        outer = self.outer_headers(0)
        tunnel = 0 if outer is None else len(raw(outer))
        inner = self.inner_headers(0, 0, True)
        l4 = layers_of(inner, {"tcp": TCP, "udp": UDP}[self.l4])[-1]
        return tunnel, tunnel + len(raw(inner)) - len(raw(l4))

    def unfinished(self, payload):
        """The frame as it arrives: pseudo-header sum in the inner checksum, 0xffff in a wanted outer one."""
        frame = bytearray(self.build(payload))
        start = self.offsets()[1]
        length = len(frame) - start
        pseudo_header = in4_pseudoheader if self.inner == 4 else in6_pseudoheader
        pseudo = pseudo_header(NUMBER[self.l4], ip_layer(self.inner, 0), length)
        at = start + CHECKSUM_AT[self.l4]
        frame[at:at + 2] = (~checksum(raw(pseudo)) & 0xFFFF).to_bytes(2, "big")
        outer_l4 = 14 + 4 * len(self.outer_tags) + (20 if self.outer == 4 else 40)
        if self.encap in ("vxlan", "geneve", "geneve-options") and self.outer_sum:
            frame[outer_l4 + 6:outer_l4 + 8] = b"\xff\xff"
        if self.encap == "gre-sum-key":
            frame[outer_l4 + 4:outer_l4 + 6] = b"\0\0"
        return bytes(frame)

    def uncut(self, payload):
        """The same of a super-packet: the pseudo-header sums that Linux leaves in UDP checksums of its tunnels
        (udp_set_csum)."""
        frame = bytearray(self.unfinished(payload))
        inner = self.inner_headers(0, 0, True) / Raw(payload)
        outermost = self.offsets()[0]
        for udp in layers_of(inner, UDP)[:-1 if self.l4 == "udp" else None]:
            if udp.chksum == 0:
                continue
            length = len(raw(udp))
            at = outermost + len(raw(inner)) - length
            ip = udp.underlayer
            while not isinstance(ip, (IP, IPv6)):
                ip = ip.underlayer
            pseudo = (in4_pseudoheader if isinstance(ip, IP) else in6_pseudoheader)(17, udp.underlayer, length)
            frame[at + 6:at + 8] = (~checksum(raw(pseudo)) & 0xFFFF).to_bytes(2, "big")
        return bytes(frame)

    def intent(self, gso_size=0):
        tunnel, start = self.offsets()
        kind = GSO[(self.l4, self.inner)] if gso_size else 0
        outer = {"plain": 0, "geneve": 1, "vxlan": 3, "gre": 5}[self.encap.split("-")[0]]
        outer += tunnel != 0 and self.outer == 6
        outer = 7 if self.within else outer
        outer_sum = tunnel != 0 and (self.outer_sum or self.encap == "gre-sum-key")
        return (f"csum_start={start} csum_offset={CHECKSUM_AT[self.l4]} gso_size={gso_size} "
                f"gso_type={kind} tunnel={tunnel} outer={outer} outer_sum={int(outer_sum)}")


def write_cut(out, name, case, payload_bytes, gso_size):
    payload = some_bytes(payload_bytes)
    out.write(f"cut.{name} {case.uncut(payload).hex()} {case.intent(gso_size)}\n")
    starts = list(range(0, payload_bytes, gso_size)) or [0]
    for index, start in enumerate(starts):
        segment = case.build(payload[start:start + gso_size], index, start, index == len(starts) - 1)
        out.write(f"want.{name} {segment.hex()}\n")


def write_many(out, name, case, payload_bytes, gso_size):
    payload = some_bytes(payload_bytes)
    out.write(f"many.{name} {case.uncut(payload).hex()} {case.intent(gso_size)}\n")
    starts = list(range(0, payload_bytes, gso_size))
    for index, start in enumerate(starts):
        segment = case.build(payload[start:start + gso_size], index, start, index == len(starts) - 1)
        out.write(f"apart.{name} {segment.hex()}\n")


def write_whole(out, name, case, payload):
    out.write(f"whole.{name} {case.unfinished(payload).hex()} {case.intent()}\n")
    out.write(f"done.{name} {case.build(payload).hex()}\n")


def matrix():
    tag = Dot1Q(vlan=100, prio=3)
    for l4 in ("tcp", "udp"):
        for inner in (4, 6):
            yield f"plain.{inner}.{l4}", dict(inner=inner, l4=l4)
            yield f"vlan.{inner}.{l4}", dict(inner=inner, l4=l4, inner_tags=(tag,))
            for encap in ("vxlan", "geneve", "geneve-options", "gre", "gre-sum-key"):
                for outer in (4, 6):
                    for outer_sum in (False, True) if "gre" not in encap else (False,):
                        name = f"{encap}{'-sum' if outer_sum else ''}.{outer}.{inner}.{l4}"
                        yield name, dict(encap=encap, outer=outer, inner=inner, l4=l4, outer_sum=outer_sum)


def write_jumbo(out, name, case, payload_bytes, gso_size):
    """Linux: IPv6 gets a jumbo payload option (RFC 2675), IPv4 a total length of 0; both lengths are 32 bits in the
    pseudo-header."""
    payload = some_bytes(payload_bytes)
    start = case.offsets()[1]
    headers = case.build(b"")
    length = len(headers) - start + payload_bytes
    l3 = start - (20 if case.inner == 4 else 40)
    addresses = headers[l3 + 12:l3 + 20] if case.inner == 4 else headers[l3 + 8:l3 + 40]
    pseudo = ~checksum(addresses + length.to_bytes(4, "big") + bytes([0, 0, 0, 6])) & 0xFFFF
    headers = bytearray(headers)
    headers[start + 16:start + 18] = pseudo.to_bytes(2, "big")
    headers[l3 + (2 if case.inner == 4 else 4):l3 + (4 if case.inner == 4 else 6)] = b"\0\0"
    if case.inner == 4:
        headers[l3 + 10:l3 + 12] = b"\0\0"
        headers[l3 + 10:l3 + 12] = checksum(bytes(headers[l3:start])).to_bytes(2, "big")
    else:
        headers[l3 + 6] = 0
        headers[start:start] = bytes([6, 0, 0xC2, 4]) + (length + 8).to_bytes(4, "big")
        start += 8
    out.write(f"jumbo.{name} {(bytes(headers) + payload).hex()} csum_start={start} gso_size={gso_size} v4={int(case.inner == 4)}\n")
    starts = list(range(0, payload_bytes, gso_size))
    for index, at in enumerate(starts):
        segment = case.build(payload[at:at + gso_size], index, at, index == len(starts) - 1)
        out.write(f"pieces.{name} {segment.hex()}\n")


def write_sctp(out, name, headers):
    """RFC 9260 section 6.8; what Linux hands over has 0 in the field."""
    done = raw(headers / SCTP(sport=5000, dport=6000, tag=7) / SCTPChunkData(data=some_bytes(1001)))
    start = len(raw(headers))
    out.write(f"sctp.{name} {(done[:start + 8] + bytes(4) + done[start + 12:]).hex()} csum_start={start}\n")
    out.write(f"summed.{name} {done.hex()}\n")


def zero_sum_payload(case):
    """A payload that makes the inner UDP checksum 0, which goes out as 0xffff."""
    payload = b"\0\0" + some_bytes(39)
    at = case.offsets()[1] + CHECKSUM_AT["udp"]
    return case.build(payload)[at:at + 2] + payload[2:]


def main():
    timestamps = [("NOP", None), ("NOP", None), ("Timestamp", (123456, 654321))]
    q_in_q = (Dot1AD(vlan=200), Dot1Q(vlan=100))
    tag = Dot1Q(vlan=9)
    sizes = [(1000, 250), (1001, 250), (333, 333), (700, 333), (1, 100), (2047, 1023), (500, 99)]
    special = {
        "q-in-q": dict(inner_tags=q_in_q),
        "q-in-q-6-udp": dict(inner_tags=q_in_q, inner=6, l4="udp"),
        "ip-options": dict(extra=True),
        "extension-headers": dict(extra=True, inner=6),
        "extension-headers-vxlan": dict(extra=True, inner=6, l4="udp", encap="vxlan", outer_sum=True),
        "tags-everywhere": dict(encap="geneve", outer=6, inner=6, outer_tags=(tag,), inner_tags=q_in_q,
                                outer_sum=True),
        "outer-tag-gre": dict(encap="gre-sum-key", outer_tags=(tag,), l4="udp"),
        "id-wraps": dict(ident=0xFFFE),
        "shared": dict(encap="vxlan", outer=6, inner=6, outer_sum=True),
        "pointed-at": dict(encap="geneve"),
    }
    encaps = (dict(), dict(encap="vxlan"), dict(encap="geneve", outer=6, outer_sum=True, inner_tags=(tag,)), dict(encap="gre-sum-key"))
    for number, within in enumerate(WITHIN):
        for inner in (4, 6):
            for l4, extra in (("tcp", False), ("tcp", True), ("udp", False)):
                fields = encaps[(number + inner // 2 + extra + (l4 == "udp")) % len(encaps)]
                name = f"within-{within}.{fields.get('encap', 'plain')}.{inner}.{l4}{'.extra' if extra else ''}"
                special[name] = dict(within=within, inner=inner, l4=l4, extra=extra, **fields)
    with open(sys.argv[1], "w", encoding="ascii") as out:
        for number, (name, fields) in enumerate(matrix()):
            for turn in range(3):
                payload_bytes, gso_size = sizes[(number + turn * 3) % len(sizes)]
                case = Case(flags=("A", "FPA", "CEPA")[turn], options=timestamps if turn == 1 else (), **fields)
                write_cut(out, f"{name}.{payload_bytes}-by-{gso_size}", case, payload_bytes, gso_size)
            write_whole(out, name, Case(**fields), some_bytes(number % 50))
        for name, fields in special.items():
            case = Case(flags="FPCA", **fields)
            write_cut(out, name, case, 901, 200)
            write_whole(out, name, case, some_bytes(901))
        write_cut(out, "no-payload", Case(), 0, 100)
        write_cut(out, "tiny-gso", Case(), 65495, 88)
        write_cut(out, "big-geneve", Case(encap="geneve", outer=6, outer_sum=True), 62001, 1398)
        write_jumbo(out, "4", Case(flags="FPCA", options=timestamps), 190001, 1348)
        write_jumbo(out, "6", Case(inner=6, flags="PCA", inner_tags=(tag,), ident=0), 190001, 1328)
        write_jumbo(out, "6-longest", Case(inner=6, options=timestamps), 524180, 8948)
        write_jumbo(out, "4-just", Case(), 65520, 1348)
        write_jumbo(out, "6-just", Case(inner=6), 65520, 1328)
        write_many(out, "4", Case(flags="FPCA", options=timestamps), 65401, 88)
        write_many(out, "6", Case(inner=6, flags="PA", inner_tags=(tag,), extra=True), 9001, 100)
        write_many(out, "4-udp", Case(l4="udp", inner_tags=q_in_q), 1280, 10)
        write_many(out, "6-udp", Case(inner=6, l4="udp"), 65001, 600)
        write_many(out, "few", Case(), 1000, 100)
        write_many(out, "own-tunnel", Case(within="ip4"), 12800 - 20, 100)
        write_sctp(out, "4", ether() / ip_layer(4, 1).copy())
        write_sctp(out, "6-tag", ether() / tag / ip_layer(6, 1))
        write_sctp(out, "in-vxlan", ether() / WITHIN["vxlan4"](0) / ip_layer(4, 1))
        for name, fields in {"plain": {}, "vxlan": dict(encap="vxlan", outer_sum=True)}.items():
            case = Case(l4="udp", **fields)
            write_whole(out, f"zero-sum.{name}", case, zero_sum_payload(case))


if __name__ == "__main__":
    main()
