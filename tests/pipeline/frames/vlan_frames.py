"""Frames between hosts 1 to 6 as the VLAN tests have them: `vlan.S-D` without a tag, `vlan.S-D.V` in VLAN V, `.pV` with
priority 5 too (p0: the priority alone), `.20.7` with a second tag behind. `vlan.out.TUNNEL.R.NAME` is that frame on its way to
remote R, `vlan.in.TUNNEL.R.NAME` on its way from there. `vlan.link.` are frames of VLAN 6 on a device, with their tag."""

from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, Raw, raw

from host_frames import arp
from mtu_frames import packet, told
from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, encapsulated, host_mac

HOSTS = range(1, 7)
TAGS = {"": (), ".7": (7,), ".10": (10,), ".20": (20,), ".30": (30,), ".40": (40,), ".20.7": (20, 7)}
PRIORITY_IN_FRONT = {".0.10": (0, 10), ".0.20": (0, 20), ".0.0": (0, 0), ".0.0.10": (0, 0, 10)}
PRIORITY_TAGS = {".p0": 0, ".p10": 10, ".p20": 20}
TUNNELS = {"vx10": ("vxlan", 10, 2), "vx20": ("vxlan", 20, 2), "gt": ("geneve", 30, 3)}


def frame(source, destination, tags=(), priority=0):
    mac = "ff:ff:ff:ff:ff:ff" if destination == "all" else host_mac(destination)
    layers = Ether(src=host_mac(source), dst=mac)
    for tag in tags:
        layers = layers / Dot1Q(vlan=tag, prio=priority)
    payload = Raw(f"from {source} to {destination}, and a few bytes more".encode())
    return raw(layers / IP(src=f"10.5.0.{source}", dst="10.5.0.9") / UDP(sport=source, dport=7) / payload)


def big(tags=()):
    """A TCP segment whose checksum the tests leave to others: only its shape counts."""
    layers = Ether(src=host_mac(1), dst="ff:ff:ff:ff:ff:ff")
    for tag in tags:
        layers = layers / Dot1Q(vlan=tag)
    return raw(layers / IP(src="10.5.0.1", dst="10.5.0.2") / TCP(sport=1, dport=2, flags="A", chksum=0x1234)
               / Raw(bytes(range(200)) * 15))


def tagged(bytes_, vlan, ethertype=0x8100):
    """The frame with one more tag in front."""
    ethernet = Ether(bytes_)
    return raw(Ether(src=ethernet.src, dst=ethernet.dst, type=ethertype) / Dot1Q(vlan=vlan, type=ethernet.type)
               / Raw(bytes_[14:]))


def write_vlan(out):
    for source in HOSTS:
        for destination in [*HOSTS, "all"]:
            shapes = {name: frame(source, destination, tags) for name, tags in TAGS.items()}
            shapes |= {name: frame(source, destination, tags) for name, tags in PRIORITY_IN_FRONT.items()}
            shapes |= {name: frame(source, destination, (tag,), 5) for name, tag in PRIORITY_TAGS.items()}
            for shape, inner in shapes.items():
                name = f"{source}-{destination}{shape}"
                out.write(f"vlan.{name}", inner)
                for tunnel, (mode, number, remote) in TUNNELS.items():
                    out.write(f"vlan.in.{tunnel}.{name}", encapsulated(mode, number, inner, remote=remote))
                    out.write(f"vlan.out.{tunnel}.{name}", encapsulated(mode, number, inner, remote=remote, incoming=False))
    for shape in ("", ".10", ".20"):
        out.write(f"vlan.big{shape}", big(TAGS[shape]))

    # To hosts behind vx10, where the tag stays behind, and gt, where it goes along.
    for name, destination, size in (("fits", 3, 1450), ("over", 3, 1451), ("fits-gt", 4, 1446), ("over-gt", 4, 1447)):
        plain = raw(Ether(src=host_mac(1), dst=host_mac(destination)) / packet(4, size))
        out.write(f"vlan.mtu.{name}", plain)
        out.write(f"vlan.mtu.{name}.10", tagged(plain, 10))
        mode, number, remote = TUNNELS["vx10" if destination == 3 else "gt"]
        inner = plain if destination == 3 else tagged(plain, 10)
        out.write(f"vlan.mtu.{name}.out", encapsulated(mode, number, inner, remote=remote, incoming=False))
        out.write(f"vlan.mtu.{name}.answer", told(plain, 1446 if destination == 4 else 1450))
        out.write(f"vlan.mtu.{name}.answer.10", told(tagged(plain, 10), 1446 if destination == 4 else 1450))
    out.write("vlan.mtu.super", raw(Ether(src=host_mac(1), dst=host_mac(3))
                                    / packet(4, 9000, TCP(sport=7, dport=8, flags="A", seq=99))))

    for shape, tags in {"priority": (0,), "vlan": (6,), "priority-in-front": (0, 6), "priority-behind": (6, 0),
                        "service-in-front": (None, 6)}.items():
        inner = encapsulated("vxlan", 10, frame(3, "all"))
        for tag in reversed(tags):
            inner = tagged(inner, tag) if tag is not None else tagged(inner, 0, 0x88A8)
        out.write(f"vlan.on-link.{shape}", inner)

    us, two, nobody = (OUR_MAC, OUR_IP[4]), (REMOTE_MAC[2], REMOTE_IP[4][2]), "00:00:00:00:00:00"
    asked = arp("who-has", two, (nobody, us[1]))
    out.write("vlan.link.arp.asks-us", tagged(asked, 6))
    out.write("vlan.link.arp.asks-us-untagged", asked)
    out.write("vlan.link.arp.asks-us-elsewhere", tagged(asked, 5))
    out.write("vlan.link.arp.asks-us-priority", tagged(asked, 0))
    out.write("vlan.link.arp.asks-us-priority-behind", tagged(tagged(asked, 0), 6))
    out.write("vlan.link.arp.our-answer-untagged", arp("is-at", us, two, to=two[0]))
    out.write("vlan.link.arp.our-answer", tagged(arp("is-at", us, two, to=two[0]), 6))
    out.write("vlan.link.arp.who-is-2", tagged(arp("who-has", us, (nobody, two[1])), 6))
    out.write("vlan.link.arp.is-at-2", tagged(arp("is-at", two, us, to=us[0]), 6))

    def echo(kind, source, destination, **fields):
        return raw(Ether(src=source[0], dst=destination[0]) / IP(src=source[1], dst=destination[1], id=7, **fields)
                   / ICMP(type=kind, id=1, seq=2) / Raw(bytes(80)))

    out.write("vlan.link.echo.request-priority", tagged(echo("echo-request", two, us, ttl=9), 0))
    out.write("vlan.link.echo.reply-untagged", echo("echo-reply", us, two, ttl=64))
    out.write("vlan.link.echo.request", tagged(echo("echo-request", two, us, ttl=9), 6))
    out.write("vlan.link.echo.reply", tagged(echo("echo-reply", us, two, ttl=64), 6))
    # From ethertype 0x8100 on the tag is missing; 17 bytes and 14.
    cut = Ether(src=host_mac(1), dst=host_mac(2), type=0x8100) / Raw(b"\x20\x00\x08")
    out.write("vlan.cut.17", raw(cut))
    out.write("vlan.cut.14", raw(cut)[:14])
