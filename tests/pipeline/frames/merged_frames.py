"""Outer datagrams as Linux' UDP GRO merges them (net/ipv4/udp_offload.c): `merged.NAME` is the frame, its Intent behind
it; `merged-alone.NAME` are the datagrams it was made of, `merged-inner.NAME` what comes out of those that aren't dropped."""

from scapy.all import IP, UDP, Dot1Q, Ether, IPv6, Raw, checksum, raw
from scapy.layers.inet import in4_pseudoheader
from scapy.layers.inet6 import in6_pseudoheader

from overlay_frames import encapsulated, host_mac, some_bytes

GSO_TYPE = {4: 3, 6: 4}


def inner(payload_bytes, number, source=0x51):
    return raw(Ether(src=host_mac(source), dst=host_mac(0x52)) / IP(src="10.0.0.1", dst="10.0.0.2", id=number)
               / UDP(sport=1000, dport=2000) / Raw(some_bytes(payload_bytes)))


def merged(datagrams, family):
    """One frame, and its Intent's numbers. All datagrams but the last are of one size."""
    l4 = 34 if family == 4 else 54
    payloads = [datagram[l4 + 8:] for datagram in datagrams]
    first = Ether(datagrams[0])
    assert len({len(payload) for payload in payloads[:-1]}) <= 1 and len(payloads[-1]) <= len(payloads[0])
    ip = first[IP] if family == 4 else first[IPv6]
    layer = IP(src=ip.src, dst=ip.dst, id=ip.id, flags=ip.flags, ttl=ip.ttl, tos=ip.tos) if family == 4 else \
        IPv6(src=ip.src, dst=ip.dst, hlim=ip.hlim, tc=ip.tc, fl=ip.fl)
    udp = UDP(sport=first[UDP].sport, dport=first[UDP].dport)
    whole = raw(Ether(src=first.src, dst=first.dst) / layer / udp / Raw(b"".join(payloads)))
    pseudo = in4_pseudoheader(17, IP(whole[14:]), len(whole) - l4) if family == 4 else \
        in6_pseudoheader(17, IPv6(whole[14:]), len(whole) - l4)
    partial = (~checksum(raw(pseudo)) & 0xFFFF).to_bytes(2, "big")
    return whole[:l4 + 6] + partial + whole[l4 + 8:], dict(csum_start=l4, csum_offset=6, gso_size=len(payloads[0]),
                                                           gso_type=GSO_TYPE[family])


def write_one(out, name, family, pairs):
    """`pairs`: (datagram, inner frame; None where the datagram is dropped)"""
    frame, numbers = merged([datagram for datagram, _ in pairs], family)
    out.write(f"merged.{name}", frame, **numbers)
    for kind, vlan in (("priority", 0), ("vlan", 6)):
        head = Ether(src=Ether(frame).src, dst=Ether(frame).dst) / Dot1Q(vlan=vlan, prio=3, type=Ether(frame).type)
        out.write(f"merged-{kind}.{name}", raw(head) + frame[14:], **{**numbers, "csum_start": numbers["csum_start"] + 4})
    for datagram, comes_out in pairs:
        out.write_next(f"merged-alone.{name}", datagram)
        if comes_out is not None:
            out.write_next(f"merged-inner.{name}", comes_out)


def write_merged(out):
    def pairs(mode, number, family, sizes, **fields):
        frames = [inner(size, index) for index, size in enumerate(sizes)]
        return [(encapsulated(mode, number, frame, family, checksum=True, **fields), frame) for frame in frames]

    usual = [1400] * 44 + [333]
    write_one(out, "vx4", 4, pairs("vxlan", 100, 4, usual))
    write_one(out, "vx6", 6, pairs("vxlan", 100, 6, usual))
    write_one(out, "gnv4", 4, pairs("geneve", 123, 4, usual))
    write_one(out, "gnv6", 6, pairs("geneve", 123, 6, usual))
    write_one(out, "two", 4, pairs("vxlan", 100, 4, [1, 1]))
    write_one(out, "many-small", 4, pairs("vxlan", 100, 4, [20] * 128))
    # Larger than one buffer of ours.
    write_one(out, "jumbo4", 4, pairs("vxlan", 100, 4, [5000] * 11 + [2500]))
    write_one(out, "jumbo6", 6, pairs("vxlan", 100, 6, [5000] * 11 + [10]))
    # Tunnels' flows may share a source port, and so what is merged.
    some = pairs("vxlan", 100, 4, [300] * 6)
    for at, change in ((1, dict(flags=0)), (3, dict(number=101))):
        number = change.pop("number", 100)
        some[at] = (encapsulated("vxlan", number, some[at][1], 4, checksum=True, **change), None)
    write_one(out, "some-wrong", 4, some)
    first_wrong = pairs("vxlan", 100, 4, [300] * 3)
    first_wrong[0] = (encapsulated("vxlan", 100, first_wrong[0][1], 4, checksum=True, flags=0), None)
    write_one(out, "first-wrong", 4, first_wrong)
    stranger = pairs("vxlan", 100, 4, [500] * 4, remote=9)
    write_one(out, "stranger", 4, [(datagram, None) for datagram, _ in stranger])
    congested = pairs("vxlan", 100, 4, [500] * 3, ip=dict(tos=3))
    write_one(out, "congested", 4, [(datagram, None) for datagram, _ in congested])
    # Nobody's here: these aren't cut.
    for name, fields in (("not-our-address", dict(ip=dict(dst="172.31.0.99"))), ("not-our-port", dict(port=4790))):
        frame, numbers = merged([datagram for datagram, _ in pairs("vxlan", 100, 4, [500] * 4, **fields)], 4)
        out.write(f"merged-whole.{name}", frame, **numbers)
    # In front of, between and behind merged frames of its flow.
    for number in range(3):
        frame = inner(1400, 1000 + number)
        out.write_next("merged-single", encapsulated("vxlan", 100, frame, 4, checksum=True))
        out.write_next("merged-single-inner", frame)
