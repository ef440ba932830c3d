"""Stock ovs-appctl asks a gateway in the place of ovs-vswitchd, which it finds by its pidfile and socket, and what it is told
reads as Open vSwitch's own."""

import os
import re
import signal

import pytest

from tests.peers.ovs import OvsPeer
from tests.support import traffic
from tests.support.ovsdb import Vsctl
from tests.support.overlay import two_hosts
from tests.support.process import wait_until

COMMANDS = ["coverage/show", "dpctl/show", "dpif-netdev/pmd-rxq-show", "dpif-netdev/pmd-stats-show", "dpif/show", "exit",
            "fdb/add", "fdb/del", "fdb/flush", "fdb/show", "fdb/stats-show", "list-commands", "memory/show",
            "ovs/route/show", "tnl/neigh/show", "version", "vlog/set"]


def pings(source, address="10.1.0.2"):
    return traffic.ping(source, address, count=1, check=False) == 1


class Appctl(Vsctl):
    def ask(self, *arguments, check=True):
        environment = dict(os.environ, OVS_RUNDIR=self.directory)
        return self.host.run(["ovs-appctl", "--timeout=5", *arguments], check=check, env=environment)

    def appctl(self, *arguments):
        return self.ask(*arguments).stdout

    def files(self, name):
        return sorted(file for file in os.listdir(self.directory) if file.startswith(name + "."))

    def has_name(self, name):
        return self.files(name) == [f"{name}.{self.gateway.pid}.ctl", f"{name}.pid"]


@pytest.fixture
def switch(lab):
    """Host 1's, with c1 at port 5 and a tunnel at port 7; host 2 is open."""
    h1, h2, c1, c2 = two_hosts(lab)
    one = Appctl(h1, 1)
    one("add-br", "sw")
    one("add-port", "sw", "c1", "--", "set", "interface", "c1", "ofport_request=5")
    one.tunnel("tun0", "geneve", remote_ip="172.31.0.2", key=123)
    one("set", "interface", "tun0", "ofport_request=7")
    return one, h2, c1, c2


def macs(text):
    """{(port, VLAN, MAC)} of fdb/show, as scripts read it."""
    title, *lines = text.splitlines()
    assert title == " port  VLAN  MAC                Age"
    rows = [re.fullmatch(r" {0,4}(\w+)  ( {0,3}\d+)  ([0-9a-f:]{17})  ( *\d+|static)", line) for line in lines]
    assert all(rows), text
    return {(row.group(1), int(row.group(2)), row.group(3)) for row in rows}


def test_fdb_show_reads_as_open_vswitchs(switch):
    one, h2, c1, c2 = switch
    for container in (c1, c2):
        container.run(["ethtool", "-K", "eth0", "tx", "off"], check=False)
    peer = OvsPeer(h2, "up0", "172.31.0.2/24", ["c2"], [("tun0", "geneve", "172.31.0.1", 123)])
    peer.vsctl("set", "interface", "tun0", "ofport_request=5")
    peer.vsctl("set", "interface", "c2", "ofport_request=7")
    wait_until(lambda: pings(c1), 20, "the tunnel carries")
    # The bridges' own ports speak, too.
    for host, bridge, address in ((one.host, "sw", "10.1.0.11/24"), (h2, "br-int", "10.1.0.12/24")):
        host.ip("link", "set", bridge, "up")
        host.address(bridge, address)
    one.host.run(["ping", "-c", "1", "-W", "2", "10.1.0.12"])
    ours, theirs = (macs(show("fdb/show", bridge)) for show, bridge in ((one.appctl, "sw"), (peer.appctl, "br-int")))
    mine, his = one.host.mac("sw"), h2.mac("br-int")
    assert ours == {("5", 0, c1.mac("eth0")), ("7", 0, c2.mac("eth0")), ("LOCAL", 0, mine), ("7", 0, his)}
    assert theirs == {("5", 0, c1.mac("eth0")), ("7", 0, c2.mac("eth0")), ("5", 0, mine), ("LOCAL", 0, his)}
    # What else it tells stands in the same lines.
    ours, theirs = one.appctl("fdb/stats-show", "sw"), peer.appctl("fdb/stats-show", "br-int").replace("br-int", "sw")
    assert re.sub(r"\d+", "N", ours) == re.sub(r"\d+", "N", theirs)
    ours, theirs = one.appctl("dpif/show").splitlines(), peer.appctl("dpif/show").splitlines()
    assert re.sub(r"\d+", "N", ours[0]) == re.sub(r"\d+", "N", theirs[0])
    for lines, bridge in ((ours, "sw"), (theirs, "br-int")):
        assert any(re.fullmatch(rf"    {bridge} 65534/\d+: \(tap\)", line) for line in lines)


