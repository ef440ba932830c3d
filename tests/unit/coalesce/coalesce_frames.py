#!/ usr / bin / python3
"""Frames that leave by one port, and what they are merged into, all of it by scapy.

Usage: coalesce_frames.py OUTPUT. Lines as tests/support/frames.h reads them: `in.CASE.INDEX` in order, `out.CASE.INDEX`
what must be left of them. `csum_start`, `gso_size` and `gso_type` are the frame's Intent, no csum_start: none. `first`
and `count` behind an `out` line: the frames it was made of. `stream.FLOW` are the segments of a long flow.
"""

import random
import sys

from scapy.all import (IP, TCP, UDP, VXLAN, Dot1AD, Dot1Q, Ether, IPOption_RR, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, Raw, checksum, raw)
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import in6_pseudoheader

GSO_TYPE = {4: 1, 6: 2}
ADDRESSES = {4: ("10.1.2.3", "10.9.8.7", "10.9.8.6"), 6: ("fd00:1::3", "fd00:9::7", "fd00:9::6")}
MSS = 100
rng = random.Random(9293)


def some_bytes(count):
    return bytes(rng.getrandbits(8) for _ in range(count))


class Segment:
    """A TCP frame by its fields; `gso` makes it a super-packet, `partial` one that lacks its checksum."""

    def __init__(self, seq=0, size=MSS, family=4, flags="A", ident=1, sport=3000, to=1, df=True, tags=(), options=(),
                 ack=99, window=4000, tos=2, ttl=63, label=0x12345, urgent=0, reserved=0, mac=2, extra=(), gso=0,
                 partial=False, tail=b"", ip=None, tcp_sum=None, ip_sum=None):
        self.__dict__.update({key: value for key, value in locals().items() if key != "self"})
        self.payload = some_bytes(size)

    def layers(self, payload):
        head = Ether(src="02:00:00:00:00:01", dst=f"02:00:00:00:00:{self.mac:02x}")
        for tag in self.tags:
            head = head / tag.copy()
        source, destination = ADDRESSES[self.family][0], ADDRESSES[self.family][self.to]
        if self.family == 4:
            fields = dict(src=source, dst=destination, id=self.ident & 0xFFFF, ttl=self.ttl, tos=self.tos,
                          flags="DF" if self.df else 0, options=list(self.extra))
            if self.ip_sum is not None:
                fields["chksum"] = self.ip_sum
            head = head / IP(**{**fields, **(self.ip or {})})
        else:
            head = head / IPv6(src=source, dst=destination, tc=self.tos, fl=self.label, hlim=self.ttl)
            for header in self.extra:
                head = head / header.copy()
        sums = {} if self.tcp_sum is None else {
  "chksum" : self.tcp_sum
}
        return head / TCP(sport=self.sport, dport=80, seq=self.seq & 0xFFFFFFFF, ack=self.ack, window=self.window,
                          flags=self.flags, options=list(self.options), urgptr=self.urgent, reserved=self.reserved,
                          **sums) / Raw(payload)

    def complete(self):
        return raw(self.layers(self.payload)) + self.tail

    def unfinished(self, payload):
        """With the pseudo-header's sum in the TCP checksum, and csum_start."""
        frame = self.layers(payload)
        layer = IP if self.family == 4 else IPv6
        start = len(raw(frame)) - len(raw(frame[TCP]))
        pseudo_header = in4_pseudoheader if self.family == 4 else in6_pseudoheader
        pseudo = pseudo_header(6, frame[layer], len(raw(frame)) - start)
        partial = (~checksum(raw(pseudo)) & 0xFFFF).to_bytes(2, "big")
        whole = raw(frame)
        return whole[:start + 16] + partial + whole[start + 18:], start

    def write(self, out, name):
        if not self.gso and not self.partial:
            out.write(f"{name} {self.complete().hex()}\n")
        else:
            frame, start = self.unfinished(self.payload)
            kind = GSO_TYPE[self.family] if self.gso else 0
            out.write(f"{name} {frame.hex()} csum_start={start} gso_size={self.gso} gso_type={kind}\n")


class Other:
    """Any other frame."""

    def __init__(self, frame):
        self.frame = raw(frame)

    def write(self, out, name):
        out.write(f"{name} {self.frame.hex()}\n")


