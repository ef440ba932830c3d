"""The host path (`host`): the host goes on using the network that a gateway has taken over, beside the tunnels, and its
interface outlives the gateway."""

import signal

import pytest

from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsSwitch
from tests.support import plain_frames, traffic
from tests.support.blast import Blast
from tests.support.overlay import CONTAINER_MTU
from tests.support.process import wait_until
from tests.support.systemd import Systemd

US, PEER = "172.31.0.1", "172.31.0.2"
US6, PEER6 = "fd00:31::1", "fd00:31::2"
INSIDE = "10.1.0.2"  # the peer's end of the tunnel
FILE_BYTES = 8 << 20
VLAN = 100
BGP = 179

ECHO_SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
connection, _ = server.accept()
while data := connection.recv(4096):
    connection.sendall(data)
"""

# A line at a time over one connection, as long as it lasts.
ECHO_CLIENT = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
connection.settimeout(60)
number = 0
while True:
    line = b"%d\\n" % number
    connection.sendall(line)
    answer = b""
    while not answer.endswith(b"\\n"):
        part = connection.recv(4096)
        if not part:
            sys.exit("the connection ended")
        answer += part
    if answer != line:
        sys.exit(f"{answer} to {line}")
    number += 1
    print(number, flush=True)
    time.sleep(0.05)
"""

# As a DHCP client hears and sends, but for the words.
BROADCAST = """
import socket, sys
mine, others, says = int(sys.argv[1]), int(sys.argv[2]), sys.argv[4]
endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[3].encode())
endpoint.bind(("", mine))
endpoint.settimeout(0.5)
for _ in range(40):
    endpoint.sendto(says.encode(), ("255.255.255.255", others))
    try:
        heard = endpoint.recv(100).decode()
    except TimeoutError:
        continue
    endpoint.sendto(says.encode(), ("255.255.255.255", others))
    print(heard, flush=True)
    sys.exit(0)
sys.exit("nobody said anything")
"""


@pytest.fixture
def systemd(lab):
    holder = Systemd(lab)
    yield holder
    holder.close()


def config(device=None, path=True, addresses=(f"{US}/24", f"{US6}/64"), vlan=False):
    end = {"addresses": addresses if isinstance(addresses, str) else list(addresses), "host": path}
    ethernets = {"c1": {}, "up0": {**(device or {}), **({} if vlan else end)}}
    local = {} if addresses == "host" else {"local": US}
    return {"version": 1, "system": {"hugepages": "off", "name": "gw1"}, "ethernets": ethernets,
            **({"vlans": {"v0": {"id": VLAN, "link": "up0", **end}}} if vlan else {}),
            "bridges": {"br-int": {"interfaces": ["c1", "tun0"]}},
            "tunnels": {"tun0": {"mode": "vxlan", "id": 123, "remote": PEER, **local}}}


class Network:
    """c1 behind h1, whose gateway has a host path; the peer at the other end of its cable is a kernel with a tunnel to it."""

    def __init__(self, lab, kind="packet", **options):
        self.h1 = lab.host("h1")
        self.c1 = self.h1.container("c1", address="10.1.0.1/24", mtu=CONTAINER_MTU)
        device = {"tap": {"tap": {}}, "nic-model": {"nic-model": {"over": "tap"}}}.get(kind, {})
        self.config = config(device, vlan=kind == "vlan", **options)
        addresses = [] if kind == "vlan" else [f"{PEER}/24", f"{PEER6}/64"]
        if not device:
            self.peer = self.h1.container("peer", address=addresses, port="up0")
        self.g1 = None
        if device:
            self.g1 = self.start()
            self.peer = self.h1.container("peer", address=addresses, tap="up0")
        self.wire = "eth0"
        if kind == "vlan":
            self.wire = "v0"
            self.peer_on_vlan()
        self.peer.ip("link", "add", "vx0", "type", "vxlan", "id", 123, "local", PEER, "remote", US, "dstport", 4789)
        self.peer.ip("addr", "add", f"{INSIDE}/24", "dev", "vx0")
        self.peer.ip("link", "set", "vx0", "mtu", CONTAINER_MTU, "up")
        self.end = "host-v0" if kind == "vlan" else "host-up0"

    def peer_on_vlan(self):
        """Open vSwitch gives the tag: not every kernel can."""
        plain_cable(self.peer, "eth0")
        self.peer.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)  # it has no tag
        OvsSwitch(self.peer).vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                                   "--", "add-port", "br0", "eth0", f"trunks={VLAN}", "--", "add-port", "br0", self.wire, f"tag={VLAN}",
                                   "--", "set", "interface", self.wire, "type=internal")
        self.peer.ip("link", "set", self.wire, "up")
        self.peer.address(self.wire, f"{PEER}/24", f"{PEER6}/64")

    def start(self, **options):
        self.h1.sysctl("net.ipv6.conf.default.disable_ipv6", 0)  # of the host's end, which comes now
        return self.h1.causeway(self.config, **options)

    def meet(self):
        wait_until(lambda: traffic.ping(self.c1, INSIDE, count=1, check=False), 20, "the tunnel carries")
        wait_until(lambda: traffic.ping(self.h1, PEER, count=1, check=False), 20, "the host reaches the peer")

    def fetch(self):
        for client, server, address in ((self.h1, self.peer, PEER), (self.peer, self.h1, US)):
            fetched = traffic.fetch(client, server, address, FILE_BYTES)
            assert fetched["sent"] == fetched["received"]
            print(f"{client} has from {server} {fetched['bytes_per_s'] * 8 / 1e6:.0f} Mbit/s")

    def broadcast(self):
        ends = [(self.h1, 68, 67, self.end), (self.peer, 67, 68, self.wire)]
        said = [host.spawn([traffic.PYTHON, "-u", "-c", BROADCAST, mine, others, interface, host.name], title=f"broadcast-{host}")
                for host, mine, others, interface in ends]
        for process in said:
            process.wait(timeout=40)
        assert [process.output().strip() for process in said] == ["peer", "h1"]

    def carrier_changes(self):
        return int(self.h1.run(["cat", f"/sys/class/net/{self.end}/carrier_changes"], quiet=True).stdout)

    def carrier(self):
        return self.h1.run(["cat", f"/sys/class/net/{self.end}/carrier"], quiet=True).stdout.strip()


