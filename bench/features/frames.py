"""The frames of a feature, by scapy: one of each flow in turn, every flow with MACs, addresses and ports of its own, as
the pipeline bench has them."""

import dataclasses

from scapy.all import GRE, IP, TCP, UDP, VXLAN, Dot1Q, Ether, IPv6, Raw, raw
from scapy.contrib.geneve import GENEVE, GeneveOptions

from bench import frames
from bench.features.feature import FLOWS, OPTION_CLASS, OPTION_DATA, OPTION_TYPE, UNKNOWN_CLASS
from bench.rows import TUNNEL_PORT

ETHERNET_IN_GRE = 0x6558
BROADCAST = "ff:ff:ff:ff:ff:ff"


def source_of(feature, flow):
    """Number of the MAC and the address that a flow speaks with."""
    if not feature.bindings:
        return flow
    return flow * max(feature.bindings // FLOWS, 1) % feature.bindings


def source_address(number):
    return f"10.{1 + (number >> 16)}.{number >> 8 & 0xff}.{number & 0xff}"


def inner_frame(feature, flow, tag):
    """`tag`: its VLAN, 0 for none. Tags come on top of the feature's size."""
    source = source_of(feature, flow)
    packet = Ether(dst=BROADCAST if feature.broadcast else frames.destination_mac(flow), src=frames.source_mac(source))
    if tag:
        packet /= Dot1Q(vlan=tag)
    packet /= IP(src=source_address(source), dst=f"10.200.{flow >> 8}.{flow & 0xff}", id=0, flags="DF", ttl=64)
    packet /= (TCP(sport=1024 + flow, dport=2048 + flow, flags="A") if feature.tcp
               else UDP(sport=1024 + flow, dport=2048 + flow, chksum=0))
    size = feature.size + (4 if tag else 0)
    return packet / Raw(bytes(size - len(packet)))


def tunnel_header(feature, flow):
    if feature.mode == "gretap":
        return GRE(proto=ETHERNET_IN_GRE, key_present=int(feature.keyed), key=feature.id,
                   chksum_present=int(feature.checksum), seqnum_present=int(feature.sequence), seqence_number=flow)
    if feature.mode == "nvgre":
        return GRE(proto=ETHERNET_IN_GRE, key_present=1, key=feature.id << 8 | flow & 0xff)
    # The source port tells the flows apart (RFC 7348 section 5, RFC 8926 section 3.3).
    udp = UDP(sport=32768 + flow * 40503 % 28232, dport=TUNNEL_PORT[feature.mode])
    if not feature.sums:
        udp.chksum = 0
    if feature.mode == "vxlan":
        return udp / VXLAN(flags=8, vni=feature.id)
    known = GeneveOptions(classid=OPTION_CLASS, type=OPTION_TYPE, data=OPTION_DATA)
    unknown = GeneveOptions(classid=UNKNOWN_CLASS, type=OPTION_TYPE, data=OPTION_DATA)
    options = {"": [], "unknown": [unknown]}.get(feature.option, [known])
    return udp / GENEVE(vni=feature.id, proto=ETHERNET_IN_GRE, options=options)


def tunnelled(feature, flow, inner):
    """As the remote end sends it."""
    source, destination = frames.REMOTE[feature.underlay], frames.LOCAL[feature.underlay]
    packet = Ether(dst=frames.LOCAL_MAC, src=frames.REMOTE_MAC)
    if feature.underlay_vlan:
        packet /= Dot1Q(vlan=feature.underlay_vlan)
    packet /= (IPv6(src=source, dst=destination, hlim=64) if feature.underlay == 6
               else IP(src=source, dst=destination, id=0, flags="DF", ttl=64))
    return packet / tunnel_header(feature, flow) / inner


def received(feature, flow):
    inner = inner_frame(feature, flow, feature.tag_in)
    return raw(tunnelled(feature, flow, inner) if feature.way == "decap" else inner)


def sent_bytes(feature):
    """Of a frame on the way out, if all goes right, as the port counts it: a VLAN's port without its tag."""
    inner = inner_frame(feature, 0, feature.tag_out)
    if feature.way != "encap":
        return len(inner)
    return len(tunnelled(dataclasses.replace(feature, underlay_vlan=0), 0, inner))


def write_pcap(feature, path):
    return frames.write_frames((received(feature, flow) for flow in range(FLOWS)), path)
