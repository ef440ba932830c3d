"""The lab itself, with the kernel's VXLAN in the place of a causewayd: what these tests find is our tools' fault."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support import traffic
from tests.support.lab import Lab, namespaces
from tests.support.process import LabError, Process, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def kernel_gateway(lab, name, container_address, underlay, remote):
    host = lab.hosts[name]
    container = host.container("c" + name[-1], address=container_address, mtu=1450)
    host.address("up0", f"{underlay}/24")
    host.ip("link", "add", "name", "br0", "type", "bridge")
    host.ip("link", "add", "name", "vx0", "type", "vxlan", "id", 123, "local", underlay, "remote", remote,
            "dstport", 4789, "dev", "up0")
    for port in ("vx0", container.name):
        host.ip("link", "set", port, "master", "br0", "up")
    host.ip("link", "set", "br0", "up")
    return container


def kernel_overlay(lab):
    """Two hosts with a container each, joined by kernel VXLAN."""
    lab.link(lab.host("h1"), "up0", lab.host("h2"), "up0")
    return (kernel_gateway(lab, "h1", "10.1.0.1/24", "172.31.0.1", "172.31.0.2"),
            kernel_gateway(lab, "h2", "10.1.0.2/24", "172.31.0.2", "172.31.0.1"))


def test_traffic_and_capture(lab):
    c1, c2 = kernel_overlay(lab)
    capture = lab.hosts["h2"].capture("up0", filter="udp port 4789", max_frames=2000)
    assert traffic.ping(c1, c2.ip4) == 3
    assert traffic.ping(c1, c2.ip4, payload_bytes=1422, dont_fragment=True) == 3
    assert traffic.ping(c1, c2.ip4, payload_bytes=1423, dont_fragment=True, count=1, check=False) == 0
    fetched = traffic.fetch(c2, c1, c1.ip4, 5_000_000)
    assert fetched["sent"] == fetched["received"]
    assert traffic.iperf3(c1, c2, c2.ip4, seconds=1) > 1e6
    capture.stop()
    echo = capture.frames("vxlan && icmp.type == 8", ["ip.src", "vxlan.vni"])
    assert len(echo) == 6
    assert echo[0]["ip.src"] == ["172.31.0.1", "10.1.0.1"] and echo[0]["vxlan.vni"] == ["123"]


def test_capture_tells_broken_frames(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    capture = h2.capture("up0")
    send = ("from scapy.all import *; "
            "good = Ether()/IP(src='172.31.0.1', dst='172.31.0.2')/UDP(sport=49152, dport=4789)/VXLAN(vni=5)"
            "/Ether()/IP(dst='10.0.0.1')/UDP(sport=40001, dport=40002)/b'x'; "
            "bad = good.copy(); bad[VXLAN][UDP].chksum = 1; sendp([good, bad, good], iface='up0', verbose=False)")
    h1.run([traffic.PYTHON, "-c", send])
    capture.stop()
    broken = capture.broken()
    assert capture.count() == 3 and len(broken) == 1 and broken[0].split()[0] == "2"


def test_udp_stream_counts_what_is_lost(lab):
    c1, c2 = kernel_overlay(lab)
    traffic.ping(c1, c2.ip4, count=1)
    stream = traffic.UdpStream(c1, c2, c2.ip4, per_second=500)
    c1.run(["sleep", "0.7"])
    whole = stream.stop()
    assert whole["lost"] == [] and whole["sent"] == whole["received"] > 200 and whole["duplicates"] == 0
    stream = traffic.UdpStream(c1, c2, c2.ip4, per_second=500)
    lab.hosts["h1"].ip("link", "set", "up0", "down")
    c1.run(["sleep", "0.3"])
    lab.hosts["h1"].ip("link", "set", "up0", "up")
    c1.run(["sleep", "0.3"])
    holed = stream.stop()
    assert len(holed["lost"]) > 50 and holed["received"] + len(holed["lost"]) == holed["sent"]


def test_hosts_are_silent_and_containers_are_not(lab):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    capture = h2.capture("up0")
    container = h1.container("c1", address=["10.1.0.1/24", "fd00::1/64"], mtu=1450)
    assert h1.interfaces() == ["c1", "up0"] and container.interfaces() == ["eth0"]
    assert "inet" not in h1.ip("addr", "show", "dev", "up0").stdout
    assert "inet6 fe80" in container.ip("addr", "show", "dev", "eth0").stdout
    assert "tcp-segmentation-offload: on" in container.run(["ethtool", "-k", "eth0"]).stdout
    assert capture.stop().count() == 0


def test_switch_joins_three_hosts(lab):
    hosts = [lab.host(f"h{number}") for number in (1, 2, 3)]
    lab.switch("sw", [(host, "up0") for host in hosts])
    for number, host in enumerate(hosts, 1):
        host.address("up0", f"172.31.0.{number}/24", f"fd00:31::{number}/64")
    assert traffic.ping(hosts[0], "172.31.0.3", count=1) == 1
    assert traffic.ping(hosts[2], "fd00:31::2", count=1) == 1


def test_two_labs_side_by_side():
    with Lab() as first, Lab() as second:
        one, other = kernel_overlay(first), kernel_overlay(second)
        assert traffic.ping(one[0], "10.1.0.2", count=1) == traffic.ping(other[0], "10.1.0.2", count=1) == 1
        first.close()
        assert traffic.ping(other[0], "10.1.0.2", count=1) == 1
        assert not [name for name in namespaces() if name.startswith(first.prefix)]


def test_errors_show_the_last_lines(lab):
    host = lab.host("h1")
    with pytest.raises(LabError, match="exit 3(.|\n)*no such luck"):
        host.run("echo no such luck; exit 3")
    with pytest.raises(LabError, match="not done after 0.3 s(.|\n)*waiting for ever"):
        host.run("echo waiting for ever; sleep 5", timeout=0.3)
    with pytest.raises(LabError, match="exited with 4 before it said(.|\n)*gave up"):
        host.spawn("echo gave up; exit 4").wait_for("ready")


RUN_THAT_IS_ENDED = """
import time
from tests.support.lab import Lab
with Lab() as lab:
    h1 = lab.host("h1")
    c1 = h1.container("c1", address="10.1.0.1/24")
    c1.spawn(["sleep", "1000"])
    c1.spawn("trap '' TERM; echo stubborn; while true; do sleep 1; done").wait_for("stubborn")
    c1.spawn("setsid sleep 1001 & echo gone")
    print(lab.prefix, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after(signum, tmp_path):
    # What a shell starts in the background ignores SIGINT, and so would this.
    command = ["env", "--default-signal=INT", sys.executable, "-c", RUN_THAT_IS_ENDED]
    child = Process(command, tmp_path / "log", "a run", cwd=TOP)
    child.wait_for("cwlab-")
    wait_until(lambda: child.output().rstrip().endswith("-"), 10, "the run is up")
    prefix = child.output().split()[-1]
    mine = [name for name in namespaces() if name.startswith(prefix)]
    assert len(mine) == 2
    pids = [int(pid) for name in mine for pid in subprocess.check_output(["ip", "netns", "pids", name]).split()]
    assert len(pids) >= 3
    child.stop(signum, timeout=15)
    if signum == signal.SIGKILL:  # nothing could be cleaned up: the next run does
        with Lab():
            pass
    assert not [name for name in namespaces() if name.startswith(prefix)]
    assert not os.path.exists(f"/tmp/{prefix.rstrip('-')}")
    wait_until(lambda: not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], 3, "its processes are gone")