def write_merged(out, name, parts, first):
    """`parts` are consecutive segments; `first` the index of the first one."""
    head, last = parts[0], parts[-1]
    flags = head.flags + "".join(flag for flag in last.flags if flag in "FP" and flag not in head.flags)
    merged = Segment(**{**{key: value for key, value in head.__dict__.items() if key != "payload"}, "size": 0, "flags": flags})
    frame, start = merged.unfinished(b"".join(part.payload for part in parts))
    out.write(f"{name} {frame.hex()} csum_start={start} gso_size={head.gso or len(head.payload)} "
              f"gso_type={GSO_TYPE[head.family]} first={first} count={len(parts)}\n")


def write_case(out, name, frames, groups):
    """`groups`: lists of indices that become one frame, by their first one; who is in none stays alone."""
    for index, frame in enumerate(frames):
        frame.write(out, f"in.{name}.{index}")
    group_of = {index: group for group in groups for index in group}
    left = 0
    for index, frame in enumerate(frames):
        group = group_of.get(index, [index])
        if group[0] != index:
            continue
        if len(group) == 1:
            frame.write(out, f"out.{name}.{left}")
        else:
            write_merged(out, f"out.{name}.{left}", [frames[i] for i in group], index)
        left += 1


def run(count, changes=None, **fields):
    """Consecutive segments; `changes` is {index: fields} of some of them."""
    segments = []
    seq, ident = fields.pop("seq", 7000), fields.pop("ident", 1)
    for index in range(count):
        segment = Segment(**{**fields, "seq": seq, "ident": ident, **(changes or {}).get(index, {})})
        segments.append(segment)
        seq += segment.size
        ident += 1
    return segments


def timestamps(value):
    return [("NOP", None), ("NOP", None), ("Timestamp", (value, 654321))]


def whole_runs(family):
    """All of it becomes one frame."""
    f = dict(family=family)
    yield "two", run(2, **f)
    yield "many", run(20, **f)
    yield "one-byte", run(3, size=1, **f)
    yield "odd", run(9, size=99, **f)
    yield "last-shorter", run(3, {2: dict(size=1)}, **f)
    yield "last-pushes", run(3, {2: dict(flags="PA")}, **f)
    yield "last-ends", run(3, {2: dict(flags="FA", size=7)}, **f)
    yield "timestamps", run(4, options=timestamps(5), **f)
    yield "vlan", run(3, tags=[Dot1Q(vlan=100, prio=3)], **f)
    yield "q-in-q", run(3, tags=[Dot1AD(vlan=200), Dot1Q(vlan=100)], **f)
    yield "ece", run(3, flags="EA", **f)
    yield "congestion", run(3, tos=3, **f)
    yield "sequence-wraps", run(5, seq=0xFFFFFF00, **f)
    yield "big-mss", run(7, size=1448, **f)
    yield "urgent-pointer", run(3, urgent=9, **f)
    yield "partial", run(3, partial=True, **f)
    yield "partial-and-complete", run(4, {1: dict(partial=True), 3: dict(partial=True)}, **f)
    yield "super-first", run(3, {0: dict(gso=MSS, size=3 * MSS), 1: dict(ident=4), 2: dict(ident=5)}, **f)
    yield "super-last", run(3, {2: dict(gso=MSS, size=2 * MSS + 30, flags="PA")}, **f)
    yield "supers", run(2, {1: dict(ident=6)}, gso=MSS, size=5 * MSS, **f)


