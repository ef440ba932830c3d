"""What a host on the underlay does besides tunnels: ARP and ICMP echo, and frames that wait for a neighbor."""

from scapy.all import ARP, ICMP, IP, UDP, Ether, ICMPv6ND_NS, IPv6, Raw, raw

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, encapsulated, host_mac, some_bytes

BROADCAST = "ff:ff:ff:ff:ff:ff"


def padded(frame):
    """To Ethernet's smallest frame, without its checksum."""
    return raw(frame).ljust(60, b"\0")


def arp(operation, sender, target, to=BROADCAST, pad=True):
    """`sender` and `target`: (MAC, IP)."""
    frame = Ether(src=sender[0], dst=to) / ARP(op=operation, hwsrc=sender[0], psrc=sender[1], hwdst=target[0],
                                               pdst=target[1])
    return padded(frame) if pad else raw(frame)


def write_arp(out):
    us = (OUR_MAC, OUR_IP[4])
    nobody = "00:00:00:00:00:00"
    for number in (2, 3, 9):
        them = (REMOTE_MAC[number], REMOTE_IP[4][number])
        moved = ("02:00:00:00:77:77", them[1])
        out.write(f"arp.who-is.{number}", arp("who-has", us, (nobody, them[1])))
        out.write(f"arp.is-at.{number}", arp("is-at", them, us, to=OUR_MAC))
        out.write(f"arp.is-at-moved.{number}", arp("is-at", moved, us, to=OUR_MAC))
        out.write(f"arp.gratuitous-moved.{number}", arp("who-has", moved, (nobody, them[1])))
        out.write(f"arp.asks-us.{number}", arp("who-has", them, (nobody, us[1])))
        out.write(f"arp.our-answer.{number}", arp("is-at", us, them, to=them[0]))
    two = (REMOTE_MAC[2], REMOTE_IP[4][2])
    out.write("arp.announced", arp("who-has", us, (nobody, us[1])))
    out.write("arp.asks-us-unpadded", arp("who-has", two, (nobody, us[1]), pad=False))
    out.write("arp.asks-us-unicast", arp("who-has", two, (nobody, us[1]), to=OUR_MAC))
    out.write("arp.probe", arp("who-has", (two[0], "0.0.0.0"), (nobody, us[1])))
    out.write("arp.probe-answer", arp("is-at", us, (two[0], "0.0.0.0"), to=two[0]))
    ignored = {
        "asks-another": arp("who-has", two, (nobody, "172.31.0.77")),
        "answer-of-nobody-asked": arp("is-at", (REMOTE_MAC[7], "172.31.0.7"), us, to=OUR_MAC),
        "group-sender": raw(Ether(src=two[0], dst=BROADCAST) / ARP(hwsrc="01:00:00:00:00:02", psrc=two[1], pdst=us[1])),
        "no-ethernet": raw(Ether(src=two[0], dst=BROADCAST) / ARP(hwtype=6, hwsrc=two[0], psrc=two[1], pdst=us[1])),
        "no-ipv4": raw(Ether(src=two[0], dst=BROADCAST) / ARP(ptype=0x86DD, hwsrc=two[0], psrc=two[1], pdst=us[1])),
        "cut": raw(Ether(src=two[0], dst=BROADCAST) / ARP(hwsrc=two[0], psrc=two[1], pdst=us[1]))[:41],
        "solicitation": raw(Ether(src=two[0], dst="33:33:ff:00:00:01") / IPv6(src=REMOTE_IP[6][2], dst="ff02::1:ff00:1",
                                                                             hlim=255) / ICMPv6ND_NS(tgt="fd00:31::77")),
        "echo-in-arp": raw(Ether(src=two[0], dst=OUR_MAC, type=0x0806)
                           / IP(src=two[1], dst=us[1]) / ICMP(type="echo-request", id=7, seq=3)),
    }
    for name, frame in ignored.items():
        out.write(f"ignored.{name}", frame)


def write_echo(out):
    def echo(kind, payload, ttl=9, **fields):
        us, them = (OUR_MAC, OUR_IP[4]), (REMOTE_MAC[2], REMOTE_IP[4][2])
        source, destination = (them, us) if kind != "echo-reply" else (us, them)
        return raw(Ether(src=source[0], dst=destination[0])
                   / IP(src=source[1], dst=destination[1], ttl=ttl, id=0x1234, **fields)
                   / ICMP(type=kind, id=7, seq=3) / Raw(payload))

    for size in (0, 1, 56, 57, 1400):
        payload = some_bytes(size)
        out.write(f"echo.request.{size}", echo("echo-request", payload))
        out.write(f"echo.reply.{size}", echo("echo-reply", payload, ttl=64))
    right = echo("echo-request", b"abcdef")
    out.write("ignored.echo-checksum", right[:-1] + b"x")
    out.write("ignored.echo-reply", raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / IP(src=REMOTE_IP[4][2], dst=OUR_IP[4])
                                        / ICMP(type="echo-reply", id=7, seq=3)))
    out.write("ignored.unreachable", raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC) / IP(src=REMOTE_IP[4][2], dst=OUR_IP[4])
                                         / ICMP(type="dest-unreach") / Raw(some_bytes(28))))
    out.write("ignored.echo-broadcast", b"\xff" * 6 + right[6:])
    out.write("ignored.echo-cut", raw(Ether(src=REMOTE_MAC[2], dst=OUR_MAC)
                                      / IP(src=REMOTE_IP[4][2], dst=OUR_IP[4], proto=1) / Raw(b"\x08\0\0\0")))


def write_waiting(out):
    """A numbered stream of inner frames, and each as it leaves to remote 2, to 2 after its MAC moved, through the
    gateway, and to remote 3."""
    for number in range(40):
        inner = raw(Ether(src=host_mac(1), dst=host_mac(2)) / IP(src="10.4.0.1", dst="10.4.0.2", id=number)
                    / UDP(sport=1, dport=2) / Raw(bytes([number]) * 20))
        out.write_next("stream", inner)
        leaves = {
            "stream.to-2": encapsulated("geneve", 50, inner, incoming=False),
            "stream.to-2-moved": encapsulated("geneve", 50, inner, incoming=False),
            "stream.to-far": encapsulated("geneve", 50, inner, incoming=False, ip=dict(dst="192.0.2.5")),
        }
        leaves["stream.to-2-moved"] = bytes.fromhex("020000007777") + leaves["stream.to-2-moved"][6:]
        leaves["stream.to-far"] = bytes.fromhex("020000000009") + leaves["stream.to-far"][6:]
        for name, frame in leaves.items():
            out.write_next(name, frame)
    # Somebody inside the tunnel says where the underlay's remote 2 is.
    lie = arp("is-at", ("02:00:00:00:66:66", REMOTE_IP[4][2]), (OUR_MAC, OUR_IP[4]), to=OUR_MAC)
    out.write("lie.inner", lie)
    out.write("lie.outer", encapsulated("geneve", 50, lie))


def write_host(out):
    write_arp(out)
    write_echo(out)
    write_waiting(out)
