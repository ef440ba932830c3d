"""Mirrors of a running gateway: what tcpdump behind their outputs has, beside what the container has, byte for byte."""

import signal

import pytest
from scapy.all import ARP, ICMP, TCP, Dot1Q, Ether, rdpcap, raw

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

NEAR, FAR = "10.1.0.1", "10.1.0.2"
REQUEST, REPLY = 8, 0


def echoes(capture, *types):
    """The bytes of the ICMP echoes of these types, in order."""
    return [raw(frame) for frame in rdpcap(capture.file) if ICMP in frame and frame[ICMP].type in types]


class Mirrored:
    """Two gateways, GENEVE between them. The first one has a port to a probe, and tunnels to an analyser."""

    def __init__(self, lab):
        self.lab = lab
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        self.probe, self.analyser = lab.host("probe"), lab.host("analyser")
        lab.link(self.h1, "probe0", self.probe, "eth0")
        lab.link(self.h1, "up1", self.analyser, "up1", mtu=1600)
        self.analyser.address("up1", "172.33.0.2/24")
        self.g1 = self.h1.causeway(self.config({}))
        self.g2 = self.h2.causeway(gateway(2, "geneve"))
        wait_until(lambda: {row["state"] for row in self.g1.ctl("show", "tunnels")} == {"up"}, 20, "the tunnels are up")
        traffic.ping(self.c1, FAR, count=2)  # then both are known, and nothing is flooded

    def config(self, mirrors):
        config = gateway(1, "geneve")
        config["ethernets"] |= {"probe0": {}, "up1": {"addresses": ["172.33.0.1/24"], "mtu": 1600}}
        ends = {"local": "172.33.0.1", "remote": "172.33.0.2"}
        config["tunnels"] |= {"vx7": {"mode": "vxlan", "id": 700, **ends}, "gre9": {"mode": "gretap", "key": 9, **ends},
                              "er2": {"mode": "erspan", "id": 500, "erspan-index": 7, **ends},
                              "er1": {"mode": "erspan", "erspan-type": 1, **ends}}
        return {**config, "mirrors": mirrors}

    def mirror(self, **mirrors):
        self.g1.apply(self.config(mirrors))

    def row(self, name="m"):
        return self.g1.row("mirrors", name)


@pytest.fixture
def mirrored(lab):
    return Mirrored(lab)


def test_a_port_to_a_port(mirrored):
    mirrored.mirror(m={"select-src-port": ["c1"], "select-dst-port": ["c1"], "output-port": "probe0"})
    near, probe = mirrored.c1.capture("eth0"), mirrored.probe.capture("eth0")
    traffic.ping(mirrored.c1, FAR, count=5)
    wait_until(lambda: mirrored.row()["copies"] >= 10, 20, "all pings are copied")
    for capture in (near, probe):
        capture.stop()
    assert echoes(probe, REQUEST, REPLY) == echoes(near, REQUEST, REPLY)
    assert len(echoes(probe, REQUEST, REPLY)) == 10 and probe.broken() == []
    assert mirrored.row()["lost"] == 0 and mirrored.g1.lost() == {}

    # What comes in by the output port is nobody's: the probe isn't in the bridge.
    mirrored.probe.address("eth0", "10.1.0.9/24")
    near = mirrored.c1.capture("eth0")
    assert traffic.ping(mirrored.probe, NEAR, count=1, check=False) == 0
    assert mirrored.g1.drops()["port_unassigned"] > 0
    assert near.stop().count("arp.src.proto_ipv4 == 10.1.0.9") == 0


def test_whole_downloads(mirrored):
    """Large frames of the container's kernel: the copies carry each byte of the file, too."""
    size_bytes = 3 << 20
    mirrored.mirror(m={"select-src-port": ["c1"], "output-port": "probe0"})
    probe = mirrored.probe.capture("eth0", filter="tcp src port 8000")
    fetched = traffic.fetch(mirrored.c2, mirrored.c1, NEAR, size_bytes)
    assert fetched["sent"] == fetched["received"]
    probe.stop()
    row = mirrored.row()
    assert row["lost"] == 0 and row["selected"] == row["copies"]
    # Sequence numbers of the segments with data; again sent ones lie within.
    segments = [frame[TCP] for frame in rdpcap(probe.file)]
    (first,) = {segment.seq for segment in segments if "S" in segment.flags}
    reached = 0
    for begin, end in sorted((at := (segment.seq - first - 1) % 2**32, at + len(segment.payload))
                             for segment in segments if segment.payload):
        assert begin <= reached, "bytes are missing"
        reached = max(reached, end)
    assert reached > size_bytes


