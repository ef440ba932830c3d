"""What containers' kernels really send: tunnels of their own, frames over 64 KB, SCTP."""

import socket
import struct

import pytest

from tests.support import container_tunnel, traffic
from tests.support.lab import Lab
from tests.support.overlay import gateway, two_hosts
from tests.support.process import LabError

TUNNEL_MTU = 1360  # of what is in a container's tunnel: leaves room for the largest headers here
PYTHON = traffic.PYTHON

# One way, TCP with IP options (three NOPs and an end); prints bits a second.
OPTIONS_SERVER = """
import socket, sys, time
s = socket.create_server((sys.argv[1], 5301)); print("ready", flush=True)
c = s.accept()[0]; first = time.monotonic(); total = 0
while part := c.recv(1 << 20): total += len(part)
print("rate", total * 8 / (time.monotonic() - first), flush=True)
"""
OPTIONS_CLIENT = """
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1, 1, 1, 0])); s.connect((sys.argv[1], 5301))
end = time.monotonic() + 2; data = bytes(1 << 20)
while time.monotonic() < end: s.sendall(data)
"""


class Between:
    """c1 and c2 with gateways between them, and the rate of plain TCP there. One gateway: both are its ports."""

    def __init__(self, lab, gateways):
        if gateways == 2:
            h1, h2, self.c1, self.c2 = two_hosts(lab)
            self.gateways = [h1.causeway(gateway(1, "vxlan")), h2.causeway(gateway(2, "vxlan"))]
        else:
            host = lab.host("h1")
            self.c1, self.c2 = (host.container(f"c{n}", [f"10.1.0.{n}/24", f"fd00:1::{n}/64"], 1450) for n in (1, 2))
            self.gateways = [host.causeway({"version": 1, "system": {"hugepages": "off"}, "ethernets": {"c1": {}, "c2": {}},
                                            "bridges": {"br": {"interfaces": ["c1", "c2"]}}})]
        for c in (self.c1, self.c2):
            c.ip("route", "replace", "10.1.0.0/24", "dev", "eth0", "mtu", str(TUNNEL_MTU))
            c.ip("-6", "route", "replace", "fd00:1::/64", "dev", "eth0", "proto", "kernel", "metric", "256", "mtu", str(TUNNEL_MTU))
        traffic.ping(self.c1, self.c2.ip4)
        self.plain = traffic.iperf3(self.c1, self.c2, self.c2.ip4, 2)

    def check_rate(self, measure, name):
        """What could not be cut carried nothing at all; how much it is now is only told. Between two ports of one gateway
        plain TCP never gets cut, and a container's tunnel must be: Linux takes it whole from no packet socket."""
        before = [dict(g.drops()) for g in self.gateways]
        rate = measure()
        print(f"{name}: {rate / 1e9:.2f} Gbit/s, {rate / self.plain:.2f} of plain TCP")
        assert rate >= self.plain / 20
        for gateway_, drops in zip(self.gateways, before):
            assert gateway_.drops().get("segment_failed", 0) == drops.get("segment_failed", 0)


@pytest.fixture(scope="module", params=[2, 1], ids=["two-gateways", "one-gateway"])
def between(request):
    with Lab() as lab:
        yield Between(lab, request.param)


@pytest.mark.parametrize("kind", container_tunnel.KINDS)
def test_tunnel_of_a_container(between, kind):
    for c in (between.c1, between.c2):
        container_tunnel.attach(c, kind)
    address = between.c2.ip4 if container_tunnel.KINDS[kind].inner == container_tunnel.IPV4 else between.c2.ip6
    try:
        between.check_rate(lambda: traffic.iperf3(between.c1, between.c2, address, 2), kind)
    finally:
        for c in (between.c1, between.c2):
            container_tunnel.detach(c)