def broken_runs(family):
    """Something in the third of four keeps it from the run before; `start` says whether another begins with it."""
    for name, fields, starts in (
            ("tos", dict(tos=6), True), ("ecn", dict(tos=3), True), ("ttl", dict(ttl=62), True),
            ("window", dict(window=4001), True), ("acknowledgment", dict(ack=100), True),
            ("timestamp", dict(options=timestamps(1)), True), ("option", dict(options=[("NOP", None)] * 4), True),
            ("urgent-pointer", dict(urgent=1), True), ("reserved", dict(reserved=1), True), ("ece", dict(flags="EA"), True),
            ("cwr", dict(flags="CA"), False), ("syn", dict(flags="SA"), False), ("reset", dict(flags="RA"), False),
            ("urgent", dict(flags="UA"), False), ("no-ack", dict(flags=""), False), ("longer", dict(size=MSS + 1), True),
            ("mac", dict(mac=3), True), ("vlan", dict(tags=[Dot1Q(vlan=1)]), True), ("gap", dict(seq=7000 + 2 * MSS + 1), True),
            ("overlap", dict(seq=7000 + 2 * MSS - 1), True), ("no-payload", dict(size=0), False),
            ("again", dict(seq=7000 + MSS), True), ("tcp-checksum", dict(tcp_sum=1), False), ("padded", dict(tail=bytes(9)), False),
            ("super-of-other-mss", dict(size=2 * MSS, gso=MSS - 1), False), ("super-with-cwr", dict(size=300, gso=MSS, flags="CA"), False)):
#The fourth agrees with the third in all that doesn't stand in its way, if it can.
        rest = {key: value for key, value in fields.items() if key not in ("flags", "seq", "size", "gso", "tcp_sum", "tail")}
        if name == "ece":
            rest = fields
        frames = run(4, {2: fields, 3: {**rest, **({
  "size" : MSS} if name == "longer" else {})}}, family=family)
        if starts:
            frames[3].seq = frames[2].seq + frames[2].size
        yield name, frames, [[0, 1], [2, 3]] if starts else [[0, 1]]


def version4_runs():
    """Ids, fragments, and what IPv6 doesn't have."""
    yield "ids.up-without-df", run(3, df=False), [[0, 1, 2]]
    yield "ids.wrap", run(3, ident=0xFFFF), [[0, 1, 2]]
    same = {index: dict(ident=7) for index in range(4)}
    yield "ids.equal", run(4, same), [[0, 1, 2, 3]]
    yield "ids.zero", run(3, {
index: dict(ident=0) for index in range(3)}), [[0, 1, 2]]
    yield "ids.equal-without-df", run(4, same, df=False), []
    yield "ids.jump", run(4, {2: dict(ident=9), 3: dict(ident=10)}), [[0, 1], [2, 3]]
    yield "ids.back", run(3, {1: dict(ident=0), 2: dict(ident=0xFFFF)}), []
    yield "ids.equal-then-up", run(4, {0: dict(ident=4), 1: dict(ident=4), 2: dict(ident=5), 3: dict(ident=6)}), [[0, 1], [2, 3]]
    yield "ids.up-then-equal", run(4, {2: dict(ident=1), 3: dict(ident=1)}), [[0, 1], [2, 3]]
    yield "df", run(4, {2: dict(df=False), 3: dict(df=False)}), [[0, 1], [2, 3]]
    yield "reserved-flag", run(3, {1: dict(ip=dict(flags="evil+DF"))}), []
    yield "fragment", run(3, {1: dict(ip=dict(flags="MF"))}), []
    yield "later-fragment", run(3, {1: dict(ip=dict(frag=1))}), []
    yield "options", run(3, {1: dict(extra=[IPOption_RR()])}), []
    yield "ip-checksum", run(4, {2: dict(ip_sum=1)}), [[0, 1]]
    yield "first-ip-checksum", run(3, {0: dict(ip_sum=1)}), [[1, 2]]
    yield "length-beyond", run(3, {1: dict(ip=dict(len=200), tcp_sum=1)}), []
    frames = run(46, size=1448)  # 54 bytes of headers and 45 times 1448 make 65,214
    yield "longest", frames, [list(range(45))]
#One byte below and above what a frame may have.
    yield "just-fits", run(2, {1: dict(size=32740)}, size=32741), [[0, 1]]
    yield "just-not", run(2, size=32741), []


def version6_runs():
    yield "flow-label", run(4, {2: dict(label=1), 3: dict(label=1)}, family=6), [[0, 1], [2, 3]]
    for name, header in (("hop-by-hop", IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])),
                         ("fragment", IPv6ExtHdrFragment(m=1)),
                         ("destination-options", IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]))):
        yield name, run(3, {1: dict(extra=[header])}, family=6), []


