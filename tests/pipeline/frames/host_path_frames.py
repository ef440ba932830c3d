"""What an underlay's host sends and gets beside the tunnels: by the kind that it is counted as, and what it doesn't get."""

from scapy.all import (ARP, ICMP, IP, LLC, TCP, UDP, Dot3, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr,
                       IPOption_Router_Alert, IPv6, IPv6ExtHdrFragment, Raw, raw)

from overlay_frames import OUR_IP, OUR_MAC, REMOTE_IP, REMOTE_MAC, encapsulated, host_mac, some_bytes

THEM = REMOTE_IP[4][3]
THEM6 = REMOTE_IP[6][3]


def ethernet(to=OUR_MAC, **fields):
    return Ether(src=REMOTE_MAC[3], dst=to, **fields)


def ip(to=OUR_IP[4], **fields):
    return IP(src=THEM, dst=to, **fields)


def ip6(to=OUR_IP[6], **fields):
    return IPv6(src=THEM6, dst=to, **fields)


def udp(port, payload=b"payload", **fields):
    return UDP(sport=40000, dport=port) / Raw(payload)


def neighbor_frames():
    lladdr = ICMPv6NDOptSrcLLAddr(lladdr=REMOTE_MAC[3])
    return {
        "arp": Ether(src=REMOTE_MAC[3], dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=REMOTE_MAC[3], psrc=THEM, pdst=OUR_IP[4]),
        "arp-of-others": Ether(src=REMOTE_MAC[3], dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=REMOTE_MAC[3], psrc=THEM, pdst="172.31.0.77"),
        "solicitation": ethernet("33:33:ff:00:00:01") / ip6("ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt=OUR_IP[6]) / lladdr,
        "router": ethernet("33:33:00:00:00:01") / IPv6(src="fe80::3", dst="ff02::1", hlim=255) / ICMPv6ND_RA() / lladdr,
    }


def routing_frames():
    return {
        "bgp": ethernet() / ip() / TCP(sport=40000, dport=179, flags="S"),
        "bgp-answers": ethernet() / ip() / TCP(sport=179, dport=40000, flags="SA"),
        "bgp6": ethernet() / ip6() / TCP(sport=40000, dport=179, flags="S"),
        "bfd": ethernet() / ip(ttl=255) / udp(3784),
        "bfd-echo": ethernet() / ip(ttl=255) / udp(3785),
        "bfd-multihop": ethernet() / ip() / udp(4784),
        "ike": ethernet() / ip() / udp(500),
        "ike-behind-nat": ethernet() / ip() / udp(4500, bytes(4) + b"payload"),
        "dhcp": ethernet("ff:ff:ff:ff:ff:ff") / ip("255.255.255.255") / UDP(sport=67, dport=68) / Raw(b"offer"),
        "ospf": ethernet("01:00:5e:00:00:05") / ip("224.0.0.5", proto=89) / Raw(bytes(24)),
        "vrrp": ethernet("01:00:5e:00:00:12") / ip("224.0.0.18", proto=112) / Raw(bytes(20)),
        "is-is": Dot3(src=REMOTE_MAC[3], dst="01:80:c2:00:00:14") / LLC(dsap=0xFE, ssap=0xFE, ctrl=3) / Raw(b"\x83" + bytes(60)),
    }


def bulk_frames():
    return {
        "ssh": ethernet() / ip() / TCP(sport=40000, dport=22, flags="S"),
        "ssh6": ethernet() / ip6() / TCP(sport=40000, dport=22, flags="S"),
        "dns": ethernet() / ip() / udp(53),
        "esp": ethernet() / ip(proto=50) / Raw(some_bytes(80)),
        "esp-behind-nat": ethernet() / ip() / udp(4500, b"\x01\x02\x03\x04payload"),
        "lldp": ethernet("01:80:c2:00:00:0e", type=0x88CC) / Raw(bytes(46)),
        "first-fragment": ethernet() / ip(flags="MF", id=7) / udp(53, bytes(40)),
        "later-fragment": ethernet() / ip(frag=100, proto=17, id=7) / Raw(bytes(40)),
        "later-fragment6": ethernet() / ip6() / IPv6ExtHdrFragment(nh=17, offset=100, id=7) / Raw(bytes(40)),
        "options": ethernet() / ip(options=[IPOption_Router_Alert()]) / TCP(sport=40000, dport=22, flags="S"),
        "another-address": ethernet() / ip("192.0.2.77") / udp(53),
        "mdns": ethernet("01:00:5e:00:00:fb") / ip("224.0.0.251") / udp(5353),
    }


def refused_frames():
    """By the reason that each dies of."""
    inner = raw(Ether(src=host_mac(2), dst=host_mac(1)) / IP(src="10.1.0.2", dst="10.1.0.1") / UDP() / Raw(b"inner"))
    vxlan = encapsulated("vxlan", 100, inner, remote=3)
    unknown = encapsulated("vxlan", 777, inner, remote=3)
    broken = bytearray(raw(ethernet() / ip() / udp(53)))
    broken[25] ^= 0xFF
    return {
        "not_for_us": Ether(src=REMOTE_MAC[3], dst="02:00:00:00:99:99") / ip() / udp(53),
        "unknown_vni": unknown,
        "unknown_remote": vxlan,
        "ip_fragment": ethernet() / ip(flags="MF", id=7) / udp(4789, bytes(40)),
        "ip_options": ethernet() / ip(options=[IPOption_Router_Alert()]) / udp(4789, bytes(40)),
        "impossible_source": ethernet() / IP(src=OUR_IP[4], dst=OUR_IP[4]) / udp(53),
        "ip_checksum": bytes(broken),
    }


def sent_frames():
    """By the host itself."""
    us = Ether(src=OUR_MAC, dst=REMOTE_MAC[3])
    return {
        "tcp": us / IP(src=OUR_IP[4], dst=THEM) / TCP(sport=22, dport=40000, flags="SA"),
        "arp": Ether(src=OUR_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=OUR_MAC, psrc=OUR_IP[4], pdst=THEM),
        "large": us / IP(src=OUR_IP[4], dst=THEM) / udp(53, some_bytes(1472)),
    }


def write_host_path(out):
    kinds = {"neighbor": neighbor_frames(), "routing": routing_frames(), "bulk": bulk_frames(), "refused": refused_frames(),
             "sent": sent_frames(),
             "icmp": {"echo": ethernet() / ip() / ICMP(id=7, seq=3) / Raw(some_bytes(56)),
                      "echo6": ethernet() / ip6() / ICMPv6EchoRequest(id=7, seq=3, data=some_bytes(56))}}
    for kind, frames in kinds.items():
        for name, frame in frames.items():
            out.write(f"host-path.{kind}.{name}", frame if isinstance(frame, bytes) else raw(frame))
