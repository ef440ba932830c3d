"""What a port receives, `erspan.in.NAME`, and the copies of it in ERSPAN tunnels, `erspan.out.TUNNEL` one after the other
(draft-foschiano-erspan-03). The topology is that of erspan.cpp."""

from scapy.all import ARP, GRE, IP, UDP, Dot1AD, Dot1Q, Ether, Raw, raw
from scapy.contrib.erspan import ERSPAN_II

from offload_frames import GSO_TYPE, numbers, segment, unfinished
from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, host_mac, outer_ip, some_bytes

MTU = 1500
HEAD = Ether(src=host_mac(1), dst=host_mac(2))


def erspan(inner, number, family=4, remote=2, incoming=False, **header):
    """Type II."""
    return raw(outer_ip(family, remote, incoming) / GRE(proto=0x88be, seqnum_present=1, sequence_number=number)
               / ERSPAN_II(ver=1, **header) / Raw(inner))


def erspan_one(inner, remote=2, incoming=False):
    return raw(outer_ip(4, remote, incoming) / GRE(proto=0x88be) / Raw(inner))


def room_in(empty):
    """For an inner frame behind these outer headers."""
    return MTU + 14 - len(empty)


class Tunnel:
    def __init__(self, out, name, **header):
        self.out, self.name, self.header, self.sent = out, name, header, 0
        self.room = room_in(erspan(b"", 0, **header))

    def expect(self, frames, **tag):
        for inner in frames:
            cut = {"t": 1} if len(inner) > self.room else {}
            self.out.write_next(f"erspan.out.{self.name}", erspan(inner[:self.room], self.sent, **self.header, **tag, **cut))
            self.sent += 1


class TypeOne:
    """Has no bit that says that a frame was cut short: what is too long isn't sent, no part of a super-packet."""

    def __init__(self, out, name):
        self.out, self.name = out, name
        self.room = room_in(erspan_one(b""))

    def expect(self, frames, **_):
        if max(map(len, frames)) <= self.room:
            for inner in frames:
                self.out.write_next(f"erspan.out.{self.name}", erspan_one(inner))


def write_erspan(out):
    tunnels = [Tunnel(out, "e2", session_id=100, index=0xabcde), TypeOne(out, "e1"),
               Tunnel(out, "e6", session_id=1023, index=1, family=6)]

    def give(name, frame, copies=None, **tag):
        """`copies`: where they aren't the frame itself."""
        intent = {}
        if copies is not None:
            frame, intent = frame
        out.write(f"erspan.in.{name}", frame, **intent)
        for tunnel in tunnels:
            tunnel.expect(copies or [frame], **tag)

    def packet(size):
        return IP(src="10.1.0.1", dst="10.1.0.2") / UDP(sport=7, dport=9) / Raw(some_bytes(size))

    def big(name, family, size, mss, **tag):
        head = HEAD / Dot1Q(vlan=tag["vlan"], prio=tag["cos"]) if tag else HEAD
        payload = some_bytes(size)
        plain, start = unfinished(segment(HEAD, family, payload, 0, 0, True), family)
        if tag:
            plain, start = raw(head)[:16] + plain[12:14] + plain[14:], start + 4
        intent = {**numbers(start, GSO_TYPE[family] if size > mss else 0)}
        if size > mss:
            intent["gso_size"] = mss
        cut = [segment(head, family, payload[at:at + mss], index, at, at + mss >= size)
               for index, at in enumerate(range(0, size, mss))]
        give(name, (plain, intent), cut, **tag)

    give("plain", raw(HEAD / packet(30)))
    give("tagged", raw(HEAD / Dot1Q(vlan=7, prio=5, id=1) / packet(60)), vlan=7, cos=5, en=3)
    give("priority", raw(HEAD / Dot1Q(vlan=0, prio=6) / packet(61)), vlan=0, cos=6, en=3)
    give("service", raw(HEAD / Dot1AD(vlan=4095, prio=3) / Dot1Q(vlan=7) / packet(700)), vlan=4095, cos=3, en=3)
    give("nothing", raw(HEAD)[:12] + b"\x08\x00")
    give("half-a-tag", raw(HEAD)[:12] + b"\x81\x00" + b"\x20\x07\x08")
    big("unfinished", 4, 400, 1000)
    big("unfinished-tagged", 6, 400, 1000, vlan=9, cos=1, en=3)
    big("big4", 4, 5500, 1000)
    big("big6", 6, 30001, 1000)
    big("big-tagged", 4, 2500, 1000, vlan=9, cos=1, en=3)
    give("whole", raw(HEAD / packet(1404)))  # 1446 bytes
    give("full", raw(HEAD / packet(1472)))  # 1514 bytes
    give("full-tagged", raw(HEAD / Dot1Q(vlan=4094, prio=7) / packet(1472)), vlan=4094, cos=7, en=3)
    big("big-full", 4, 9000, 1460)
    give("last", raw(HEAD / packet(31)))

    # To who isn't known yet.
    tagged = raw(HEAD / Dot1Q(vlan=7, prio=5) / packet(1472))
    room = room_in(erspan(b"", 0))
    out.write("erspan.held.in", tagged)
    out.write("erspan.held.answer", raw(Ether(src=REMOTE_MAC[9], dst=OUR_MAC) / ARP(
        op=2, hwsrc=REMOTE_MAC[9], psrc=REMOTE_IP[4][9], hwdst=OUR_MAC, pdst=OUR_IP[4])))
    out.write("erspan.held.out", erspan(tagged[:room], 0, remote=9, session_id=9, vlan=7, cos=5, en=3, t=1))

    # Nobody is to send them to us.
    inner = raw(HEAD / packet(30))
    for remote in (2, 4):
        out.write_next("erspan.received", erspan(inner, 0, remote=remote, incoming=True, session_id=100))
        out.write_next("erspan.received", erspan_one(inner, remote=remote, incoming=True))
    out.write_next("erspan.received", erspan(inner, 0, family=6, incoming=True, session_id=1023))