class Session:
    """One TCP connection over the host path, on BGP's port, with a word at a time."""

    def __init__(self, network):
        self.server = network.h1.spawn([traffic.PYTHON, "-u", "-c", ECHO_SERVER, US, BGP], title="session-server")
        self.server.wait_for("listening")
        self.client = network.peer.spawn([traffic.PYTHON, "-u", "-c", ECHO_CLIENT, US, BGP], title="session-client")
        self.goes_on()

    def words(self):
        assert self.client.poll() is None, self.client.tail()
        return len(self.client.output().splitlines())

    def goes_on(self, more=10):
        wanted = self.words() + more
        wait_until(lambda: self.words() >= wanted, 30, "the session goes on")


@pytest.mark.parametrize("kind", ["packet", "nic-model", "vlan"])
def test_the_host_uses_the_network_beside_tunnels(lab, kind):
    network = Network(lab, kind)
    network.g1 = network.g1 or network.start()
    network.meet()
    h1, peer, g1 = network.h1, network.peer, network.g1
    end = g1.row("ports", network.end)
    assert (end["kind"], end["state"], end["mac"]) == ("host", "up", h1.mac(network.end))
    assert end["mac"] == g1.row("ports", end["host_path"])["mac"]
    shown = h1.ip("addr", "show", "dev", network.end).stdout
    assert f"{US}/24" in shown and f"{US6}/64" in shown
    # One answer to each question, whoever asks.
    capture = peer.capture(network.wire)
    for source, address in ((h1, PEER), (peer, US), (h1, PEER6), (peer, US6)):
        source.ip("neigh", "flush", "all")
        said = source.run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", address]).stdout
        assert "3 received" in said and "DUP" not in said
    capture.stop()
    asked = capture.count(f"arp.opcode == 1 && arp.dst.proto_ipv4 == {US}")
    assert 0 < capture.count(f"arp.opcode == 2 && arp.src.proto_ipv4 == {US}") <= asked
    streams = [traffic.UdpStream(network.c1, peer, INSIDE, per_second=300),
               traffic.UdpStream(h1, peer, PEER, per_second=300, port=40001),
               traffic.UdpStream(peer, h1, US, per_second=300, port=40002)]
    network.fetch()
    network.broadcast()
    for stream in streams:
        report = stream.stop()
        assert report["sent"] > 100 and report["duplicates"] == 0
        # Two TCPs at full rate fill the same queues, here and in the peer: some are lost, but the stream goes on.
        assert len(report["lost"]) <= report["sent"] // 10 and report["longest_gap_ms"] < 500, report
    end = g1.row("ports", network.end)
    assert end["rx_packets"] > 200 and end["tx_packets"] > 200
    assert g1.lost().keys() <= {"no_flood_target", "neighbor_unresolved", "host_limit", "tx_full"}, g1.lost()
    assert network.end not in g1.ctl_run("doctor", check=False).stdout


def test_the_hosts_own_addresses_are_followed(lab):
    network = Network(lab, "tap", addresses="host")
    g1, h1 = network.g1, network.h1
    assert g1.row("tunnels", "tun0")["local"] == "none"
    h1.ip("addr", "add", f"{US}/24", "dev", network.end)
    wait_until(lambda: g1.row("tunnels", "tun0")["local"] == US, 5, "the address is seen")
    network.meet()
    network.fetch()
    h1.ip("addr", "del", f"{US}/24", "dev", network.end)
    wait_until(lambda: g1.row("tunnels", "tun0")["local"] == "none", 5, "that it is gone is seen, too")


