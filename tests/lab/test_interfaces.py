"""Interfaces live their own life: made late, deleted, renamed, moved, changed. The gateway carries on, and says so."""

import os
import re
import time

import pytest

from tests.support import traffic
from tests.support.causeway import program
from tests.support.overlay import CONTAINER_MTU, Overlay, gateway, two_hosts
from tests.support.process import run, wait_until

pytestmark = pytest.mark.alone

BACK_S = 1.0


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def resident_kb(daemon):
    with open(f"/proc/{daemon.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def answers(client, address):
    return client.run(["ping", "-c1", "-W0.2", address], check=False, quiet=True).returncode == 0


def seconds_until(condition, patience_s=5):
    started = time.monotonic()
    wait_until(condition, patience_s, "it carries again")
    return time.monotonic() - started


def state(daemon, port):
    return daemon.row("ports", port)["state"]


def up_again(lab, name, peer, peer_interface, mtu, host, address):
    """The interface `name` of `host` anew, with its other end in `peer`."""
    host.ip("link", "add", "name", name, "mtu", mtu, "type", "veth", "peer", "name", peer_interface, "mtu", mtu,
            "netns", peer.netns)
    if address:
        peer.sysctl(f"net.ipv4.neigh.{peer_interface}.retrans_time_ms", 50)  # its kernel pauses for a second otherwise
        peer.ip("addr", "add", address, "dev", peer_interface)
    peer.ip("link", "set", peer_interface, "up")
    host.ip("link", "set", name, "up")


class Watched:
    """Pings between two other ports all the while; none may be lost."""

    def __init__(self, lab, host):
        self.ends = [host.container(f"w{number}", address=f"10.7.0.{number}/24") for number in (1, 2)]

    def start(self):
        self.ping = self.ends[0].spawn(["ping", "-i", "0.01", "-c", "100000", "10.7.0.2"], title="watched")

    def lost(self):
        self.ping.child.send_signal(2)
        wait_until(lambda: "packets transmitted" in self.ping.output(), 5, "ping sums up")
        lost, pings = traffic.unanswered(self.ping.output())
        assert pings > 10
        return lost


@pytest.fixture
def overlay(lab):
    """c1 - h1 == h2 - c2, and w1, w2 on h1 with a bridge of their own."""
    h1, h2, c1, c2 = two_hosts(lab)
    watched = Watched(lab, h1)
    config = gateway(1, "vxlan")
    config["ethernets"].update({"w1": {}, "w2": {}})
    config["bridges"]["br-w"] = {"interfaces": ["w1", "w2"]}
    g1, g2 = h1.causeway(config), h2.causeway(gateway(2, "vxlan"))
    assert traffic.ping(c1, c2.ip4) == 3
    c1.sysctl("net.ipv4.neigh.eth0.retrans_time_ms", 50)
    watched.start()
    lab.h1, lab.h2, lab.c1, lab.c2, lab.g1, lab.g2, lab.watched = h1, h2, c1, c2, g1, g2, watched
    return lab


def go_and_come(overlay, way, port):
    """Takes `port` away by `way`, and brings it back; nothing of it is left in between."""
    h1 = overlay.h1
    if way == "deleted":
        h1.ip("link", "del", port)
        wait_until(lambda: state(overlay.g1, port) == "missing", 3, f"{port} is missing")
        if port == "c1":
            up_again(overlay, "c1", overlay.c1, "eth0", CONTAINER_MTU, h1, "10.1.0.1/24")
        else:
            up_again(overlay, "up0", overlay.h2, "up0", 1500, h1, None)
        return
    there = ["name", "gone0"] if way == "renamed" else ["netns", overlay.watched.ends[0].netns]
    h1.ip("link", "set", port, "down")
    h1.ip("link", "set", port, *there)
    wait_until(lambda: state(overlay.g1, port) == "missing", 3, f"{port} is missing")
    if way == "renamed":
        h1.ip("link", "set", "gone0", "name", port)
    else:
        overlay.watched.ends[0].ip("link", "set", port, "netns", h1.netns)
    h1.ip("link", "set", port, "up")


@pytest.mark.parametrize("way", ["deleted", "renamed", "moved"])
@pytest.mark.parametrize("port", ["c1", "up0"])
def test_gone_and_back(overlay, port, way):
    times = 20 if way == "deleted" else 3
    go_and_come(overlay, way, port)  # what the first takes is no leak
    seconds_until(lambda: answers(overlay.c1, overlay.c2.ip4))
    before, slowest = (descriptors(overlay.g1), resident_kb(overlay.g1)), 0
    for _ in range(times):
        go_and_come(overlay, way, port)
        slowest = max(slowest, seconds_until(lambda: answers(overlay.c1, overlay.c2.ip4)))
    print(f"{port} {way} {times} times: back after {slowest:.2f} s at most")
    assert slowest <= BACK_S
    assert descriptors(overlay.g1) == before[0]
    assert resident_kb(overlay.g1) - before[1] < 4096
    assert overlay.watched.lost() == 0
    log = overlay.g1.log(400)
    assert f"{port}: gone" in log and f"{port}: back" in log


def test_a_tap_deleted_from_outside_is_made_again(lab):
    h1 = lab.host("h1")
    g1 = h1.causeway({"version": 1, "system": {"hugepages": "off"}, "ethernets": {"lan1": {"tap": {}}, "lan2": {"tap": {}}},
                      "bridges": {"br": {"interfaces": ["lan1", "lan2"]}}})
    for _ in range(3):
        h1.ip("link", "del", "lan1")
        wait_until(lambda: "lan1" in h1.interfaces(), BACK_S, "the TAP is there again")
    started, before = time.monotonic(), g1.cpu_s()
    time.sleep(1)
    assert (g1.cpu_s() - before) / (time.monotonic() - started) < 0.5
    c1 = h1.container("c1", address="10.1.0.1/24", tap="lan1")
    c2 = h1.container("c2", address="10.1.0.2/24", tap="lan2")
    wait_until(lambda: answers(c1, "10.1.0.2"), 3, "both carry")
    # The container's end ends the TAP with it: nothing of ours keeps it alive.
    c1.ip("addr", "show")
    run(["ip", "netns", "del", c1.netns])
    wait_until(lambda: not answers(c2, "10.1.0.1"), 3, "a dead container is silent")
    wait_until(lambda: "lan1" in h1.interfaces(), 5, "its TAP is there for the next one")


def test_an_interface_that_comes_late(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    config = gateway(1, "vxlan")
    config["ethernets"]["late0"] = {}
    config["bridges"]["br-int"]["interfaces"].append("late0")
    g1, _ = h1.causeway(config), h2.causeway(gateway(2, "vxlan"))
    row = g1.row("ports", "late0")
    assert (row["state"], row["reason"], row["mtu"], row["mac"]) == ("missing", "no such interface", None, None)
    assert traffic.ping(c1, c2.ip4) == 3
    c3 = h1.container("c3", address="10.1.0.3/24", mtu=CONTAINER_MTU, port="late0")
    c3.sysctl("net.ipv4.neigh.eth0.retrans_time_ms", 50)  # its first ARP request may be before late0 is back
    assert seconds_until(lambda: answers(c3, c2.ip4)) <= BACK_S
    # A file with another that is not there is no bad file.
    config["ethernets"]["late1"] = {}
    warning = "warning: ethernets.late1: there is no such interface now: missing until one comes"
    applied = g1.apply(config)
    assert warning in applied.stderr
    assert warning in h1.run([program("causewayctl"), "check", lab.path("h1.1.yaml")]).stderr
    assert state(g1, "late1") == "missing"


def test_a_dpdk_device_that_comes_late_and_goes(lab):
    """AF_PACKET's, as one that needs an interface: DPDK's driver doesn't say that it has gone."""
    h1 = lab.host("h1")
    g1 = h1.causeway({"version": 1, "system": {"hugepages": "off"},
                      "ethernets": {"d0": {"dpdk": {"devargs": "net_af_packet0,iface=late0"}}, "c2": {}},
                      "bridges": {"br": {"interfaces": ["d0", "c2"]}}})
    c2 = h1.container("c2", address="10.1.0.2/24")
    assert state(g1, "d0") == "missing" and "cannot probe" in g1.row("ports", "d0")["reason"]
    for number in range(2):
        c1 = h1.container(f"c1{number}", address="10.1.0.1/24", port="late0")
        wait_until(lambda: answers(c1, "10.1.0.2"), 10, "the device is opened and carries")
        h1.ip("link", "del", "late0")
        wait_until(lambda: state(g1, "d0") == "missing", 3, "the device is seen to be gone")
    assert state(g1, "c2") == "up" and c2.name == "c2"


def test_mtu_and_mac_that_others_change(lab):
    overlay = Overlay(lab, "vxlan")
    h1, h2, c1, c2, g1, g2 = overlay.h1, overlay.h2, overlay.c1, overlay.c2, overlay.g1, overlay.g2
    before = traffic.iperf3(c1, c2, c2.ip4, seconds=1)
    for host in (h1, h2):
        host.ip("link", "set", "up0", "mtu", 1400)
    wait_until(lambda: g1.row("tunnels", "tun0")["mtu"] == 1350, BACK_S, "the tunnel's MTU follows")
    wait_until(lambda: g2.row("tunnels", "tun0")["mtu"] == 1350, BACK_S, "the other end's, too")
    told = c1.run(["ping", "-c2", "-i.2", "-W1", "-Mdo", "-s1372", c2.ip4], check=False).stdout
    assert "Frag needed and DF set (mtu = 1350)" in told
    during = traffic.iperf3(c1, c2, c2.ip4, seconds=1)
    for host in (h1, h2):
        host.ip("link", "set", "up0", "mtu", 1500)
    wait_until(lambda: g1.row("tunnels", "tun0")["mtu"] == 1450, BACK_S, "and back")
    print(f"TCP: {before / 1e9:.2f} Gbit/s, then {during / 1e9:.2f} at an MTU of 1400")
    assert during > 50e6
    h1.ip("link", "set", "up0", "address", "02:00:00:00:aa:01")
    assert seconds_until(lambda: g1.row("ports", "up0")["mac"] == "02:00:00:00:aa:01") <= BACK_S
    assert seconds_until(lambda: answers(c1, c2.ip4)) <= BACK_S
    assert [row["mac"] for row in g2.ctl("show", "neighbors")] == ["02:00:00:00:aa:01"]
    h1.ip("link", "set", "c1", "mtu", 1300)
    wait_until(lambda: g1.row("ports", "c1")["mtu"] == 1300, BACK_S, "a bridge port's MTU follows")
    log = g1.log(400)
    assert "up0: MTU 1400, was 1500" in log and "up0: MAC 02:00:00:00:aa:01, was " in log
