"""What ovs-vsctl has set up runs without Open vSwitch: `causewayctl import ovs` makes the file of a stock ovsdb-server's
database, its comments say what is left to do, and a causewayd with that file carries the frames."""

import os
import signal

import pytest

from tests.peers.ovs import OvsPeer
from tests.support.causeway import program
from tests.support.ovsdb import SCHEMA
from tests.support.overlay import two_hosts
from tests.support.process import run, wait_until


class Database:
    """A host's ovsdb-server, without an ovs-vswitchd."""

    def __init__(self, host):
        self.host = host
        self.directory = host.lab.path(f"{host.name}-db")
        os.makedirs(self.directory)
        database = os.path.join(self.directory, "conf.db")
        run(["ovsdb-tool", "create", database, SCHEMA])
        environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory)
        self.server = host.spawn(["ovsdb-server", database, f"--remote=punix:{self.directory}/db.sock",
                                  f"--unixctl={self.directory}/ctl", f"--pidfile={self.directory}/pid"], env=environment)
        wait_until(lambda: self.vsctl("list-br", check=False).returncode == 0, 10, "the database answers")
        self.vsctl("init")

    def vsctl(self, *arguments, check=True):
        return self.host.run(["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=5", "--no-wait", *arguments],
                             check=check)

    def tunnel(self, name, kind, **options):
        self.vsctl("add-port", "sw", name, "--", "set", "interface", name, f"type={kind}",
                   *(f"options:{key}={value}" for key, value in options.items()))


def imported(database):
    """The file, and what causewayctl says beside it."""
    host = database.host
    file = host.lab.path(f"{host.name}-imported.yaml")
    done = host.run([program("causewayctl"), "import", "ovs", "--db", f"unix:{database.directory}/db.sock", "-o", file])
    assert done.stdout == ""
    with open(file, encoding="utf-8") as text:
        return text.read(), done.stderr


def start(host, file):
    # Whether huge pages are free depends on what else the machine does.
    return host.causeway(file, arguments=["--no-hugepages"])


def pings(c1, address="10.1.0.2"):
    return c1.run(["ping", "-c", "1", "-W", "1", address], check=False, quiet=True).returncode == 0


@pytest.mark.parametrize("kind, options", [("geneve", {"key": 123}), ("vxlan", {"key": 7, "dst_port": 8472}),
                                           ("gre", {"in_key": 5, "out_key": 5, "csum": "true"})])
def test_a_database_becomes_a_gateway(lab, kind, options):
    h1, h2, c1, _ = two_hosts(lab)
    gateways = []
    for number, host in ((1, h1), (2, h2)):
        host.address("up0", f"172.31.0.{number}/24")
        database = Database(host)
        database.vsctl("add-br", "sw")
        database.vsctl("add-port", "sw", f"c{number}", "tag=10")
        database.tunnel("tun0", kind, remote_ip=f"172.31.0.{3 - number}", **options)
        database.tunnel("tun1", "gre", remote_ip="172.31.0.9", psk="secret")
        database.vsctl("set", "bridge", "sw", "stp_enable=true")
        file, said = imported(database)
        assert said == "causewayctl: interfaces left out: 1; comments in the file say why\n"
        assert "  # tun1 is left out: 'psk' asks for IPsec, which is not supported: no tunnel without it\n" in file
        assert "  # stp_enable has no equal and is ignored\n  sw: {" in file
        assert "  up0: {addresses: host}\n" in file
        assert f"  c{number}: {{vlan: {{mode: access, tag: 10}}}}\n" in file
        gateways.append(start(host, file))
    wait_until(lambda: pings(c1), 20, f"{kind} carries")
    for gateway in gateways:
        assert [row["name"] for row in gateway.ctl("show", "tunnels")] == ["tun0"]
        assert sorted(gateway.row("bridges", "sw")["interfaces"]) == sorted(["sw", "tun0", f"c{gateways.index(gateway) + 1}"])


def test_a_running_open_vswitch_goes_on_and_then_gives_way(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    for container in (c1, c2):
        container.run(["ethtool", "-K", "eth0", "tx", "off"], check=False)
    peers = [OvsPeer(host, "up0", f"172.31.0.{number}/24", [f"c{number}"],
                     [("tun0", "geneve", f"172.31.0.{3 - number}", 123)]) for number, host in ((1, h1), (2, h2))]
    wait_until(lambda: pings(c1), 30, "Open vSwitch carries")
    files = []
    for peer in peers:
        file, said = imported(peer)
        assert said == ""
        # The address is on br-phy in Open vSwitch; its port is the underlay.
        assert "bridge br-phy, whose own interface has the addresses\n  up0: {" in file
        files.append(file)
    assert pings(c1)  # Open vSwitch has noticed nothing
    for peer, file in zip(peers, files):
        peer.stop()
        start(peer.host, file)
    wait_until(lambda: pings(c1), 20, "Causeway carries")


def test_underlays_are_those_of_the_hosts_routes(lab):
    host = lab.host("h1")
    lab.link(host, "up0", lab.host("h2"), "up0")
    host.address("up0", "172.31.0.1/24", "fd00:31::1/64")
    host.ip("route", "add", "10.9.0.0/16", "via", "172.31.0.254")
    host.ip("-6", "route", "add", "fd00:32::/32", "via", "fd00:31::fe")
    database = Database(host)
    database.vsctl("add-br", "sw")
    database.tunnel("t1", "vxlan", remote_ip="10.9.0.2", key=1)
    database.tunnel("t2", "geneve", remote_ip="fd00:32::2", key=2)
    database.tunnel("t3", "gre", remote_ip="192.0.2.1")
    file, _ = imported(database)
    assert "  up0: {addresses: host}\n" in file
    assert "  # the host has no route to its remote: it needs an underlay\n  t3: {" in file


def test_what_goes_wrong(lab, tmp_path):
    host = lab.host("h1")
    database = Database(host)
    database.vsctl("add-br", "sw")

    def ask(*arguments):
        return host.run([program("causewayctl"), "import", "ovs", *arguments], check=False)

    socket = f"unix:{database.directory}/db.sock"
    nowhere = ask("--db", f"unix:{tmp_path}/none.sock")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr == f"causewayctl: unix:{tmp_path}/none.sock: cannot connect: No such file or directory\n"
    tcp = ask("--db", "tcp:127.0.0.1:6640")
    assert tcp.returncode == 2 and tcp.stderr.count("\n") == 1 and "only UNIX sockets are read" in tcp.stderr
    full = ask("--db", socket, "-o", "/dev/full")
    assert full.returncode == 1 and full.stderr == "causewayctl: /dev/full: cannot be written: No space left on device\n"
    on_stdout = ask("--db", socket)
    assert on_stdout.returncode == 0 and on_stdout.stdout.startswith("version: 1\n") and on_stdout.stderr == ""
    database.server.child.send_signal(signal.SIGSTOP)
    stopped = ask("--db", socket)
    assert stopped.returncode == 1 and stopped.stderr.endswith("no answer within 10000 ms: waiting for the server's schema\n")
