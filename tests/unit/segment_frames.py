#!/usr/bin/python3
"""Super-packets and the segments they must become, all lengths and checksums by scapy.

Usage: segment_frames.py OUTPUT. Lines as tests/support/frames.h reads them: `cut.*` is a super-packet
with its Intent behind it, `want.*` of the same rest of the name the segments in order; `whole.*` is a frame
that only lacks its checksum, `done.*` the same frame with it.
"""

import random
import sys

from scapy.all import (GRE, IP, TCP, UDP, VXLAN, Dot1AD, Dot1Q, Ether, IPOption_RR, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrHopByHop, PadN, Raw, checksum, raw)
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import in6_pseudoheader

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


class Case:
    """One super-packet: build() makes the whole of it, or its segment number `index`."""

    def __init__(self, encap="plain", outer=4, inner=4, l4="tcp", flags="A", options=(), outer_sum=False,
                 inner_tags=(), outer_tags=(), extra=False, ident=0x1234, within=None):
        self.encap, self.outer, self.inner, self.l4 = encap, outer, inner, l4
        self.flags, self.options, self.outer_sum = flags, list(options), outer_sum
        self.inner_tags, self.outer_tags, self.extra, self.ident = inner_tags, outer_tags, extra, ident
        self.within = within  # IP version of the outer header of a tunnel that the sender made itself

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
            head = head / (IP(src="192.0.2.1", dst="192.0.2.2", id=(500 + index) & 0xFFFF, flags="DF")
                           if self.within == 4 else IPv6(src="2001:db8::1", dst="2001:db8::2"))
            head = head / UDP(sport=50000, dport=4789) / VXLAN(flags=8, vni=9) / Ether(src="02:00:00:00:03:01", dst="02:00:00:00:04:01")
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
        l4 = inner.getlayer({"tcp": TCP, "udp": UDP}[self.l4], 2 if self.within and self.l4 == "udp" else 1)
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
    out.write(f"cut.{name} {case.unfinished(payload).hex()} {case.intent(gso_size)}\n")
    starts = list(range(0, payload_bytes, gso_size)) or [0]
    for index, start in enumerate(starts):
        segment = case.build(payload[start:start + gso_size], index, start, index == len(starts) - 1)
        out.write(f"want.{name} {segment.hex()}\n")


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
        "within-plain": dict(within=4),
        "within-plain-6-udp": dict(within=6, inner=6, l4="udp"),
        "within-geneve": dict(encap="geneve", outer=6, within=4, inner=6, outer_sum=True),
        "within-vxlan": dict(encap="vxlan", within=6, inner_tags=(tag,)),
        "within-gre": dict(encap="gre-sum-key", within=4, l4="udp"),
    }
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
        for name, fields in {"plain": {}, "vxlan": dict(encap="vxlan", outer_sum=True)}.items():
            case = Case(l4="udp", **fields)
            write_whole(out, f"zero-sum.{name}", case, zero_sum_payload(case))


if __name__ == "__main__":
    main()
