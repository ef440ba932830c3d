"""A tenant whose virtio-net headers ask for thousands of tiny segments, beside another one that pings."""

import re

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts

# Sends super-packets of 60,000 bytes through a packet socket: ADDRESS_OF_IT MAC_OF_IT ADDRESS MAC GSO_SIZE PER_SECOND SECONDS.
SENDER = """
import socket, struct, sys, time
own, own_mac, to, to_mac, gso_size, rate, seconds = sys.argv[1:]
mac = lambda text: bytes.fromhex(text.replace(":", ""))
def folded(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total
addresses = socket.inet_aton(own) + socket.inet_aton(to)
payload = bytes(60000 - 54)
tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 1, 0x50, 0x10, 1000, folded(addresses + struct.pack("!HH", 6, 20 + len(payload))), 0)
ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0) + addresses
ip = ip[:10] + struct.pack("!H", ~folded(ip) & 0xffff) + ip[12:]
frame = struct.pack("<BBHHHH", 1, 1, 54, int(gso_size), 34, 16) + mac(to_mac) + mac(own_mac) + b"\\x08\\0" + ip + tcp + payload
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
s.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE
s.bind(("eth0", 0))
start = time.monotonic()
sent = 0
print("sending", flush=True)
while (now := time.monotonic() - start) < float(seconds):
    if sent >= now * float(rate):
        time.sleep(0.0005)
        continue
    try:
        s.send(frame)
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno != 105:  # ENOBUFS
            raise
    sent += 1
"""


def measured(source, address, count, interval_s):
    """(answers lost, mean round-trip time in ms)"""
    done = source.run(["ping", "-n", "-c", count, "-i", interval_s, "-W", 2, address], check=False)
    received = int(re.search(r"(\d+) received", done.stdout).group(1))
    mean = re.search(r"= [\d.]+/([\d.]+)/", done.stdout)
    return count - received, float(mean.group(1)) if mean else float("inf")


def rss_mb(daemon):
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def attack(evil, victim, gso_size, per_second, seconds):
    sender = evil.spawn([traffic.PYTHON, "-c", SENDER, evil.ip4, evil.mac("eth0"), victim.ip4, victim.mac("eth0"),
                         gso_size, per_second, seconds], title=f"gso-{gso_size}")
    sender.wait_for("sending")
    return sender


@pytest.fixture
def tenants(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    evil = h1.container("evil", address=["10.1.0.66/24"], mtu=1450)
    daemon = h1.causeway(gateway(1, "vxlan", ports={"c1": {}, "evil": {}}))
    h2.causeway(gateway(2, "vxlan"))
    for container in (c1, evil):
        traffic.ping(container, c2.ip4)
    return daemon, c1, c2, evil


@pytest.mark.parametrize("gso_size", [1, 8, 87])
def test_segments_too_small_die_whole(tenants, gso_size):
    daemon, c1, c2, evil = tenants
    _, quiet = measured(c1, c2.ip4, 50, 0.02)
    memory, sent = rss_mb(daemon), daemon.row("ports", "up0")["tx_packets"]
    sender = attack(evil, c2, gso_size, 1000, 4)
    lost, mean = measured(c1, c2.ip4, 100, 0.03)
    sender.wait(10)
    print(f"gso_size {gso_size}: {lost} of 100 lost, {mean} ms; {quiet} ms before")
    assert lost <= 1
    assert mean <= 3 * quiet + 2  # what else the machine does is no measure
    assert daemon.drops()["segment_size"] >= 500
    assert daemon.row("ports", "evil")["rx_drops"] == daemon.drops()["segment_size"]
    assert daemon.row("ports", "up0")["tx_packets"] - sent < 1000  # nothing was made of them
    assert rss_mb(daemon) - memory <= 32


@pytest.mark.parametrize("gso_size", [88, 1400])
def test_segments_that_may_be_hold_nobody_up(tenants, gso_size):
    """700 of them a frame, more than this machine sends: all that it has goes to them, but turn by turn."""
    daemon, c1, c2, evil = tenants
    memory = rss_mb(daemon)
    attack(evil, c2, gso_size, 100, 5)
    lost, mean = measured(c1, c2.ip4, 100, 0.04)
    print(f"gso_size {gso_size}: {lost} of 100 lost, {mean} ms")
    assert lost <= 1
    assert mean <= 50  # seconds, where the frames had to be cut first
    assert "segment_size" not in daemon.drops()
    assert rss_mb(daemon) - memory <= 32
