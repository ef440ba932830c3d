"""The kernel's side of EVPN, without a routing daemon: `bridge fdb` and `ip neigh` write what zebra would."""

import os
import re
import signal
import time

import pytest

from tests.support import traffic
from tests.support.overlay import two_hosts
from tests.support.process import run, wait_until
from tests.support.waiting import Waiting

VTEP, MAC = "172.31.0.2", "02:00:00:00:00:11"


def config(vnis=(100,), local="172.31.0.1"):
    bridges = {f"br{vni}": {"evpn": {"vni": vni, "local": local, "hold": 0}} for vni in vnis}
    bridges[f"br{vnis[0]}"]["interfaces"] = ["c1"]
    return {"version": 1, "system": {"hugepages": "off"},
            "ethernets": {"c1": {}, "up0": {"addresses": [f"{local}/24"]}}, "bridges": bridges}


def table(gateway, subject, **columns):
    """The rows that have these values."""
    return [row for row in gateway.ctl("show", subject) if all(row[name] == value for name, value in columns.items())]


def evpn(gateway, vni=100):
    (row,) = table(gateway, "evpn", vni=vni)
    return row


def fdb(host, device):
    """What the kernel has there, but for its own addresses."""
    lines = host.run(["bridge", "fdb", "show", "dev", device], quiet=True).stdout.splitlines()
    return [line for line in lines if "permanent" not in line or line.startswith("00:00:00:00:00:00")]


def shadows(host):
    return [name for name in host.interfaces() if re.fullmatch(r"cw[bvp]\d+", name)]


def type_2(host, mac=MAC, vtep=VTEP, kind=("dynamic", "extern_learn")):
    host.run(["bridge", "fdb", "replace", mac, "dev", "cwv100", "dst", vtep, "self", "master", *kind])


