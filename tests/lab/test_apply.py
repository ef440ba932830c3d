"""Changing a running gateway: nothing is lost, a change that fails is undone, a wrong file starts nothing."""

import copy
import os
import time

import pytest

from tests.support import traffic
from tests.support.causeway import program, write_yaml
from tests.support.overlay import CONTAINER_MTU, gateway, tunnel, two_hosts
from tests.support.process import LabError, wait_until

pytestmark = pytest.mark.alone

# Frames that a change may cost, none of them of the streams that are watched: what a new container says (ND, MLD,
# IGMP) while its bridge has no tunnel yet, or before the other side knows the tunnel.
ALLOWED_DROPS = {"no_flood_target", "unknown_vni", "unknown_remote", "tunnel_unassigned", "port_unassigned",
                 "split_horizon"}


class TwoTunnels:
    """tun0 between c1 and c2, tun1 between d1 and d2, and containers e1 and e2 that nothing serves yet."""

    def __init__(self, lab):
        self.lab = lab
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        self.d1, self.d2, self.e1, self.e2 = (
            host.container(f"{name}{number}", address=f"10.{net}.0.{number}/24", mtu=CONTAINER_MTU)
            for name, net in (("d", 2), ("e", 3)) for number, host in ((1, self.h1), (2, self.h2)))
        self.configs = [self.config(1), self.config(2)]
        self.daemons = [host.causeway(config) for host, config in zip((self.h1, self.h2), self.configs)]
        for source, target in ((self.c1, self.c2), (self.d1, self.d2)):
            traffic.ping(source, target.ip4)

    @staticmethod
    def config(me):
        config = gateway(me, "geneve")
        config["ethernets"][f"d{me}"] = {}
        config["bridges"]["br-d"] = {"interfaces": [f"d{me}", "tun1"]}
        config["tunnels"]["tun1"] = tunnel(me, "vxlan", 200)
        return config

    def with_third(self, me, mode="geneve", id=300):
        """The configuration plus a bridge, a port and a tunnel for the e containers."""
        config = copy.deepcopy(self.configs[me - 1])
        config["ethernets"][f"e{me}"] = {}
        config["bridges"]["br-e"] = {"interfaces": [f"e{me}", "tun2"]}
        config["tunnels"]["tun2"] = tunnel(me, mode, id)
        return config

    def state(self):
        """What `show` says of the configured things, counters and learnt entries aside."""
        def names(daemon, table, *fields):
            return sorted([row.get(field) for field in fields] for row in daemon.ctl("show", table))
        return [(names(daemon, "ports", "name", "kind", "mtu", "mac"), names(daemon, "tunnels", "name", "mode", "id", "bridge"),
                 names(daemon, "bridges", "name")) for daemon in self.daemons]

    def drops(self):
        return [daemon.drops() for daemon in self.daemons]

    def new_drops(self, before):
        """reason -> how many more on either host, allowed ones aside."""
        return {f"h{number}.{reason}": count - old.get(reason, 0)
                for number, (old, new) in enumerate(zip(before, self.drops()), 1)
                for reason, count in new.items() if count > old.get(reason, 0) and reason not in ALLOWED_DROPS}


@pytest.fixture
def two_tunnels(lab):
    return TwoTunnels(lab)


class Watched:
    """A UDP stream on tun0 both ways and TCP at a modest rate on tun1, for as long as the `with` block lasts."""

    def __init__(self, network, seconds):
        self.network = network
        self.seconds = seconds

    def __enter__(self):
        network = self.network
        self.drops = network.drops()
        self.streams = [traffic.UdpStream(network.c1, network.c2, network.c2.ip4, per_second=1000, port=40000),
                        traffic.UdpStream(network.c2, network.c1, network.c1.ip4, per_second=1000, port=40001)]
        self.tcp = traffic.Iperf3(network.d1, network.d2, network.d2.ip4, self.seconds, arguments=["-b", "100M"])
        self.started = time.monotonic()
        time.sleep(0.5)
        return self

    def __exit__(self, kind, *_):
        time.sleep(0.5)
        reports = [stream.stop() for stream in self.streams]
        if kind:
            return
        self.lost = sum(len(report["lost"]) for report in reports)
        self.longest_gap_ms = max(report["longest_gap_ms"] for report in reports)
        took = time.monotonic() - self.started
        end = self.tcp.result()
        self.retransmits = end["sum_sent"]["retransmits"]
        self.new_drops = self.network.new_drops(self.drops)
        print(f"{sum(report['sent'] for report in reports)} datagrams in {took:.1f} s: lost {self.lost}, duplicates "
              f"{sum(report['duplicates'] for report in reports)}, longest gap {self.longest_gap_ms} ms; TCP "
              f"{end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s, {self.retransmits} retransmits; "
              f"drops {self.new_drops}")
        assert sum(report["duplicates"] for report in reports) == 0
        assert all(report["received"] > 0.5 * took * 1000 for report in reports)


