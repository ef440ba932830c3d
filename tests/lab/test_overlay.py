"""Two containers, a tunnel between their hosts: what it carries, what it counts, how it starts and ends."""

import os
import signal
import time

import pytest

from tests.support import traffic
from tests.support.lab import Lab
from tests.support.overlay import CONTAINER_MTU, Overlay, gateway, tunnel, two_hosts
from tests.support.process import wait_until

FILE_BYTES = 100 << 20


@pytest.fixture(scope="module", params=["geneve", "vxlan"])
def overlay(request):
    with Lab() as lab:
        yield Overlay(lab, request.param)


@pytest.mark.parametrize("payload_bytes", [56, 1372, CONTAINER_MTU - 28])
def test_ping(overlay, payload_bytes):
    assert traffic.ping(overlay.c1, overlay.c2.ip4, payload_bytes=payload_bytes, dont_fragment=True) == 3


def test_ping_over_ipv6_inside(overlay):
    assert traffic.ping(overlay.c2, overlay.c1.ip6, payload_bytes=CONTAINER_MTU - 48) == 3


def test_download_arrives_whole_and_its_frames_are_sound(overlay):
    capture = overlay.h2.capture("up0", max_frames=6000)
    for client, server in ((overlay.c2, overlay.c1), (overlay.c1, overlay.c2)):
        fetched = traffic.fetch(client, server, server.ip4, FILE_BYTES)
        print(f"{server.name} -> {client.name}: {fetched['bytes_per_s'] * 8 / 1e9:.2f} Gbit/s of HTTP")
        assert fetched["sent"] == fetched["received"]
    capture.stop()
    outer = capture.frames("udp", ["frame.protocols", "frame.len", "ip.ttl", "ip.flags.df", "udp.srcport", "udp.checksum"])
    assert len(outer) > 5000
    assert all(overlay.mode in frame["frame.protocols"][0] for frame in outer)
    assert max(int(frame["frame.len"][0]) for frame in outer) == 1514
    assert {frame["ip.ttl"][0] for frame in outer} == {"64"}
    assert {frame["ip.flags.df"][0] for frame in outer} <= {"1", "True"}  # tshark 4.0, 4.4
    assert all(32768 <= int(frame["udp.srcport"][0]) <= 60999 for frame in outer)
    assert {int(frame["udp.checksum"][0], 0) for frame in outer} == {0}
    assert capture.broken() == []


@pytest.mark.parametrize("arguments", [["-P", 1], ["-P", 4]], ids=["one", "four"])
def test_iperf3_both_ways(overlay, arguments):
    for client, server in ((overlay.c1, overlay.c2), (overlay.c2, overlay.c1)):
        bits = traffic.iperf3(client, server, server.ip4, seconds=3, arguments=arguments)
        print(f"{overlay.mode} {client.name} -> {server.name} {arguments}: {bits / 1e9:.2f} Gbit/s")
        assert bits > 100e6
    print(f"drops {overlay.drops()}")


def test_iperf3_over_ipv6_inside(overlay):
    bits = traffic.iperf3(overlay.c1, overlay.c2, overlay.c2.ip6, seconds=2)
    print(f"{overlay.mode} IPv6 inside: {bits / 1e9:.2f} Gbit/s")
    assert bits > 100e6


def test_fdb_is_learned_on_both_sides(overlay):
    traffic.ping(overlay.c1, overlay.c2.ip4, count=1)
    for own, other, port, remote, daemon in ((overlay.c1, overlay.c2, "c1", "172.31.0.2", overlay.g1),
                                             (overlay.c2, overlay.c1, "c2", "172.31.0.1", overlay.g2)):
        fdb = {row["mac"]: row for row in daemon.ctl("show", "fdb")}
        near, far = fdb[own.mac("eth0")], fdb[other.mac("eth0")]
        assert (near["bridge"], near["port"], near["vlan"]) == ("br-int", port, 0)
        assert (far["bridge"], far["port"], far["vlan"], far["remote"]) == ("br-int", "tun0", 0, remote)
        assert near["age_s"] <= 5 and far["age_s"] <= 5


def _counters(overlay):
    def packets(daemon, table, name, counter):
        return daemon.row(table, name)[counter]
    return {
        "c1 in": packets(overlay.g1, "ports", "c1", "rx_packets"),
        "tun0 out": packets(overlay.g1, "tunnels", "tun0", "tx_packets"),
        "up0 out": packets(overlay.g1, "ports", "up0", "tx_packets"),
        "up0 in": packets(overlay.g2, "ports", "up0", "rx_packets"),
        "tun0 in": packets(overlay.g2, "tunnels", "tun0", "rx_packets"),
        "c2 out": packets(overlay.g2, "ports", "c2", "tx_packets"),
    }