def orders(family):
    """Where frames stand among others."""
    f = dict(family=family)
    a, b, c, d = run(4, **f)
    yield "order.swapped", [b, a, c, d], [[2, 3]]
    yield "order.third-first", [a, c, b, d], []
    later = {index: dict(options=timestamps(6)) for index in (2, 3)}
    yield "order.timestamp-changes", run(4, later, options=timestamps(5), **f), [[0, 1], [2, 3]]
    yield "order.short-ends", run(4, {1: dict(size=60)}, **f), [[0, 1], [2, 3]]
    yield "order.short-first", run(3, {0: dict(size=60)}, **f), [[1, 2]]
    yield "order.push-ends", run(4, {1: dict(flags="PA")}, **f), [[0, 1], [2, 3]]
    yield "order.push-first", run(3, {0: dict(flags="PA")}, **f), [[1, 2]]
    yield "order.end-first", run(3, {0: dict(flags="FA")}, **f), [[1, 2]]
    yield "order.all-push", run(3, flags="PA", **f), []
    yield "order.first-tcp-checksum", run(3, {0: dict(tcp_sum=7)}, **f), [[1, 2]]
    yield "order.cwr-first", run(3, {0: dict(flags="CA")}, **f), [[1, 2]]
    yield "order.super-short", run(2, {0: dict(gso=MSS, size=3 * MSS - 1), 1: dict(ident=4)}, **f), []
    yield "order.super-pushes", run(2, {0: dict(gso=MSS, size=3 * MSS, flags="PA"), 1: dict(ident=4)}, **f), []
    other = Other(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.1.2.3", dst="10.9.8.7") /
                  UDP(sport=3000, dport=80) / Raw(some_bytes(60)))
    arp = Other(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0806) / Raw(some_bytes(28)))
    odd = Other(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x88B5) / Raw(b""))
    yield "order.others-between", [a, other, b, arp, c, odd, d], [[0, 2, 4, 6]]
#Interleaved flows, by what tells them apart.
    for name, fields in (("ports", dict(sport=3001)), ("addresses", dict(to=2)), ("families", dict(family=10 - family))):
        flows = [run(4, **f), run(4, **{**f, **fields})]
        frames = [flow[i] for i in range(4) for flow in flows]
        yield f"order.{name}-interleaved", frames, [[0, 2, 4, 6], [1, 3, 5, 7]]
    flows = [run(4, sport=4000 + port, **f) for port in range(16)]
    yield "order.sixteen-flows", [flow[i] for i in range(4) for flow in flows], \
        [[port + 16 * i for i in range(4)] for port in range(16)]
    yield "order.all-strangers", [run(1, sport=4000 + port, **f)[0] for port in range(64)], []
    inner = raw(a.layers(some_bytes(40)))
    tunnel = [Other(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.1.2.3", dst="10.9.8.7") /
                    UDP(sport=9, dport=4789) / VXLAN(vni=1) / inner) for _ in range(3)]
    yield "order.tunnelled", tunnel, []


def streams():
    """Flows for random mixtures, 40 segments each."""
    yield "v4", run(40, sport=1)
    yield "v4-vlan", run(40, sport=2, tags=[Dot1Q(vlan=7)], df=False)
    yield "v4-timestamps", run(40, sport=3, options=timestamps(9), size=77, ident=0xFFF0)
    yield "v4-odd", run(40, {5: dict(flags="PA"), 17: dict(size=50)}, sport=4, seq=0xFFFFF800, size=101)
    yield "v6", run(40, sport=1, family=6)
    yield "v6-other", run(40, sport=1, family=6, to=2, size=33)
    yield "v6-timestamps", run(40, {9: dict(flags="PA")}, sport=3, family=6, options=timestamps(8))


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        for family in (4, 6):
            for name, frames in whole_runs(family):
                write_case(out, f"{name}.{family}", frames, [list(range(len(frames)))])
            for name, frames, groups in broken_runs(family):
                write_case(out, f"broken.{name}.{family}", frames, groups)
            for name, frames, groups in orders(family):
                write_case(out, f"{name}.{family}", frames, groups)
        for name, frames, groups in [*version4_runs(), *version6_runs()]:
            write_case(out, f"{name}.only", frames, groups)
        for name, frames in streams():
            for frame in frames:
                frame.write(out, f"stream.{name}")


if __name__ == "__main__":
    main()