@pytest.mark.deadline(120)
def test_apply_under_traffic_loses_nothing(two_tunnels):
    network = two_tunnels
    with Watched(network, 4) as control:  # what this machine loses by itself, most often nothing
        time.sleep(3)
    with Watched(network, 8) as watched:
        for step in ("add", "change", "remove"):
            for me, daemon in enumerate(network.daemons, 1):
                config = {"add": network.with_third(me),
                          "change": network.with_third(me, mode="vxlan", id=301),
                          "remove": network.configs[me - 1]}[step]
                daemon.apply(config)
            reachable = traffic.ping(network.e1, network.e2.ip4, count=3, check=False)
            print(f"{step}: e1 got {reachable} of 3 answers from e2")
            assert reachable == (0 if step == "remove" else 3)
    assert watched.new_drops == {}
    assert watched.lost <= control.lost
    assert [row["name"] for row in network.daemons[0].ctl("show", "tunnels")] == ["tun0", "tun1"]


def test_parameters_of_what_carries_traffic_change_without_loss(two_tunnels):
    """ttl of the very tunnel the stream is on, ageing time of its bridge, a static MAC: all in place."""
    network = two_tunnels
    capture = network.h2.capture("up0", filter="udp port 6081", snap_bytes=200)
    with Watched(network, 6) as watched:
        for ttl in (33, 34, 35):
            for daemon, config in zip(network.daemons, network.configs):
                changed = copy.deepcopy(config)
                changed["tunnels"]["tun0"]["ttl"] = ttl
                changed["bridges"]["br-int"]["parameters"] = {"ageing-time": 200 + ttl}
                changed["bridges"]["br-int"]["static-macs"] = [{"mac": "02:00:00:00:99:01", "port": "tun0"}]
                daemon.apply(changed)
            time.sleep(0.7)
    capture.stop()
    ttls = [frame["ip.ttl"][0] for frame in capture.frames("geneve && udp.dstport == 40000", ["ip.ttl"])]
    assert [ttl for place, ttl in enumerate(ttls) if place == 0 or ttl != ttls[place - 1]] == ["64", "33", "34", "35"]
    assert watched.lost == 0 and watched.new_drops == {}
    assert "02:00:00:00:99:01" in [row["mac"] for row in network.daemons[0].ctl("show", "fdb")]


def test_failing_apply_undoes_everything(two_tunnels):
    network = two_tunnels
    before = network.state()
    missing = network.with_third(1)
    missing["ethernets"]["nosuch0"] = {"dpdk": {"devargs": "net_nosuch0"}}
    missing["ethernets"]["lan9"] = {"tap": {}}
    missing["bridges"]["br-e"]["interfaces"] += ["nosuch0", "lan9"]
    missing["tunnels"]["tun0"]["ttl"] = 33
    with Watched(network, 4) as watched:
        for _ in range(3):
            refused = network.daemons[0].apply(missing, check=False)
            assert refused.returncode != 0 and "nosuch0" in refused.stdout + refused.stderr
            assert network.state() == before
            time.sleep(0.3)
    assert watched.lost == 0 and watched.new_drops == {}
    assert "lan9" not in network.h1.interfaces()
    for me, daemon in enumerate(network.daemons, 1):  # and what failed left nothing in the way of a good one
        daemon.apply(network.with_third(me))
    assert traffic.ping(network.e1, network.e2.ip4) == 3