def type_3(host, vtep=VTEP):
    host.run(["bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "cwv100", "dst", vtep, "self", "permanent"])


@pytest.fixture
def hosts(lab):
    return two_hosts(lab)


def is_local(host, container):
    return any(line.startswith(container.mac("eth0")) for line in fdb(host, "cwp100"))


def speak(container, mac=MAC):
    """One frame, and no more: nothing that the container's kernel would say by itself, or again."""
    container.ip("neigh", "replace", "10.1.0.77", "lladdr", mac, "dev", "eth0")
    traffic.ping(container, "10.1.0.77", count=1, check=False)


def test_what_zebra_writes_is_shown_and_what_is_learnt_is_written(hosts):
    h1, h2, c1, _ = hosts
    c1.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
    h2.address("up0", f"{VTEP}/24")
    gateway = h1.causeway(config())
    assert shadows(h1) == ["cwb100", "cwp100", "cwv100"]
    assert evpn(gateway)["state"] == "alone"
    # Routes of type 3 and 2, with and without an address.
    type_3(h1)
    type_2(h1)
    h1.ip("neigh", "replace", "10.1.0.77", "lladdr", MAC, "dev", "cwb100", "nud", "noarp", "extern_learn")
    wait_until(lambda: table(gateway, "fdb", mac=MAC, type="evpn", remote=VTEP), 5, "the remote MAC is in the FDB")
    wait_until(lambda: evpn(gateway)["remote_hosts"] == 1, 5, "the host is known")
    row = evpn(gateway)
    assert (row["bridge"], row["mode"], row["local"], row["vteps"], row["remote_macs"], row["state"]) == \
        ("br100", "vxlan", "172.31.0.1", 1, 1, "up")
    # Frames of the container's, to that MAC and to one that nobody knows: both leave by the tunnel.
    capture = h2.capture("up0")
    speak(c1)
    speak(c1, "02:00:00:00:00:99")
    wait_until(lambda: is_local(h1, c1), 5, "the local MAC is written")
    capture.stop()
    # The other host refuses them, and quotes what it has got.
    for mac in (MAC, "02:00:00:00:00:99"):
        assert len(capture.frames(f"udp.dstport == 4789 && eth.dst == {mac} && icmp && !(icmp.type == 3)", ["frame.number"])) == 1
    assert evpn(gateway)["local_macs"] == 1
    # It moves away, and back with its next frame.
    type_2(h1, c1.mac("eth0"))
    wait_until(lambda: table(gateway, "fdb", mac=c1.mac("eth0"), type="evpn"), 5, "the container is elsewhere")
    wait_until(lambda: evpn(gateway)["local_macs"] == 0 and not is_local(h1, c1), 5, "it is advertised no more")
    speak(c1)
    wait_until(lambda: is_local(h1, c1), 5, "the container is here again")
    wait_until(lambda: not any(line.startswith(c1.mac("eth0")) for line in fdb(h1, "cwv100")), 5, "nothing stale is left")
    # A withdrawal counts, and so does a stop.
    h1.run(["bridge", "fdb", "del", MAC, "dev", "cwv100", "dst", VTEP, "self"])
    h1.run(["bridge", "fdb", "del", MAC, "dev", "cwv100", "master"])
    wait_until(lambda: not table(gateway, "fdb", mac=MAC), 10, "the MAC is gone")
    gateway.stop(timeout=30)
    assert shadows(h1) == []


def test_a_killed_daemon_s_devices_are_adopted(hosts):
    h1, _, c1, _ = hosts
    gateway = h1.causeway(config())
    type_3(h1)
    type_2(h1)
    speak(c1)
    wait_until(lambda: is_local(h1, c1), 5, "the local MAC is written")
    index = h1.run(["cat", "/sys/class/net/cwv100/ifindex"]).stdout
    gateway.process.stop(signal.SIGKILL)
    # While nobody looks one comes, and what was there stays.
    type_2(h1, "02:00:00:00:00:12")
    assert shadows(h1) == ["cwb100", "cwp100", "cwv100"]
    gateway = h1.causeway(config())
    assert h1.run(["cat", "/sys/class/net/cwv100/ifindex"]).stdout == index
    wait_until(lambda: evpn(gateway)["remote_macs"] == 2 and evpn(gateway)["vteps"] == 1, 5, "all is known again")
    assert is_local(h1, c1)
    # A device that somebody removes is made anew, with all that is advertised.
    speak(c1)
    wait_until(lambda: evpn(gateway)["local_macs"] == 1, 5, "the container is known")
    h1.ip("link", "del", "cwb100")
    wait_until(lambda: len(shadows(h1)) == 3 and is_local(h1, c1), 20, "the devices are there again")
    assert h1.run(["cat", "/sys/class/net/cwv100/ifindex"]).stdout != index
    wait_until(lambda: evpn(gateway)["remote_macs"] == 0, 10, "what was in the old ones is forgotten")


def test_events_that_are_lost_are_made_up_for(hosts):
    h1 = hosts[0]
    gateway = h1.causeway(config())
    type_2(h1)
    wait_until(lambda: table(gateway, "fdb", mac=MAC), 5, "the MAC is known")
    count = 60000
    batch = h1.lab.path("batch")
    with open(batch, "w") as file:
        for number in range(count):
            file.write(f"fdb replace 02:01:00:00:{number >> 8:02x}:{number & 255:02x} dev cwv100 dst {VTEP} self master "
                       "dynamic extern_learn\n")
        file.write(f"fdb del {MAC} dev cwv100 dst {VTEP} self\nfdb del {MAC} dev cwv100 master\n")
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        h1.run(["bridge", "-batch", batch], timeout=60)
    finally:
        os.kill(gateway.pid, signal.SIGCONT)
    wait_until(lambda: evpn(gateway)["remote_macs"] == count, 30, lambda: f"all are there: {evpn(gateway)}")
    wait_until(lambda: not table(gateway, "fdb", mac=MAC), 10, "the MAC is gone")
    shown = gateway.ctl("show", "control")["evpn"]
    assert shown["overruns"] > 0 and shown["dumps"] >= 2, shown


def test_a_hundred_vnis_come_and_go(hosts):
    h1 = hosts[0]
    vnis = list(range(100, 200))
    begun = time.monotonic()
    gateway = h1.causeway(config(vnis), ready_s=60)
    print(f"100 VNIs: ready after {time.monotonic() - begun:.2f} s")
    assert len(shadows(h1)) == 300
    begun = time.monotonic()
    gateway.apply(config([*vnis, 200]))
    print(f"one more: {time.monotonic() - begun:.3f} s, causewayctl included")
    assert {"cwb200", "cwv200", "cwp200"} <= set(shadows(h1))
    # In the background: the socket is answered meanwhile, but for a question to the kernel now and then.
    with Waiting(gateway.socket) as waiting:
        gateway.apply(config(vnis[:1]))
        wait_until(lambda: len(shadows(h1)) == 3, 60, "the others are gone")
    print(f"the removal of 100: {waiting}")
    assert waiting.count > 20
    assert [row["vni"] for row in gateway.ctl("show", "evpn")] == [100]
    assert run(["ip", "-n", h1.netns, "link", "show", "group", str(0x63770002)]).stdout == ""
