"""Neighbor discovery and ICMPv6 echo on an IPv6 underlay."""

from scapy.all import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptSrcLLAddr, UDP, Ether, IPv6, Raw, in6_mactoifaceid, raw)

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, encapsulated, host_mac, some_bytes

US = (OUR_MAC, OUR_IP[6])
TWO = (REMOTE_MAC[2], REMOTE_IP[6][2])
MOVED = ("02:00:00:00:77:77", TWO[1])
LINK_LOCAL = (REMOTE_MAC[2], "fe80::2")
OUR_LINK_LOCAL = (OUR_MAC, f"fe80::{in6_mactoifaceid(OUR_MAC)}")
ALL_NODES = ("33:33:00:00:00:01", "ff02::1")


def group(address):
    """The solicited-node group of an address that ends in ::N."""
    number = int(address.rsplit("::", 1)[1], 16)
    return (f"33:33:ff:00:00:{number:02x}", f"ff02::1:ff00:{number:x}")


def solicitation(source, target, to=None, option=True, hlim=255, **fields):
    to = to or group(target)
    frame = Ether(src=source[0], dst=to[0]) / IPv6(src=source[1], dst=to[1], hlim=hlim) / ICMPv6ND_NS(tgt=target, **fields)
    return raw(frame / ICMPv6NDOptSrcLLAddr(lladdr=source[0]) if option else frame)


def advertisement(source, to, solicited=1, override=1, option=True, target=None, hlim=255, **fields):
    frame = (Ether(src=source[0], dst=to[0]) / IPv6(src=source[1], dst=to[1], hlim=hlim)
             / ICMPv6ND_NA(tgt=target or source[1], R=0, S=solicited, O=override, **fields))
    return raw(frame / ICMPv6NDOptDstLLAddr(lladdr=source[0]) if option else frame)


def write_neighbors(out):
    out.write("nd.who-is.2", solicitation(US, TWO[1]))
    out.write("nd.who-is.2.unicast", solicitation(US, TWO[1], to=TWO))
    out.write("nd.is-at.2", advertisement(TWO, US))
    out.write("nd.is-at.2.no-option", advertisement(TWO, US, option=False))
    out.write("nd.moved.2", advertisement(MOVED, US))
    out.write("nd.moved.2.unsolicited", advertisement(MOVED, ALL_NODES, solicited=0))
    out.write("nd.moved.2.no-override", advertisement(MOVED, US, override=0))
    out.write("nd.unsolicited.2", advertisement(TWO, ALL_NODES, solicited=0))
    out.write("nd.asks-us.2", solicitation(TWO, US[1]))
    out.write("nd.asks-us.2.moved", solicitation(MOVED, US[1]))
    out.write("nd.our-answer.2", advertisement(US, TWO))
    out.write("nd.our-answer.2.moved", advertisement(US, MOVED))
    out.write("nd.asks-us.unicast", solicitation(TWO, US[1], to=US))
    out.write("nd.asks-us.no-option", solicitation(TWO, US[1], to=US, option=False))
    out.write("nd.asks-us.link-local", solicitation(LINK_LOCAL, US[1]))
    out.write("nd.our-answer.link-local", advertisement(US, LINK_LOCAL))
    out.write("nd.probe", solicitation((TWO[0], "::"), US[1], option=False))
    out.write("nd.probe-answer", advertisement(US, ALL_NODES, solicited=0))
    out.write("nd.asks-our-link-local", solicitation(TWO, OUR_LINK_LOCAL[1], to=("33:33:ff:00:00:01", "ff02::1:ff00:1")))
    out.write("nd.our-link-local", advertisement(OUR_LINK_LOCAL, TWO))
    out.write("nd.who-is.link-local-router", solicitation(OUR_LINK_LOCAL, "fe80::9"))
    ignored = {
        "asks-another": solicitation(TWO, "fd00:31::77"),
        "asks-hops": solicitation(TWO, US[1], hlim=254),
        "asks-code": solicitation(TWO, US[1], code=1),
        "asks-checksum": solicitation(TWO, US[1])[:-1] + b"\x77",
        "asks-group": solicitation(TWO, "ff02::5", to=group(US[1])),
        "asks-option-length-0": raw(Ether(src=TWO[0], dst=group(US[1])[0]) / IPv6(src=TWO[1], dst=group(US[1])[1], hlim=255)
                                    / ICMPv6ND_NS(tgt=US[1]) / ICMPv6NDOptSrcLLAddr(lladdr=TWO[0], len=0)),
        "asks-option-too-long": raw(Ether(src=TWO[0], dst=group(US[1])[0]) / IPv6(src=TWO[1], dst=group(US[1])[1], hlim=255)
                                    / ICMPv6ND_NS(tgt=US[1]) / ICMPv6NDOptSrcLLAddr(lladdr=TWO[0], len=2)),
        "asks-cut": raw(Ether(src=TWO[0], dst=group(US[1])[0]) / IPv6(src=TWO[1], dst=group(US[1])[1], hlim=255, nh=58)
                        / Raw(raw(ICMPv6ND_NS(tgt=US[1], cksum=0))[:20])),
        "probe-option": solicitation((TWO[0], "::"), US[1]),
        "probe-unicast": solicitation((TWO[0], "::"), US[1], to=US, option=False),
        "answer-of-nobody-asked": advertisement((REMOTE_MAC[7], REMOTE_IP[6][7]), US),
        "answer-hops": advertisement(TWO, US, hlim=254),
        "answer-solicited-to-all": advertisement(TWO, ALL_NODES),
        "answer-group-mac": raw(Ether(src=TWO[0], dst=US[0]) / IPv6(src=TWO[1], dst=US[1], hlim=255)
                                / ICMPv6ND_NA(tgt=TWO[1]) / ICMPv6NDOptDstLLAddr(lladdr="33:33:00:00:00:01")),
    }
    for name, frame in ignored.items():
        out.write(f"nd-ignored.{name}", frame)