def test_a_tunnel_into_tunnels(mirrored):
    """Copies of inner frames, each way into another tunnel; the kernel decodes one of these, tshark the other."""
    analyser = mirrored.analyser
    analyser.ip("link", "add", "vx0", "type", "vxlan", "id", 700, "local", "172.33.0.2", "remote", "172.33.0.1", "dstport", 4789,
                "dev", "up1")
    analyser.ip("link", "set", "vx0", "up")
    mirrored.mirror(into={"select-src-port": ["tun0"], "output-port": "vx7"},
                    out={"select-dst-port": ["tun0"], "output-port": "gre9"})
    near, decoded, wire = mirrored.c1.capture("eth0"), analyser.capture("vx0"), analyser.capture("up1", filter="src 172.33.0.1")
    traffic.ping(mirrored.c1, FAR, count=5)
    wait_until(lambda: all(mirrored.row(name)["copies"] >= 5 for name in ("into", "out")), 20, "all pings are copied")
    for capture in (near, decoded, wire):
        capture.stop()
    assert echoes(decoded, REQUEST, REPLY) == echoes(near, REPLY) and len(echoes(near, REPLY)) == 5
    rows = wire.frames("gre && icmp", ["gre.proto", "gre.key", "ip.src", "icmp.type", "icmp.seq"])
    sent = near.frames(f"icmp.type == {REQUEST}", ["icmp.seq"])
    assert [row["icmp.seq"] for row in rows] == [row["icmp.seq"] for row in sent]
    for row in rows:
        assert row["ip.src"] == ["172.33.0.1", NEAR] and row["icmp.type"] == [str(REQUEST)]
        assert int(row["gre.proto"][0], 0) == 0x6558 and int(row["gre.key"][0], 0) == 9
    assert wire.broken() == []
    assert mirrored.row("into")["lost"] == mirrored.row("out")["lost"] == 0
    assert mirrored.g1.lost() == {}


ERSPAN = ["gre.proto", "gre.flags_and_version", "gre.sequence_number", "erspan.version", "erspan.vlan", "erspan.cos", "erspan.encap",
          "erspan.truncated", "erspan.spanid", "erspan.index", "vlan.id", "icmp.seq", "tcp.seq", "tcp.len", "frame.len"]


SEND = "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); s.send(bytes.fromhex(sys.argv[1]))"


def flag(value):
    """A boolean of tshark's, whatever it calls it."""
    return value in ("1", "True")


def test_erspan(mirrored):
    """tshark has what the container has, with a session, a number and its VLAN in front; type I has the frame alone."""
    c1 = mirrored.c1
    near, wire = c1.capture("eth0"), mirrored.analyser.capture("up1", filter="src 172.33.0.1 and proto gre")
    mirrored.mirror(two={"select-src-port": ["c1"], "select-dst-port": ["c1"], "output-port": "er2"},
                    one={"select-src-port": ["c1"], "output-port": "er1"})
    traffic.ping(c1, FAR, count=5)
    tagged = Ether(src=c1.mac("eth0"), dst="ff:ff:ff:ff:ff:ff") / Dot1Q(vlan=30, prio=4) / ARP(pdst="10.3.0.9")
    c1.run(["/usr/bin/python3", "-c", SEND, raw(tagged).hex()])
    traffic.ping(c1, FAR, count=1)
    for name, count in (("two", 13), ("one", 7)):
        wait_until(lambda: mirrored.row(name)["copies"] >= count, 20, "all pings are copied")
        assert mirrored.row(name)["lost"] == 0
    for capture in (near, wire):
        capture.stop()
    rows = wire.frames("erspan", ERSPAN)
    two = [row for row in rows if row["erspan.version"]]
    assert [int(row["gre.sequence_number"][0]) for row in two] == list(range(len(two)))
    for row in two:
        assert int(row["gre.proto"][0], 0) == 0x88be and int(row["erspan.version"][0], 0) == 1
        assert (int(row["erspan.spanid"][0]), int(row["erspan.index"][0], 0)) == (500, 7)
        tagged = row["vlan.id"] == ["30"]
        assert (int(row["erspan.vlan"][0]), int(row["erspan.cos"][0]), int(row["erspan.encap"][0])) == ((30, 4, 3) if tagged else (0, 0, 0))
        assert not flag(row["erspan.truncated"][0])
    assert any(row["vlan.id"] == ["30"] for row in two)
    assert len([row for row in two if row["icmp.seq"]]) == 12 and wire.broken() == []
    one = [raw(frame)[38:] for frame in rdpcap(wire.file) if raw(frame)[34:38] == bytes.fromhex("000088be")]
    sent = [raw(frame) for frame in rdpcap(near.file)]
    assert [frame for frame in one if frame[12:14] == b"\x08\x00"] == [
        frame for frame in sent if frame[12:14] == b"\x08\x00" and frame[26:30] == bytes([10, 1, 0, 1])]
    assert mirrored.g1.lost() == {}


