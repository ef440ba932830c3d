"""Frames as bytes, in microseconds each: for tests that need thousands. Those that need one ask scapy."""

import ipaddress
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP_REQUEST, ARP_REPLY = 1, 2
ICMP, UDP, ICMPV6 = 1, 17, 58


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ip_bytes(address):
    return ipaddress.ip_address(address).packed


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination, source, ethertype, body):
    """Padded to the 60 bytes that a wire has at least."""
    return (mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", ethertype) + body).ljust(60, b"\0")


def ipv4(source, destination, protocol, body, ttl=64):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, ttl, protocol, 0)
    addresses = ip_bytes(source) + ip_bytes(destination)
    return header[:10] + struct.pack("!H", checksum(header + addresses)) + addresses + body


def ipv6(source, destination, next_header, body, hop_limit=64):
    return (struct.pack("!IHBB", 6 << 28, len(body), next_header, hop_limit)
            + ip_bytes(source) + ip_bytes(destination) + body)


def udp(source_port, destination_port, body):
    """Without a checksum, as IPv4 allows."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(body), 0) + body


def vxlan(vni, inner):
    return struct.pack("!II", 0x08 << 24, vni << 8) + inner


def arp(operation, sender_mac, sender_ip, target_mac, target_ip):
    return (struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac_bytes(sender_mac) + ip_bytes(sender_ip)
            + mac_bytes(target_mac) + ip_bytes(target_ip))


def icmp_echo(identifier, sequence, payload=b"q" * 40):
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def neighbor_advertisement(mac, source, destination, flags=0x60):
    """An IPv6 packet: `mac` is where `source` lives. `flags`: solicited (0x40), override (0x20)."""
    body = struct.pack("!BBHI", 136, 0, 0, flags << 24) + ip_bytes(source) + b"\x02\x01" + mac_bytes(mac)
    pseudo = ip_bytes(source) + ip_bytes(destination) + struct.pack("!II", len(body), ICMPV6)
    return ipv6(source, destination, ICMPV6, body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:], 255)