def write_echo6(out):
    def echo(layer, payload, source, destination, hlim, **fields):
        return raw(Ether(src=source[0], dst=destination[0]) / IPv6(src=source[1], dst=destination[1], hlim=hlim)
                   / layer(id=7, seq=3, data=payload, **fields))

    for size in (0, 1, 56, 57, 1400):
        payload = some_bytes(size)
        out.write(f"echo6.request.{size}", echo(ICMPv6EchoRequest, payload, TWO, US, 9))
        out.write(f"echo6.reply.{size}", echo(ICMPv6EchoReply, payload, US, TWO, 64))
    right = echo(ICMPv6EchoRequest, b"abcdef", TWO, US, 9)
    out.write("nd-ignored.echo-checksum", right[:-1] + b"x")
    out.write("nd-ignored.echo-reply", echo(ICMPv6EchoReply, b"abcdef", TWO, US, 9))
    out.write("nd-ignored.echo-all-nodes", echo(ICMPv6EchoRequest, b"abcdef", TWO, ALL_NODES, 9))
    out.write("nd-ignored.echo-of-nobody", echo(ICMPv6EchoRequest, b"abcdef", (TWO[0], "::"), US, 9))


def write_stream6(out):
    """A numbered stream of inner frames, and each as it leaves to remote 2, before and after its MAC moved."""
    for number in range(12):
        inner = raw(Ether(src=host_mac(1), dst=host_mac(2)) / IPv6(src="fd00:4::1", dst="fd00:4::2")
                    / UDP(sport=1, dport=2) / Raw(bytes([number]) * 20))
        leaves = encapsulated("vxlan", 50, inner, family=6, incoming=False)
        out.write_next("stream6", inner)
        out.write_next("stream6.to-2", leaves)
        out.write_next("stream6.to-2-moved", bytes.fromhex("020000007777") + leaves[6:])


def write_discovery(out):
    write_neighbors(out)
    write_echo6(out)
    write_stream6(out)