def test_plan_tells_and_does_nothing(two_tunnels):
    network = two_tunnels
    before = network.state()
    daemon = network.daemons[0]
    file = write_yaml(network.with_third(1), network.lab.path("third.yaml"))
    said = daemon.ctl_run("plan", file).stdout
    assert "tun2" in said and "br-e" in said and "e1" in said
    assert "tun0" not in said and "br-int" not in said
    assert network.state() == before
    assert "tun" not in daemon.ctl_run("plan", daemon.file).stdout


def test_ports_and_a_whole_bridge_leave_and_come_back(two_tunnels):
    """All that carries traffic is removed and added again, ten times: no handle, queue or buffer is lost."""
    network = two_tunnels
    nothing = {key: network.configs[0][key] for key in ("version", "system")}
    nothing["ethernets"] = {"up0": {"addresses": ["172.31.0.1/24"]}}
    before = network.state()
    for _ in range(10):
        network.daemons[0].apply(nothing)
        network.daemons[0].apply(network.configs[0])
    assert network.state() == before
    assert traffic.ping(network.c1, network.c2.ip4) == 3
    assert traffic.iperf3(network.d1, network.d2, network.d2.ip4, seconds=1) > 50e6


GOOD = """\
version: 1
ethernets:
  lan9: {tap: {}}
  up0: {addresses: [172.31.0.1/24]}
bridges:
  br-int: {interfaces: [lan9, tun0]}
tunnels:
  tun0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
"""
# what is replaced in it by what, and what the error must say
BAD = {
    "id out of range": ("id: 123", "id: 16777216", ":8:28: error: tunnels.tun0.id: 16777216 is out of range (0 to 16777215)"),
    "unknown mode": ("mode: geneve", "mode: genve", ":8:16: error: tunnels.tun0.mode: "),
    "unknown key": ("id: 123", "vni: 123", ":8:"),
    "no such interface": ("[lan9, tun0]", "[lan9, tun0, lan8]", ":6:"),
    "address of nobody": ("local: 172.31.0.1", "local: 172.31.0.9", ":8:"),
    "not an address": ("172.31.0.1/24", "172.31.0.256/24", ":4:"),
    "no version": ("version: 1\n", "", "version"),
    "not YAML": ("[lan9, tun0]", "[lan9, tun0", ": error: "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_starts_nothing_and_changes_nothing(lab, case):
    find, replacement, error = BAD[case]
    assert GOOD.count(find) >= 1
    host, other = lab.host("h1"), lab.host("h2")
    lab.link(host, "up0", other, "up0")
    file = write_yaml(GOOD.replace(find, replacement), lab.path("bad.yaml"))
    socket = lab.path("bad.sock")
    for arguments in ([], ["--check"]):
        refused = host.run([program("causewayd"), "-c", file, "--socket", socket, *arguments], check=False, timeout=10)
        assert refused.returncode == 2
        assert f"{file}:" in refused.stderr and error in refused.stderr
        assert host.interfaces() == ["up0"] and not os.path.exists(socket)
    daemon = host.causeway(GOOD)
    before = daemon.ctl("show", "ports")[0]["name"], host.interfaces()
    for verb in ("check", "plan", "apply"):
        refused = daemon.ctl_run(verb, file, check=False)
        assert refused.returncode != 0
        assert error in refused.stdout + refused.stderr
        assert (daemon.ctl("show", "ports")[0]["name"], host.interfaces()) == before
    daemon.stop()


def test_start_with_a_port_that_cannot_be_leaves_nothing(lab):
    host, other = lab.host("h1"), lab.host("h2")
    lab.link(host, "up0", other, "up0")
    with pytest.raises(LabError, match="exited with 2(.|\n)*ethernets.lo: an interface of that name exists"):
        host.causeway(GOOD.replace("[lan9, tun0]", "[lan9, lo, tun0]").replace("ethernets:", "ethernets:\n  lo: {tap: {}}"))
    wait_until(lambda: host.interfaces() == ["up0"], 3, "the TAP is gone")
    host.causeway(GOOD).stop()


def test_check_accepts_a_good_file(lab):
    host = lab.host("h1")
    file = write_yaml(GOOD, lab.path("good.yaml"))
    host.run([program("causewayd"), "-c", file, "--check"])
    assert host.interfaces() == []