def test_every_packet_is_counted_at_every_stage(overlay):
    """500 datagrams in one direction: each stage saw exactly as many. Repeated if something else was on the way."""
    count = 500
    traffic.ping(overlay.c1, overlay.c2.ip4, count=1)
    sender = ("import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              f"for n in range({count}):\n    s.sendto(bytes(100), ('{overlay.c2.ip4}', 40100)); time.sleep(0.0005)\n")
    sink = overlay.c2.spawn([traffic.PYTHON, "-c", "import socket, time\ns = socket.socket(socket.AF_INET, "
                             "socket.SOCK_DGRAM)\ns.bind(('', 40100)); print('bound', flush=True); time.sleep(60)"])
    sink.wait_for("bound")  # no port unreachable comes back
    for attempt in range(5):
        time.sleep(0.3)
        drops, before = overlay.drops(), _counters(overlay)
        overlay.c1.run([traffic.PYTHON, "-c", sender], quiet=True)
        time.sleep(0.3)
        passed = {stage: value - before[stage] for stage, value in _counters(overlay).items()}
        print(f"attempt {attempt}: {passed}")
        if set(passed.values()) == {count}:
            break
    sink.stop()
    assert set(passed.values()) == {count}
    assert overlay.drops() == drops


def test_idle_gateway_leaves_the_processor_alone(overlay):
    """Only a report, and a bound that a busy loop would break."""
    time.sleep(1)
    before, started = overlay.g1.cpu_s(), time.monotonic()
    time.sleep(2)
    share = (overlay.g1.cpu_s() - before) / (time.monotonic() - started)
    print(f"idle causewayd uses {share:.1%} of a core")
    assert share < 0.9


@pytest.mark.parametrize("workers", [1, 2])
def test_tap_ports(lab, workers):
    """h1's port is a TAP that moves into the container once it is there; it leaves with the daemon."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    g1 = h1.causeway(gateway(1, "geneve", ports={"lan1": {"tap": {}}}, system={"workers": workers}))
    assert "lan1" in h1.interfaces()
    c1 = h1.container("c1", address="10.1.0.1/24", mtu=CONTAINER_MTU, tap="lan1")
    c2 = h2.container("c2", address="10.1.0.2/24", mtu=CONTAINER_MTU)
    g2 = h2.causeway(gateway(2, "geneve"))
    wait_until(lambda: g1.row("ports", "lan1")["state"] == "up", 5, "the gateway sees its TAP in the container")
    assert (g1.row("ports", "lan1")["mac"], g1.row("ports", "lan1")["mtu"]) == (c1.mac("eth0"), CONTAINER_MTU)
    assert traffic.ping(c1, c2.ip4) == 3
    assert traffic.ping(c1, c2.ip4, payload_bytes=CONTAINER_MTU - 28, dont_fragment=True) == 3
    for client, server in ((c1, c2), (c2, c1)):
        fetched = traffic.fetch(client, server, server.ip4, 20 << 20)
        assert fetched["sent"] == fetched["received"]
        bits = traffic.iperf3(client, server, server.ip4, seconds=2)
        print(f"TAP, {workers} workers, {client.name} -> {server.name}: {bits / 1e9:.2f} Gbit/s")
    assert g1.row("ports", "lan1")["kind"] == "tap"
    g1.stop()
    g2.stop()
    assert c1.interfaces() == [] and h1.interfaces() == ["up0"]


def test_shutdown_leaves_nothing_and_a_new_start_works(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    h2.causeway(gateway(2, "vxlan"))
    before = h1.interfaces()
    config = gateway(1, "vxlan", ports={"c1": {}, "lan1": {"tap": {}}})
    for _ in range(2):
        daemon = h1.causeway(config)
        assert h1.interfaces() == sorted([*before, "lan1"])
        assert traffic.ping(c1, c2.ip4) == 3
        daemon.stop()
        assert h1.interfaces() == before
        assert not os.path.exists(daemon.socket)
        assert traffic.ping(c1, c2.ip4, count=1, check=False) == 0


def test_killed_daemon_can_be_started_again(lab):
    overlay = Overlay(lab)
    traffic.ping(overlay.c1, overlay.c2.ip4)
    overlay.g1.process.child.kill()
    overlay.g1.process.wait(5, check=False)
    overlay.h1.causeway(gateway(1, "geneve"))
    assert traffic.ping(overlay.c1, overlay.c2.ip4) == 3


def test_sighup_reloads_and_a_broken_file_changes_nothing(lab):
    overlay = Overlay(lab)
    traffic.ping(overlay.c1, overlay.c2.ip4, count=1)
    config = gateway(1, "geneve")
    config["bridges"]["br-two"] = {"interfaces": ["tun1"]}
    config["tunnels"]["tun1"] = tunnel(1, "vxlan", 77)
    overlay.g1.reload(config)
    wait_until(lambda: "tun1" in [row["name"] for row in overlay.g1.ctl("show", "tunnels")], 5,
               lambda: f"tun1 is there\n{overlay.g1.log()}")
    config["tunnels"]["tun1"]["id"] = 1 << 24
    overlay.g1.reload(config)
    overlay.g1.process.wait_for("tunnels.tun1.id: 16777216 is out of range", timeout=5)
    assert overlay.g1.row("tunnels", "tun1")["id"] == 77
    assert traffic.ping(overlay.c1, overlay.c2.ip4) == 3
    overlay.g1.process.child.send_signal(signal.SIGTERM)
    assert overlay.g1.process.wait(5) == 0


def test_two_labs_side_by_side():
    with Lab() as first, Lab() as second:
        one, other = Overlay(first, "geneve"), Overlay(second, "geneve")
        assert traffic.ping(one.c1, one.c2.ip4) == traffic.ping(other.c1, other.c2.ip4) == 3
        one.g1.stop()
        assert traffic.ping(one.c1, one.c2.ip4, count=1, check=False) == 0
        assert traffic.ping(other.c1, other.c2.ip4) == 3
