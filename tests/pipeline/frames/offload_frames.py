"""Super-packets and frames without their checksum, as a kernel hands them over: `big.NAME` (its Intent behind it)
between host 1 and a static MAC of kEveryTunnel, `plain.TUNNEL.NAME`, the segments it was made of, and `cut.TUNNEL.NAME`, the frames it must become behind that tunnel.
`rx.NAME` are the same inside an underlay frame."""

from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw, checksum, raw
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import in6_pseudoheader

from encap_frames import TUNNELS, encap, ethernet
from overlay_frames import encapsulated, host_mac, some_bytes

GSO_TYPE = {4: 1, 6: 2}
MSS = 1000


def segment(head, family, payload, index, offset, last):
    ip = IP(src="10.5.0.1", dst="10.5.0.2", id=100 + index, flags="DF") if family == 4 else \
        IPv6(src="fd00:5::1", dst="fd00:5::2", fl=0x11)
    return raw(head / ip / TCP(sport=5, dport=80, seq=7000 + offset, flags="PA" if last else "A") / Raw(payload))


def unfinished(frame, family):
    """The frame with the pseudo-header's sum in its TCP checksum, and its csum_start."""
    start = 14 + (20 if family == 4 else 40)
    layer = IP(frame[14:]) if family == 4 else IPv6(frame[14:])
    pseudo = (in4_pseudoheader if family == 4 else in6_pseudoheader)(6, layer, len(frame) - start)
    partial = (~checksum(raw(pseudo)) & 0xFFFF).to_bytes(2, "big")
    return frame[:start + 16] + partial + frame[start + 18:], start


def numbers(start, gso_type):
    gso = MSS if gso_type else 0
    return dict(csum_start=start, csum_offset=16, gso_size=gso, gso_type=gso_type)


def write_offload(out):
    for tunnel in TUNNELS:
        for family in (4, 6):
            for size in (5500, 30000):
                name = f"{tunnel}.tcp{family}-{size}"
                payload = some_bytes(size)
                big, start = unfinished(segment(ethernet(tunnel), family, payload, 0, 0, True), family)
                out.write(f"big.{name}", big, **numbers(start, GSO_TYPE[family]))
                for index, at in enumerate(range(0, size, MSS)):
                    part = segment(ethernet(tunnel), family, payload[at:at + MSS], index, at, at + MSS >= size)
                    out.write_next(f"plain.{name}", part)
                    # Each segment's outer IPv4 id follows its index, as the inner ones do.
                    frame = encap(tunnel, part, 0)
                    out.write_next(f"cut.{name}", with_id(frame, index) if frame[12:14] == b"\x08\0" else frame)
            name = f"{tunnel}.tcp{family}-small"
            whole = segment(ethernet(tunnel), family, some_bytes(333), 0, 0, True)
            partial, start = unfinished(whole, family)
            out.write(f"big.{name}", partial, **numbers(start, 0))
            out.write(f"cut.{name}", encap(tunnel, whole, 0))
        write_long(out, tunnel)
    write_received(out)


def write_long(out, tunnel):
    """`long.TUNNEL`, a super-packet that one outer IP packet could not hold, and `long-cut.TUNNEL`."""
    payload = some_bytes(65490)
    big, start = unfinished(segment(ethernet(tunnel), 4, payload, 0, 0, True), 4)
    out.write(f"long.{tunnel}", big, **numbers(start, GSO_TYPE[4]))
    for index, at in enumerate(range(0, len(payload), MSS)):
        part = segment(ethernet(tunnel), 4, payload[at:at + MSS], index, at, at + MSS >= len(payload))
        frame = encap(tunnel, part, 0)
        out.write_next(f"long-cut.{tunnel}", with_id(frame, index) if frame[12:14] == b"\x08\0" else frame)


def with_id(frame, ident):
    """An IPv4 frame with another id."""
    ip = Ether(frame)[IP]
    header = IP(src=ip.src, dst=ip.dst, id=ident, flags=ip.flags, ttl=ip.ttl, tos=ip.tos, proto=ip.proto, len=ip.len)
    return frame[:14] + raw(header) + frame[34:]


def write_received(out):
    """From remote 2 to host 0x52, over a veth whose kernel leaves work to do; behind it what a bridge port gets."""
    head = Ether(src=host_mac(0x51), dst=host_mac(0x52))
    for family in (4, 6):
        payload = some_bytes(4200)
        whole = segment(head, family, payload, 0, 0, True)
        partial, start = unfinished(whole, family)
        outer = encapsulated("vxlan", 100, partial)
        tunnel = len(outer) - len(partial)
        out.write(f"rx.big{family}", outer, **numbers(start + tunnel, GSO_TYPE[family]))
        out.write(f"rx.big{family}-inner", partial, **numbers(start, GSO_TYPE[family]))
        for index, at in enumerate(range(0, len(payload), MSS)):
            part = segment(head, family, payload[at:at + MSS], index, at, at + MSS >= len(payload))
            out.write_next(f"rx.big{family}-cut", part)
            out.write_next(f"rx.big{family}-wire", encapsulated("vxlan", 100, part))
        whole = segment(head, family, some_bytes(101), 0, 0, True)
        partial, start = unfinished(whole, family)
        outer = encapsulated("vxlan", 100, partial, checksum=True)
        out.write(f"rx.small{family}", outer, **numbers(start + tunnel, 0))
        out.write(f"rx.small{family}-inner", partial, **numbers(start, 0))
        out.write(f"rx.small{family}-whole", whole)
    # The sum that is left to do is the outer UDP header's own.
    inner = raw(head / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / Raw(some_bytes(50)))
    outer = encapsulated("vxlan", 100, inner)
    out.write("rx.outer-sum", outer[:40] + b"\x12\x34" + outer[42:], csum_start=34, csum_offset=6, gso_size=0, gso_type=0)
    out.write("rx.outer-sum-inner", inner)
