"""A stream into tunnels that number what they send (RFC 2890): `numbered.in.TUNNEL` go in, one after the other,
`numbered.out.TUNNEL` must come out. A super-packet becomes several, each with a number of its own."""

from scapy.all import IP, UDP, Ether, Raw, raw

from offload_frames import MSS, segment, unfinished
from overlay_frames import encapsulated, host_mac, some_bytes

# tests/pipeline/gre_sequence.cpp's: the last byte of the MAC behind it, key, outer IP version, checksum.
TUNNELS = {"gs": (1, 31, 4, False), "gk": (2, None, 4, False), "gc": (3, 33, 4, True), "g6": (4, 31, 6, True)}


class Stream:
    def __init__(self, out, name):
        self.out, self.name = out, name
        last_byte, self.key, self.family, self.checksum = TUNNELS[name]
        self.head = Ether(src=host_mac(0x61), dst=f"02:00:00:00:02:{last_byte:02x}")
        self.sent = 0

    def expect(self, inner, part="out", remote=2, number=None, **ip):
        self.out.write_next(f"numbered.{part}.{self.name}", encapsulated(
            "gretap", self.key, inner, self.family, self.checksum, remote=remote, incoming=False, ip=ip,
            seqnum_present=1, sequence_number=self.sent if number is None else number))
        if number is None:
            self.sent += 1

    def plain(self, size, part="in"):
        frame = raw(self.head / IP(src="10.1.0.1", dst="10.1.0.2") / UDP(sport=7, dport=9) / Raw(some_bytes(size)))
        self.out.write_next(f"numbered.{part}.{self.name}", frame)
        return frame

    def big(self, family, size):
        payload = some_bytes(size)
        frame, _ = unfinished(segment(self.head, family, payload, 0, 0, True), family)
        self.out.write_next(f"numbered.in.{self.name}", frame)
        for index, at in enumerate(range(0, size, MSS)):
            self.expect(segment(self.head, family, payload[at:at + MSS], index, at, at + MSS >= size))


def write_gre_sequence(out):
    for name in TUNNELS:
        stream = Stream(out, name)
        for size in (18, 700, 19):
            stream.expect(stream.plain(size))
        stream.big(4, 5500)
        stream.expect(stream.plain(1300))
        stream.big(6, 40001)
        for size in range(20, 30):
            stream.expect(stream.plain(size))
        hops = {"ttl" if stream.family == 4 else "hlim": 5}
        stream.expect(stream.plain(60, "later"), "later-out", **hops)
    # To two remotes, each of which counts for itself.
    stream = Stream(out, "gs")
    stream.name = "two"
    for number in range(3):
        frame = stream.plain(30 + number)
        for remote in (2, 3):
            stream.expect(frame, remote=remote, number=number)
