"""Tunnels of a container's own, whose super-packets arrive at the gateway whole (container_tunnel.c)."""

import os
from typing import NamedTuple

from tests.support.process import run

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "container_tunnel.c")

IPV4, IPV6 = 0x0800, 0x86DD


def outer_ip4(protocol):
    """Length and checksum are filled in per packet. The addresses are of nobody: the hook in front of IP takes all."""
    return bytes.fromhex("4500000000014000" + f"40{protocol:02x}" + "0000" + "c0000201" + "c0000202")


def outer_ip6(next_header):
    return bytes.fromhex("600000000000" + f"{next_header:02x}40" + "20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")


def ip_in(outer, inner):
    protocol = 4 if inner == IPV4 else 41
    return outer_ip4(protocol) if outer == IPV4 else outer_ip6(protocol)


def gre(ethertype):
    return bytes.fromhex("0000") + ethertype.to_bytes(2, "big")


FOU = bytes.fromhex("c350" "15b3" "0000" "0000")


class Kind(NamedTuple):
    headers: bytes
    outer: int  # ethertypes
    inner: int
    flags: str = ""  # what bpf_skb_adjust_room is to know beside the outer IP version


KINDS = {
    "ipip": Kind(ip_in(IPV4, IPV4), IPV4, IPV4),
    "sit": Kind(ip_in(IPV4, IPV6), IPV4, IPV6),
    "4in6": Kind(ip_in(IPV6, IPV4), IPV6, IPV4),
    "6in6": Kind(ip_in(IPV6, IPV6), IPV6, IPV6),
    "gre": Kind(outer_ip4(47) + gre(IPV4), IPV4, IPV4, "| BPF_F_ADJ_ROOM_ENCAP_L4_GRE"),
    "gre6": Kind(outer_ip6(47) + gre(IPV6), IPV6, IPV6, "| BPF_F_ADJ_ROOM_ENCAP_L4_GRE"),
    "fou": Kind(outer_ip4(17) + FOU, IPV4, IPV4, "| BPF_F_ADJ_ROOM_ENCAP_L4_UDP"),
}


def attach(container, kind):
    """All TCP of the container's eth0 in a tunnel of this kind, in both directions."""
    headers, outer, inner, flags = KINDS[kind]
    version = "IPV4" if outer == IPV4 else "IPV6"
    decap = "0"
    if outer != inner:  # linux/bpf.h of Linux 6.3: BPF_F_ADJ_ROOM_DECAP_L3_IPV4 and _IPV6
        decap = "(1 << 7)" if inner == IPV4 else "(1 << 8)"
    output = container.lab.path(f"{container.name}-{kind}.o")
    run(["clang", "-target", "bpf", "-O2", "-g", "-Wall", "-Werror", f"-DOUTER={','.join(map(str, headers))}",
         f"-DOUTER_BYTES={len(headers)}", f"-DOUTER_TYPE={outer}", f"-DINNER_TYPE={inner}",
         f"-DENCAP_FLAGS=BPF_F_ADJ_ROOM_ENCAP_L3_{version} {flags}", f"-DDECAP_FLAGS={decap}",
         "-I/usr/include/x86_64-linux-gnu", "-c", SOURCE, "-o", output])
    container.run(["tc", "qdisc", "replace", "dev", "eth0", "clsact"])
    for hook, section in (("egress", "encap"), ("ingress", "decap")):
        container.run(["tc", "filter", "replace", "dev", "eth0", hook, "pref", "1", "handle", "1", "bpf", "direct-action",
                       "object-file", output, "section", section])


def detach(container):
    container.run(["tc", "qdisc", "del", "dev", "eth0", "clsact"])