def test_segment_routing(between):
    """The kernel's own SRv6: IPv6 behind a routing header."""
    for me, (c, peer) in enumerate(((between.c1, between.c2), (between.c2, between.c1)), 1):
        other = 3 - me
        for scope in ("all", "eth0"):
            c.sysctl(f"net.ipv6.conf.{scope}.seg6_enabled", 1)
        c.sysctl("net.ipv6.conf.all.forwarding", 1)
        c.ip("addr", "add", f"fd00:9::{me}/128", "dev", "lo")
        c.ip("-6", "route", "add", f"fd00:5::{other}/128", "via", peer.ip6, "dev", "eth0")
        c.ip("-6", "route", "add", f"fd00:5::{me}/128", "encap", "seg6local", "action", "End.DT6", "table", "255", "dev", "eth0")
        c.ip("-6", "route", "add", f"fd00:9::{other}/128", "encap", "seg6", "mode", "encap", "segs", f"fd00:5::{other}",
             "dev", "eth0", "mtu", str(TUNNEL_MTU), "src", f"fd00:9::{me}")
    between.check_rate(lambda: traffic.iperf3(between.c1, between.c2, "fd00:9::2", 2), "SRv6")


def test_vxlan_of_a_container_with_ip_options(between):
    for me, (c, peer) in enumerate(((between.c1, between.c2), (between.c2, between.c1)), 1):
        c.ip("link", "add", "vx0", "type", "vxlan", "id", "9", "local", c.ip4, "remote", peer.ip4, "dstport", "4790")
        c.ip("link", "set", "vx0", "mtu", str(TUNNEL_MTU - 20), "up")
        c.ip("addr", "add", f"10.9.0.{me}/24", "dev", "vx0")

    def measure():
        server = between.c2.spawn([PYTHON, "-c", OPTIONS_SERVER, "10.9.0.2"], title="options-server")
        server.wait_for("ready")
        between.c1.run([PYTHON, "-c", OPTIONS_CLIENT, "10.9.0.2"])
        server.wait_for("rate")
        server.wait(5)
        return float(server.output().split()[-1])
    between.check_rate(measure, "IPv4 options in VXLAN")


@pytest.mark.parametrize("family, size", [("ip4", "gso_ipv4_max_size"), ("ip6", "gso_max_size")])
def test_frames_over_64_kilobytes(between, family, size):
    try:
        between.c1.ip("link", "set", "eth0", size, "190000")
    except LabError as error:
        pytest.skip(f"BIG TCP over IPv4 needs Linux 6.3 and its iproute2: {error}")
    capture = between.c1.lab.capture(between.c1, "eth0", filter="ip6 and tcp" if family == "ip6" else "tcp", snap_bytes=90)
    try:
        between.check_rate(lambda: traffic.iperf3(between.c1, between.c2, getattr(between.c2, family), 2,
                                                  arguments=["-C", "reno"]),
                           f"BIG TCP, {family}")  # without pacing, which makes frames small
    finally:
        between.c1.ip("link", "set", "eth0", size, "65536")
        capture.stop()
    port = between.gateways[0].row("ports", "c1")
    assert port["rx_drops"] == 0
    largest = max(int(frame["frame.len"][0]) for frame in capture.frames(fields=["frame.len"]))
    if largest <= 65536:
        pytest.skip(f"a busy machine's TCP made no frame of more than {largest} bytes")


def crc32c(data):
    """Bit by bit, as RFC 9260 appendix A has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return (crc ^ 0xFFFFFFFF).to_bytes(4, "little")


def test_sctp_checksum(between):
    """An INIT as the kernel hands it to its device, its checksum to be filled (CHECKSUM_PARTIAL): right on arrival."""
    capture = between.c1.lab.capture(between.c2, "eth0", filter="ip proto 132")
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 52, 1, 0, 64, 132, 0, *(socket.inet_aton(c.ip4) for c in (between.c1, between.c2))))
    total = sum(struct.unpack("!10H", ip))
    ip[10:12] = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    init = struct.pack("!HHIIBBHIIHHI", 5000, 6000, 0, 0, 1, 0, 20, 1, 65535, 1, 1, 1)
    frame = bytes.fromhex(between.c2.mac("eth0").replace(":", "") + between.c1.mac("eth0").replace(":", "") + "0800") + ip + init
    between.c1.run([PYTHON, "-c", f"""
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); s.setsockopt(263, 15, 1); s.bind(("eth0", 0))
s.send(struct.pack("<BBHHHH", 1, 0, 0, 0, 34, 8) + bytes.fromhex("{frame.hex()}"))
"""])
    capture.stop()
    got = [frame["sctp.checksum"][0] for frame in capture.frames(fields=["sctp.checksum"])]
    assert [int(value, 16) for value in got] == [int.from_bytes(crc32c(init), "big")]
