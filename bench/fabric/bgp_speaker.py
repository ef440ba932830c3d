#!/usr/bin/python3
"""A BGP speaker that announces a fabric it doesn't have: VTEPs, VNIs and MACs by the thousand (RFC 4271, 4760, 7432, 8365).

    bgp_speaker.py LOCAL PEER VTEPS VNIS VNIS_EACH MACS FIRST_VNI

It connects to PEER, iBGP in AS 65000. VTEP v is at 172.20.0.1 + v, and in VNIS_EACH of the VNIS that begin with FIRST_VNI; its
share of the MACs is dealt out evenly over these. Says `sending` when the session is up, `sent ROUTES SECONDS` when all is
written, then keeps the session alive until SIGTERM.
"""

import ipaddress
import select
import signal
import socket
import struct
import sys
import time

AS, PORT = 65000, 179
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
L2VPN, EVPN = 25, 70
HOLD_S = 90
KEEPALIVE_S = 1     # FRR's datacenter profile holds for 9
FIRST_VTEP = int(ipaddress.ip_address("172.20.0.1"))
NLRIS = 80          # a message: 35 bytes each, and 4,096 is the longest
MARKER = b"\xff" * 16


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(local):
    capabilities = struct.pack("!BBHBB", 1, 4, L2VPN, 0, EVPN) + struct.pack("!BBI", 65, 4, AS)
    parameters = struct.pack("!BB", 2, len(capabilities)) + capabilities
    return message(OPEN, struct.pack("!BHH", 4, AS, HOLD_S) + socket.inet_aton(local) + bytes([len(parameters)]) + parameters)


def attribute(flags, kind, value):
    return struct.pack("!BBH", flags | 0x10, kind, len(value)) + value  # 0x10: the length has two bytes


def update(vtep, vni, nlris, tunnel=b""):
    """`nlris` of one VTEP in one VNI. `tunnel`: a PMSI attribute."""
    communities = struct.pack("!BBHI", 0, 2, AS, vni) + struct.pack("!BBIH", 3, 12, 0, 8)  # route target; VXLAN
    reach = struct.pack("!HBB", L2VPN, EVPN, 4) + vtep + b"\0" + b"".join(nlris)
    attributes = (attribute(0x40, 1, b"\0") + attribute(0x40, 2, b"") + attribute(0x40, 5, struct.pack("!I", 100))
                  + attribute(0xC0, 16, communities) + tunnel + attribute(0x80, 14, reach))
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes)


def distinguisher(vtep, vni):
    return struct.pack("!H", 1) + vtep + struct.pack("!H", vni & 0xFFFF)


def label(vni):
    return vni.to_bytes(3, "big")


def mac_route(vtep, vni, mac):
    """RFC 7432 section 7.2, without an address."""
    body = distinguisher(vtep, vni) + bytes(10) + bytes(4) + b"\x30" + mac + b"\0" + label(vni)
    return struct.pack("!BB", 2, len(body)) + body


def vtep_route(vtep, vni):
    """RFC 7432 section 7.3, with the attribute of section 11.2 (ingress replication): an update of its own."""
    body = distinguisher(vtep, vni) + bytes(4) + b"\x20" + vtep
    tunnel = attribute(0xC0, 22, b"\0\x06" + label(vni) + vtep)
    return update(vtep, vni, [struct.pack("!BB", 3, len(body)) + body], tunnel)


def routes(vteps, vnis, vnis_each, macs, first_vni):
    """Yields (how many, messages)."""
    each = macs // (vteps * vnis_each)
    number = 0
    for v in range(vteps):
        vtep = struct.pack("!I", FIRST_VTEP + v)
        for k in range(vnis_each):
            vni = first_vni + (v + k) % vnis
            messages = [vtep_route(vtep, vni)]
            nlris = [mac_route(vtep, vni, b"\x02\x20" + (number + m).to_bytes(4, "big")) for m in range(each)]
            number += each
            messages += [update(vtep, vni, nlris[first:first + NLRIS]) for first in range(0, each, NLRIS)]
            yield 1 + each, b"".join(messages)


class Session:
    """Reads what comes while it writes: a peer that isn't read from stops reading."""

    def __init__(self, local, peer):
        self.socket = socket.create_connection((peer, PORT), timeout=30, source_address=(local, 0))
        self.socket.sendall(open_message(local))
        self.received = b""
        self.next_keepalive = time.monotonic()
        while self._read(30) != OPEN:
            pass
        self.socket.sendall(message(KEEPALIVE))
        while self._read(30) != KEEPALIVE:
            pass
        self.socket.setblocking(False)

    def _read(self, timeout_s):
        """The next message's type; None: none is whole yet."""
        if len(self.received) < 19 or len(self.received) < self._length():
            if select.select([self.socket], [], [], timeout_s)[0]:
                data = self.socket.recv(1 << 16)
                if not data:
                    sys.exit("the peer has closed the session")
                self.received += data
        if len(self.received) < 19 or len(self.received) < self._length():
            return None
        kind, length = self.received[18], self._length()
        if kind == NOTIFICATION:
            sys.exit(f"the peer says: error {self.received[19]}, {self.received[20]}")
        self.received = self.received[length:]
        return kind

    def _length(self):
        return struct.unpack_from("!H", self.received, 16)[0]

    def send(self, data):
        """Whole messages; a keepalive between them, when it is time."""
        if time.monotonic() > self.next_keepalive:
            self.next_keepalive = time.monotonic() + KEEPALIVE_S
            data += message(KEEPALIVE)
        while data:
            while self._read(0):
                pass
            if select.select([], [self.socket], [], 0.2)[1]:
                data = data[self.socket.send(data):]

    def keep(self):
        while True:
            self._read(0.2)
            if time.monotonic() > self.next_keepalive:
                self.send(b"")


def main(local, peer, *numbers):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    session = Session(local, peer)
    print("sending", flush=True)
    started, sent = time.monotonic(), 0
    for count, data in routes(*numbers):
        session.send(data)
        sent += count
    print(f"sent {sent} {time.monotonic() - started:.2f}", flush=True)
    session.keep()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
