"""A MAC that `bindings` give to one port, spoken from another port and from a tunnel: its owner keeps its frames."""

import time

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts

# Frames to everybody from a MAC that isn't its own: MAC PER_SECOND SECONDS.
THIEF = """
import socket, sys, time
mac, rate, seconds = sys.argv[1:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = b"\\xff" * 6 + bytes.fromhex(mac.replace(":", "")) + b"\\x88\\xb5" + bytes(46)
start = time.monotonic()
sent = 0
print("sending", flush=True)
while (now := time.monotonic() - start) < float(seconds):
    while sent < now * float(rate):
        s.send(frame)
        sent += 1
    time.sleep(0.001)
"""


def test_a_bound_mac_is_not_stolen(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    evil = h1.container("evil", address=["10.1.0.66/24"], mtu=1450)
    mac = c1.mac("eth0")
    daemon = h1.causeway(gateway(1, "vxlan", ports={"c1": {"bindings": [{"mac": mac}]}, "evil": {}}))
    h2.causeway(gateway(2, "vxlan"))

    def home():
        return {(entry["port"], entry["type"]) for entry in daemon.ctl("show", "fdb") if entry["mac"] == mac}

    assert home() == {("c1", "static")}
    for source in (c2, evil):
        traffic.ping(source, c1.ip4)
    # From a port without bindings; then from behind the tunnel, whose own gateway binds nobody, so that there it works.
    for thief, bystander in ((evil, c2), (c2, evil)):
        sender = thief.spawn([traffic.PYTHON, "-c", THIEF, mac, 10000, 4], title=f"thief-{thief.name}")
        sender.wait_for("sending")
        homes = set()
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            homes |= home()
        assert traffic.ping(bystander, c1.ip4, count=50, interval_s=0.04, check=False) >= 49
        sender.wait(10)
        assert homes == {("c1", "static")}
    assert daemon.row("bridges", "br-int")["mac_moves"] == 0