def test_a_changed_file_changes_the_hosts_end(lab):
    network = Network(lab)
    network.g1 = network.start()
    network.meet()

    def addresses():
        return {line.split()[1] for line in network.h1.ip("-4", "addr", "show", "dev", network.end).stdout.splitlines()
                if "inet " in line}

    network.h1.ip("addr", "add", "192.0.2.1/32", "dev", network.end)  # somebody else's
    network.g1.apply(config(addresses=["172.31.0.1/24", "172.31.0.11/24"]))
    assert addresses() == {f"{US}/24", "172.31.0.11/24", "192.0.2.1/32"}
    network.g1.apply(config(addresses=[f"{US}/24"]))
    assert addresses() == {f"{US}/24", "192.0.2.1/32"}
    network.peer.ip("link", "set", "eth0", "down")
    wait_until(lambda: network.carrier() == "0", 5, "no carrier without a link")
    network.peer.ip("link", "set", "eth0", "up")
    wait_until(lambda: network.carrier() == "1", 5, "a carrier with it")
    network.meet()
    network.g1.apply(config(path=False))
    assert network.end not in network.h1.interfaces()
    wait_until(lambda: traffic.ping(network.peer, US, count=1, check=False), 10, "the gateway answers itself")
    network.g1.apply(config(path={"interface": "mine"}))
    assert "mine" in network.h1.interfaces()


def rate_that_arrives(network, frame):
    """As many a second as a busy machine's worker takes of the kernel, which loses the others whatever they are."""
    for rate in (100_000, 50_000, 20_000, 5_000):
        before = network.g1.row("ports", "up0")
        with Blast(network.peer, "eth0", [frame], per_second=rate) as flood:
            wait_until(lambda: network.g1.row("ports", "up0")["rx_packets"] > before["rx_packets"] + rate // 4, 20, "it arrives")
            sent = flood.result()["sent"]
        if network.g1.row("ports", "up0")["rx_packets"] - before["rx_packets"] > sent * 95 // 100:
            break
    return rate


def test_a_flood_to_the_host_costs_tunnels_and_bgp_nothing(lab):
    network = Network(lab)
    network.g1 = network.start()
    network.meet()
    peer, g1 = network.peer, network.g1
    session = Session(network)
    stream = traffic.UdpStream(network.c1, peer, INSIDE, per_second=500)
    body = plain_frames.udp(9, 9, bytes(18))
    frame = plain_frames.ethernet(network.h1.mac(network.end), peer.mac("eth0"), 0x0800,
                                  plain_frames.ipv4(PEER, US, plain_frames.UDP, body))
    rate = rate_that_arrives(network, frame)
    before = g1.row("ports", network.end)["tx_packets"]
    with Blast(peer, "eth0", [frame], per_second=rate) as flood:
        session.goes_on(more=20)
        wait_until(lambda: g1.row("ports", network.end)["tx_packets"] > before + rate // 5, 30, "the flood gets there")
        session.goes_on(more=20)
        sent = flood.result()
    report = stream.stop()
    print(f"flood of {sent['per_second']:.0f} frames/s: {g1.drops().get('host_limit', 0)} died as host_limit; "
          f"of {report['sent']} datagrams through the tunnel {len(report['lost'])} lost")
    assert len(report["lost"]) <= report["sent"] // 20
    session.goes_on()
    if sent["per_second"] > 80_000:  # more than the path carries on any machine
        assert g1.drops().get("host_limit", 0) > 0 or g1.row("ports", "up0")["rx_drops"] > 0


def test_the_hosts_end_outlives_the_gateway(lab, systemd):
    network = Network(lab)

    def start():
        return network.start(by=systemd.by)

    network.g1 = start()
    wait_until(lambda: list(systemd.stored) == [network.end], 5, "the descriptor is stored")
    network.meet()
    session = Session(network)
    changes = network.carrier_changes()
    network.g1.stop()
    assert network.carrier() == "1" and network.end in network.h1.interfaces()
    network.g1 = start()
    session.goes_on()
    network.g1.process.child.send_signal(signal.SIGKILL)
    network.g1.process.wait(check=False)
    assert network.carrier() == "1"
    network.g1 = start()
    session.goes_on()
    network.g1.upgrade()
    session.goes_on()
    network.meet()
    assert network.carrier_changes() == changes
    assert network.g1.row("ports", network.end)["tx_packets"] > 0
    # What the file no longer wants is not kept.
    network.g1.apply(config(path=False))
    wait_until(lambda: not systemd.stored, 5, "the descriptor is given back")
    assert network.end not in network.h1.interfaces()
