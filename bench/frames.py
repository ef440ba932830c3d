"""The frames of a row, as a pcap file: one frame of each flow in turn, every flow with MACs, addresses and ports of
its own."""

import ipaddress
import itertools
import math
import struct

from bench.rows import SIZES, TUNNEL_PORT

LOCAL_MAC, REMOTE_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
LOCAL = {4: "172.31.0.1", 6: "fd00:31::1"}
REMOTE = {4: "172.31.0.2", 6: "fd00:31::2"}
PREFIX = {4: 24, 6: 64}
VNI = 123


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def source_mac(flow):
    return f"02:01:00:00:{flow >> 8:02x}:{flow & 0xff:02x}"


def destination_mac(flow):
    return f"02:02:00:00:{flow >> 8:02x}:{flow & 0xff:02x}"


def internet_checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def ip_packet(source, destination, payload):
    """UDP in IPv4 or IPv6."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), 17, 64) + source.packed + destination.packed + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, 17, 0)
    header += source.packed + destination.packed
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + payload


def udp_datagram(source, destination, source_port, destination_port, payload, summed):
    length = 8 + len(payload)
    datagram = struct.pack("!HHHH", source_port, destination_port, length, 0) + payload
    if not summed:
        return datagram
    pseudo = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    checksum = internet_checksum(pseudo + struct.pack("!II", length, 17) + datagram) or 0xffff
    return datagram[:6] + struct.pack("!H", checksum) + datagram[8:]


def plain_frame(flow, size):
    source, destination = f"10.1.{flow >> 8}.{flow & 0xff}", f"10.2.{flow >> 8}.{flow & 0xff}"
    payload = bytes(size - 14 - 20 - 8)
    datagram = udp_datagram(source, destination, 1024 + flow, 2048 + flow, payload, False)
    return (mac_bytes(destination_mac(flow)) + mac_bytes(source_mac(flow)) + b"\x08\x00"
            + ip_packet(source, destination, datagram))


def tunnel_frame(row, flow, inner):
    """As the remote end sends it: the source port tells the flows apart (RFC 7348 section 5, RFC 8926 section 3.3)."""
    header = struct.pack("!BBHI", 0, 0, 0x6558, VNI << 8) if row.mode == "geneve" else struct.pack("!II", 8 << 24, VNI << 8)
    source, destination = REMOTE[row.underlay], LOCAL[row.underlay]
    source_port = 32768 + flow * 40503 % 28232
    datagram = udp_datagram(source, destination, source_port, TUNNEL_PORT[row.mode], header + inner, row.sums)
    return (mac_bytes(LOCAL_MAC) + mac_bytes(REMOTE_MAC) + (b"\x08\x00" if row.underlay == 4 else b"\x86\xdd")
            + ip_packet(source, destination, datagram))


def frames_of(row, part=0, parts=1):
    """Of several parts one: a flow is in one part only, as RSS would have it."""
    sizes = SIZES[row.size]
    # Whole rounds of flows and of sizes.
    count = row.flows if len(sizes) == 1 else math.lcm(row.flows, len(sizes))
    size = itertools.cycle(sizes)
    for number in range(count):
        if number % row.flows % parts != part:
            continue
        frame = plain_frame(number % row.flows, next(size))
        yield tunnel_frame(row, number % row.flows, frame) if row.way == "decap" else frame


def write_pcap(row, path, part=0, parts=1):
    return write_frames(frames_of(row, part, parts), path)


def write_frames(frames, path):
    with open(path, "wb") as file:
        file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
    return path