def test_erspan_of_large_frames(mirrored):
    """Super-packets become segments; what is longer than the way to the analyser loses its end, and the header says so."""
    mirrored.mirror(two={"select-src-port": ["c1"], "output-port": "er2"})
    for host in (mirrored.h1, mirrored.analyser):
        host.ip("link", "set", "up1", "mtu", 1400)
    wait_until(lambda: mirrored.g1.row("tunnels", "er2")["mtu"] == 1400 - 50, 20, "the tunnel is narrower")
    wire = mirrored.analyser.capture("up1", filter="src 172.33.0.1 and proto gre")
    fetched = traffic.fetch(mirrored.c2, mirrored.c1, NEAR, 1 << 20)
    assert fetched["sent"] == fetched["received"]
    wire.stop()
    row = mirrored.row("two")
    assert row["lost"] == 0 and row["selected"] == row["copies"]
    rows = wire.frames("erspan && tcp", ERSPAN)
    # 1,450 bytes of IP packet in the container, 1,350 here.
    cut = [row for row in rows if flag(row["erspan.truncated"][0])]
    assert len(cut) > 500 and all(int(row["frame.len"][0]) == 14 + 1400 for row in cut)
    assert all(int(row["frame.len"][0]) <= 14 + 1400 for row in rows)
    assert [int(row["gre.sequence_number"][0]) for row in rows] == sorted(int(row["gre.sequence_number"][0]) for row in rows)
    assert mirrored.g1.lost() == {}


def test_an_output_that_is_down_or_too_narrow(mirrored):
    mirrored.probe.ip("link", "set", "eth0", "mtu", 1000)
    mirrored.h1.ip("link", "set", "probe0", "mtu", 1000)
    mirrored.mirror(m={"select-src-port": ["c1"], "output-port": "probe0"})
    traffic.ping(mirrored.c1, FAR, count=3, payload_bytes=1200)
    wait_until(lambda: mirrored.row()["lost"] >= 3, 20, "copies don't fit")
    assert mirrored.g1.lost().get("too_big", 0) >= 3

    mirrored.probe.ip("link", "set", "eth0", "down")
    wait_until(lambda: mirrored.g1.row("ports", "probe0")["state"] != "up", 20, "the port is down")
    before = mirrored.row()
    traffic.ping(mirrored.c1, FAR, count=3)
    wait_until(lambda: mirrored.row()["lost"] >= before["lost"] + 3, 20, "copies are lost")
    assert mirrored.row()["copies"] == before["copies"]

    mirrored.probe.ip("link", "set", "eth0", "up")
    wait_until(lambda: mirrored.g1.row("ports", "probe0")["state"] == "up", 20, "the port is up")
    traffic.ping(mirrored.c1, FAR, count=3)
    wait_until(lambda: mirrored.row()["copies"] >= before["copies"] + 3, 20, "copies are sent again")


def test_changes_under_traffic(mirrored):
    ping = mirrored.c1.spawn(["ping", "-n", "-i", 0.05, FAR], title="ping")
    ping.wait_for("bytes from")
    one = {"select-src-port": ["c1"], "output-port": "probe0"}
    for mirrors in ({"m": one}, {"m": {**one, "output-port": "vx7"}}, {"n": {"select-all": True, "output-port": "probe0"}},
                    {"n": {"select-all": True, "select-vlan": [0], "output-port": "gre9"}, "m": one}):
        mirrored.mirror(**mirrors)
        for name in mirrors:
            before = mirrored.row(name)["copies"]
            wait_until(lambda: mirrored.row(name)["copies"] > before, 20, "frames are copied")
    mirrored.mirror()
    assert mirrored.g1.ctl("show", "mirrors") == []
    ping.stop(signal.SIGINT)
    lost, sent = traffic.unanswered(ping.output())
    assert sent > 0 and lost == 0
    assert mirrored.g1.lost() == {}