def test_commands(switch):
    one, _, c1, _ = switch
    assert [line.split()[0] for line in one.appctl("list-commands").splitlines()[1:]] == COMMANDS
    assert one.appctl("-t", "causewayd", "list-commands") == one.appctl("list-commands")
    assert one.appctl("version").startswith("causewayd (Causeway) ")
    c1.sysctl("net.ipv6.conf.all.disable_ipv6", 1)  # it would speak by itself
    c1.run(["ping", "-b", "-c", "1", "-W", "1", "10.1.0.255"], check=False)
    assert macs(one.appctl("fdb/show", "sw")) == {("5", 0, c1.mac("eth0"))}
    assert one.appctl("fdb/add", "sw", "tun0", "0", "02:00:00:00:00:99") == ""
    assert ("7", 0, "02:00:00:00:00:99") in macs(one.appctl("fdb/show", "sw"))
    assert one.appctl("fdb/flush") == "table successfully flushed\n"
    assert macs(one.appctl("fdb/show", "sw")) == {("7", 0, "02:00:00:00:00:99")}
    assert one.appctl("fdb/del", "sw", "0", "02:00:00:00:00:99") == ""
    assert macs(one.appctl("fdb/show", "sw")) == set()
    assert "    tun0 7/none: (geneve: key=123, local_ip=172.31.0.1, remote_ip=172.31.0.2)" in one.appctl("dpif/show")
    assert re.search(r"^  port \d+: c1$", one.appctl("dpctl/show"), re.MULTILINE)
    assert "Cached: 172.31.0.0/24 dev up0 SRC 172.31.0.1\n" in one.appctl("ovs/route/show")
    assert "  port: c1                queue-id:  0 (enabled)" in one.appctl("dpif-netdev/pmd-rxq-show")
    assert re.search(r"^  packets received: [1-9]\d*$", one.appctl("dpif-netdev/pmd-stats-show"), re.MULTILINE)
    assert one.appctl("coverage/show").splitlines()[-1].endswith(" events never hit")
    assert "tunnels:1" in one.appctl("memory/show")
    assert one.appctl("vlog/set", "console:warn") == ""


def test_neighbors_are_told_where_they_are_known(switch):
    one, h2, _, _ = switch
    h2.address("up0", "172.31.0.2/24")
    wait_until(lambda: "172.31.0.2" in one.appctl("tnl/neigh/show"), 10, "the neighbor is known")
    last = one.appctl("tnl/neigh/show").splitlines()[-1]
    assert last.split() == ["172.31.0.2", h2.mac("up0"), "up0"]


@pytest.mark.parametrize("arguments, text", [
    (["nonsense"], '"nonsense" is not a valid command (use "list-commands" to see a list of valid commands)'),
    (["fdb/show"], '"fdb/show" command requires at least 1 arguments'),
    (["fdb/show", "sw", "sw"], '"fdb/show" command takes at most 1 arguments'),
    (["fdb/show", "none"], "no such bridge"),
])
def test_errors_are_open_vswitchs(switch, arguments, text):
    done = switch[0].ask(*arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [text, "ovs-appctl: ovs-vswitchd: server returned an error"]


def test_names_come_and_go_with_the_lock(switch):
    one = switch[0]
    assert one.has_name("causewayd") and one.has_name("ovs-vswitchd")
    thief = one.host.spawn(["ovsdb-client", "steal", f"unix:{one.socket}", "ovs_vswitchd"])
    wait_until(lambda: not one.files("ovs-vswitchd"), 10, "the name is gone with the lock")
    assert one.has_name("causewayd")
    thief.stop(signal.SIGKILL)
    wait_until(lambda: one.has_name("ovs-vswitchd"), 10, "the name is there again")
    # The socket's folder is the database's.
    one.server.stop()
    wait_until(lambda: not one.files("ovs-vswitchd"), 10, "the name is gone with the database")
    assert one.appctl("-t", "causewayd", "fdb/flush") == "table successfully flushed\n"
    one.start_server()
    wait_until(lambda: one.has_name("ovs-vswitchd"), 10, "the name is there again")
    assert one.appctl("exit") == ""
    assert one.gateway.process.wait(10) == 0
    assert one.files("causewayd") + one.files("ovs-vswitchd") == []


def test_a_gateway_runs_without_its_run_directory(lab, monkeypatch):
    h1, _, _, _ = two_hosts(lab)
    monkeypatch.setenv("OVS_RUNDIR", lab.path("missing"))
    one = Appctl(h1, 1)
    one("add-br", "sw")
    assert one.files("causewayd") + one.files("ovs-vswitchd") == []
    assert one.gateway.log().count("ovs-appctl: ") == 1
