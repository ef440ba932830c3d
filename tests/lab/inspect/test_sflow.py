"""sFlow of a running gateway: what tshark and the specification make of its datagrams, and what stays whole beside them."""

import struct

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

COLLECTOR = "192.0.2.2"
AGENT = "192.0.2.1"
# Of tshark's dissector; of the tunnels' structures it knows no names (Wireshark 4.0), so these are read below.
FIELDS = ["sflow_245.version", "sflow_245.agent", "sflow_245.sequence_number", "sflow_245.sampletype",
          "sflow.flow_sample.sampling_rate", "icmp.type", "sflow_245.ifindex", "sflow_245.ifinpkt"]
PAYLOAD_BYTES = 60  # of the pings that count
INNER_BYTES = 14 + 20 + 8 + PAYLOAD_BYTES


class Sampled:
    """Two gateways, GENEVE between them; the first one tells a collector, on a link of the host's own."""

    def __init__(self, lab):
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        self.collector = lab.host("collector")
        lab.link(self.h1, "mgmt0", self.collector, "eth0")
        self.h1.address("mgmt0", f"{AGENT}/24")
        self.collector.address("eth0", f"{COLLECTOR}/24")
        self.config = {**gateway(1, "geneve"), "sflow": {"targets": [COLLECTOR], "sampling": 1, "polling": 1}}
        self.capture = self.collector.capture("eth0", filter="udp port 6343")
        self.g1 = self.h1.causeway(self.config)
        self.g2 = self.h2.causeway(gateway(2, "geneve"))

    def counts(self):
        return self.g1.ctl("show", "control")["sflow"]

    def ifindex(self, interface):
        return int(self.h1.run(["cat", f"/sys/class/net/{interface}/ifindex"], quiet=True).stdout)

    def datagrams(self):
        """The UDP payloads that came, from the first on."""
        rows = self.capture.frames("udp.dstport == 6343", ["udp.payload"], options=["--disable-protocol", "sflow"])
        return [bytes.fromhex(row["udp.payload"][0]) for row in rows]


@pytest.fixture
def sampled(lab):
    return Sampled(lab)


class Xdr:
    """RFC 4506."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        assert len(piece) == count, "ends too soon"
        self.at += count
        return piece

    def words(self, count):
        return struct.unpack(f">{count}I", self.take(4 * count))

    def word(self):
        return self.words(1)[0]

    def opaque(self):
        length = self.word()
        data = self.take(length)
        self.take(-length % 4)
        return data

    def structures(self):
        """data format -> bytes"""
        return dict((self.word(), self.opaque()) for _ in range(self.word()))


def samples(datagrams):
    """(format, words in front of the structures, structures) of each sample."""
    for datagram in datagrams:
        data = Xdr(datagram)
        assert data.words(2) == (5, 1)
        assert data.take(4) == bytes(map(int, AGENT.split(".")))
        data.words(3)
        for _ in range(data.word()):
            kind, sample = data.word(), Xdr(data.opaque())
            yield kind, sample.words(7 if kind == 1 else 2), sample.structures()
        assert data.at == len(datagram)


def ipv4_tunnel(structure):
    """sampled_ipv4 of sflow_tunnels.txt: (length, protocol, source, destination, destination port)"""
    length, protocol = struct.unpack(">II", structure[:8])
    source, destination = (".".join(map(str, structure[at:at + 4])) for at in (8, 12))
    _, port, _, _ = struct.unpack(">IIII", structure[16:])
    return length, protocol, source, destination, port


def test_samples_and_counters(sampled):
    traffic.ping(sampled.c1, "10.1.0.2", count=2)  # then both are known, and nothing is flooded
    traffic.ping(sampled.c1, "10.1.0.2", count=5, payload_bytes=PAYLOAD_BYTES)
    wait_until(lambda: sampled.counts()["samples"] >= 14, 20, "all pings are sampled")
    before = sampled.g1.row("ports", "c1")["rx_packets"]
    polled = sampled.counts()["datagrams"]
    wait_until(lambda: sampled.counts()["datagrams"] >= polled + 3, 20, "counters are told again")
    counts = sampled.counts()
    assert counts["lost"] == counts["unsent"] == 0
    sampled.capture.stop()
    assert sampled.capture.count("_ws.malformed") == 0

    # tshark: each datagram, its samples, and the frames in them.
    rows = sampled.capture.frames("sflow_245.version", FIELDS)
    assert rows and all(row["sflow_245.version"] == ["5"] and row["sflow_245.agent"] == [AGENT] for row in rows)
    assert [int(row["sflow_245.sequence_number"][0]) for row in rows] == list(range(1, len(rows) + 1))
    kinds = [kind for row in rows for kind in row["sflow_245.sampletype"]]
    assert kinds.count("1") >= 14 and kinds.count("2") >= 4
    assert {rate for row in rows for rate in row["sflow.flow_sample.sampling_rate"]} == {"1"}
    echoes = [kind for row in rows for kind in row["icmp.type"]]
    assert echoes.count("8") == 7 and echoes.count("0") == 7
    assert {int(index) for row in rows for index in row["sflow_245.ifindex"]} == {sampled.ifindex("c1"),
                                                                              sampled.ifindex("up0")}
    assert max(int(packets) for row in rows for packets in row["sflow_245.ifinpkt"]) >= before

    # The tunnels' structures, by the specification.
    out, into = 0, 0
    for kind, words, structures in samples(sampled.datagrams()):
        if kind == 2:
            assert structures[1005][4:].rstrip(b"\0") in (b"c1", b"up0")
            continue
        header = Xdr(structures[1])
        protocol, frame_bytes, stripped = header.words(3)
        assert (protocol, stripped) == (1, 4)
        inner = header.opaque()
        if inner[12:14] != b"\x08\x00" or frame_bytes - 4 != INNER_BYTES:
            continue
        # IPv4, UDP, GENEVE, and the inner frame without FCS.
        outer = 20 + 8 + 8 + INNER_BYTES
        source, output = words[1], words[6]
        if inner[34] == 8:
            assert (source, output) == (sampled.ifindex("c1"), sampled.ifindex("up0"))
            assert ipv4_tunnel(structures[1023]) == (outer, 17, "172.31.0.1", "172.31.0.2", 6081)
            assert struct.unpack(">I", structures[1029]) == (123,)
            assert 1024 not in structures
            out += 1
        else:
            assert (source, output) == (sampled.ifindex("up0"), sampled.ifindex("c1"))
            assert ipv4_tunnel(structures[1024]) == (outer, 17, "172.31.0.2", "172.31.0.1", 6081)
            assert struct.unpack(">I", structures[1030]) == (123,)
            assert 1023 not in structures
            into += 1
    assert (out, into) == (5, 5)


def test_changes_and_a_collector_out_of_reach(sampled):
    traffic.ping(sampled.c1, "10.1.0.2", count=2)
    wait_until(lambda: sampled.counts()["samples"] >= 4, 20, "frames are sampled")
    # Nobody listens there, and nothing leads there: what passes isn't touched by it.
    sampled.g1.apply({**sampled.config, "sflow": {**sampled.config["sflow"], "targets": ["203.0.113.1"]}})
    traffic.ping(sampled.c1, "10.1.0.2", count=3)
    wait_until(lambda: sampled.counts()["unsent"] > 0, 20, "datagrams can't be sent")
    wrong = sampled.g1.apply({**sampled.config, "sflow": {"targets": [COLLECTOR], "sampling": 0}}, check=False)
    assert wrong.returncode != 0 and "sflow.sampling: 0 is out of range" in wrong.stderr
    sampled.g1.apply({key: value for key, value in sampled.config.items() if key != "sflow"})
    assert set(sampled.counts().values()) == {None}
    traffic.ping(sampled.c1, "10.1.0.2", count=1)
