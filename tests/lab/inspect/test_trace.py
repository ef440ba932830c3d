"""`causewayctl trace` of a running gateway: scapy's frames in hex, in a file, in words; and what is no frame."""

import json

from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, Raw, raw, wrpcap
from scapy.contrib.geneve import GENEVE

from tests.support.causeway import program
from tests.support.overlay import gateway
from tests.support.process import wait_until
from tests.support.traffic import PYTHON

HERE, THERE = "02:00:00:00:01:01", "02:00:00:00:01:02"
GATEWAY, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"


def one_gateway(lab):
    """h1's gateway, whose peer is a kernel that only answers ARP."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    h2.run(["ip", "link", "set", "up0", "address", PEER])
    h2.address("up0", "172.31.0.2/24")
    config = gateway(1, "geneve", {"lan1": {"tap": {}}, "lan2": {"tap": {}}})
    config["ethernets"]["up0"]["macaddress"] = GATEWAY
    config["bridges"]["br-int"]["static-macs"] = [{"mac": THERE, "port": "tun0"}]
    daemon = h1.causeway(config)
    wait_until(lambda: daemon.ctl("show", "tunnels")[0]["state"] == "up", 10, "the tunnel is up")
    return daemon


def padded(frame):
    return raw(frame).ljust(60, b"\0")


def stages(answer):
    return [stage["stage"] for stage in answer["stages"]]


def into_tunnel(answer):
    (frame,) = [frame for frame in answer["out"] if frame["port"] == "up0"]
    return bytes.fromhex(frame["bytes"])


def test_frames_in_hex_files_and_words(lab):
    daemon = one_gateway(lab)
    inner = Ether(src=HERE, dst=THERE) / IP(src="10.1.0.1", dst="10.1.0.2", flags="DF", id=0) / UDP(sport=40000, dport=53) / Raw(bytes(18))
    answer = daemon.ctl("trace", "-p", "lan1", "--hex", raw(inner).hex(":"))
    assert stages(answer) == ["rx", "flow", "learn", "fdb", "encap", "tx"]
    assert [frame["port"] for frame in answer["out"]] == ["up0"] and answer["drops"] == []
    outer = Ether(into_tunnel(answer))
    assert (outer.src, outer.dst, outer[IP].src, outer[IP].dst) == (GATEWAY, PEER, "172.31.0.1", "172.31.0.2")
    assert outer[GENEVE].vni == 123 and raw(outer[GENEVE].payload) == raw(inner)

    # In words: the bytes are scapy's.
    words = f"src={HERE},dst={THERE},ip-src=10.1.0.1,ip-dst=10.1.0.2,dport=53,bytes=60"
    assert daemon.ctl("trace", "-p", "lan1", "--flow", words)["out"] == answer["out"]
    six = dict(src="fd00:1::1", dst="fd00:1::2")
    for words, frame in (
            ("vlan=5,ip-src=10.1.0.1,ip-dst=10.1.0.2,proto=tcp,sport=1,dport=443,ttl=9,tos=184",
             Dot1Q(vlan=5) / IP(src="10.1.0.1", dst="10.1.0.2", flags="DF", id=0, ttl=9, tos=184) / TCP(sport=1, dport=443, window=65535)),
            ("ip-src=10.1.0.1,ip-dst=10.1.0.2,proto=icmp,bytes=99",
             IP(src="10.1.0.1", dst="10.1.0.2", flags="DF", id=0) / ICMP() / Raw(bytes(57))),
            ("ip-src=fd00:1::1,ip-dst=fd00:1::2,sport=7,dport=8,bytes=101", IPv6(**six) / UDP(sport=7, dport=8) / Raw(bytes(39))),
            ("ip-src=fd00:1::1,ip-dst=fd00:1::2,proto=icmp", IPv6(**six) / ICMPv6EchoRequest()),
            ("arp=10.1.0.2,ip-src=10.1.0.1", ARP(hwsrc=HERE, psrc="10.1.0.1", pdst="10.1.0.2"))):
        frame = Ether(src=HERE, dst=THERE) / frame
        told = daemon.ctl("trace", "-p", "lan1", "--flow", f"src={HERE},dst={THERE},{words}")
        assert into_tunnel(told)[50:].hex() == padded(frame).hex(), words

    # From a file: of the second frame nobody knows the VNI.
    stranger = (Ether(src=PEER, dst=GATEWAY) / IP(src="172.31.0.2", dst="172.31.0.1") / UDP(sport=5555, dport=6081, chksum=0)
                / GENEVE(vni=999) / inner)
    file = lab.path("frames.pcap")
    wrpcap(file, [inner, stranger])
    died = daemon.ctl("trace", "-p", "up0", "--pcap", file, "-n", "2")
    assert stages(died) == ["rx", "drop", "cure"] and died["out"] == [] and died["flow"] is None
    assert [drop["reason"] for drop in died["drops"]] == ["unknown_vni"]
    text = daemon.ctl_run("trace", "-p", "up0", "--pcap", file, "-n", "2").stdout
    assert "unknown_vni: no tunnel with this VNI or key" in text and "must be equal" in text
    text = daemon.ctl_run("trace", "-p", "lan1", "--pcap", file, "--bytes").stdout
    assert "tun0 (172.31.0.2), VNI 123: 50 bytes of outer headers put on" in text
    assert "out of up0:\n000000 02 00 00 00 00 02 02 00 00 00 00 01 08 00" in text

    # Nothing of it has happened.
    assert daemon.drops().get("unknown_vni", 0) == 0
    assert [row["mac"] for row in daemon.ctl("show", "fdb") if row["mac"] in (HERE, THERE)] == [THERE]
    assert daemon.ctl("show", "tunnels")[0]["tx_packets"] == 0

    def refused(*arguments):
        done = daemon.ctl_run("trace", *arguments, check=False)
        assert done.returncode != 0 and done.stdout == ""
        return done.stderr

    assert "'g' is no hex digit" in refused("-p", "lan1", "--hex", "0g")
    assert "3 digits: two a byte are wanted" in refused("-p", "lan1", "--hex", "012")
    assert "a frame is wanted" in refused("-p", "lan1")
    assert "no such port: lan3; did you mean" in refused("-p", "lan3", "--hex", "00")
    assert "frames.pcap: has 2 frames, not 3" in refused("-p", "lan1", "--pcap", file, "-n", "3")
    assert "No such file" in refused("-p", "lan1", "--pcap", "/nonexistent.pcap")
    assert "dst: is missing" in refused("-p", "lan1", "--flow", f"src={HERE}")
    assert "unknown key 'vlam'; did you mean 'vlan'?" in refused("-p", "lan1", "--flow", "vlam=5")
    assert "vlan: '4095' is not a number from 0 to 4094" in refused("-p", "lan1", "--flow", f"src={HERE},dst={THERE},vlan=4095")
    assert "different IP versions" in refused("-p", "lan1", "--flow", f"src={HERE},dst={THERE},ip-src=10.0.0.1,ip-dst=fd00::1")
    assert "proto: udp, tcp or icmp" in refused("-p", "lan1", "--flow", f"src={HERE},dst={THERE},ip-src=10.0.0.1,ip-dst=10.0.0.2,proto=x")


SEND = ("import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0)); "
        "s.send(bytes.fromhex(sys.argv[2]))")


def test_the_next_frames_that_really_come_in(lab):
    daemon = one_gateway(lab)
    frame = padded(Ether(src=HERE, dst=THERE) / IP(src="10.1.0.1", dst="10.1.0.2") / UDP(sport=40000, dport=53))

    def traced(*arguments):
        """What is said of three frames of lan1; what its kernel sends by itself may be among them."""
        live = daemon.host.spawn([program("causewayctl"), "--socket", daemon.socket, *arguments, "trace", "--live", "lan1", "-c", 3])

        def sent_and_done():
            daemon.host.run([PYTHON, "-c", SEND, "lan1", frame.hex()], quiet=True)
            return live.poll() is not None
        wait_until(sent_and_done, 30, "three frames have come", interval=0.1)
        assert live.poll() == 0, live.output()
        return live.output()

    answers = [json.loads(line) for line in traced("--json").splitlines()]
    assert len(answers) == 3 and {answer["port"] for answer in answers} == {"lan1"}
    expected = daemon.ctl("trace", "-p", "lan1", "--hex", frame.hex())
    ours = [answer for answer in answers if answer["flow"] and answer["flow"]["source"] == HERE]
    assert ours and into_tunnel(expected)[50:] == frame
    for answer in ours:
        assert (answer["bytes"], answer["out"]) == (60, expected["out"])
    pieces = traced().split("\n\n")
    assert len(pieces) == 3 and all(piece.startswith("rx      lan1: ") for piece in pieces)
    assert any("encap   tun0 (172.31.0.2), VNI 123" in piece for piece in pieces)
    for arguments, why in ((("--live", "lan7"), "lan7"), (("--live", "lan1", "-p", "lan1"), "excludes"), (("-c", "2", "-p", "lan1"), "--live"),
                           (("--hex", "00"), "a port is wanted")):
        done = daemon.ctl_run("trace", *arguments, check=False)
        assert done.returncode != 0 and why in done.stderr, done


# SOL_PACKET, PACKET_VNET_HDR; then a virtio_net_hdr in front: a checksum is wanted, and to be cut (linux/virtio_net.h).
SEND_SUPER = ("import socket, struct, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.setsockopt(263, 15, 1); "
              "s.bind((sys.argv[1], 0)); s.send(struct.pack('=BBHHHH', 1, *map(int, sys.argv[3:]), 16) + open(sys.argv[2], 'rb').read())")
GSO_TCP4, GSO_TCP6 = 1, 4


def test_super_packets_that_really_come_in(lab):
    daemon = one_gateway(lab)
    file = lab.path("frame")

    def live(frame, gso, l4, *arguments):
        """What is said of three frames of lan1, this one among them; as one text, or of JSON what begins with it."""
        with open(file, "wb") as opened:
            opened.write(frame)
        asked = daemon.host.spawn([program("causewayctl"), "--socket", daemon.socket, *arguments, "trace", "--live", "lan1", "-c", 3])

        def sent_and_done():
            daemon.host.run([PYTHON, "-c", SEND_SUPER, "lan1", file, gso, l4 + 32, 1398 - 52, l4], quiet=True)
            return asked.poll() is not None
        wait_until(sent_and_done, 30, "three frames have come", interval=0.1)
        assert asked.poll() == 0, asked.output()
        return asked.output()

    def answer(*of):
        answers = [json.loads(line) for line in live(*of, "--json").splitlines()]
        assert len(answers) == 3
        return next(answer for answer in answers if stages(answer)[:1] == ["live"])

    payload = bytes(range(256)) * 256
    options = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
    for network, gso, l3_bytes, most in ((IP(src="10.1.0.1", dst="10.1.0.2", flags="DF", id=7), GSO_TCP4, 20, 65535 - 66),
                                         (IPv6(src="fd00:1::1", dst="fd00:1::2"), GSO_TCP6, 40, 20000)):
        def frame(flags, count):
            return raw(Ether(src=HERE, dst=THERE) / network / TCP(sport=1, dport=2, seq=9, ack=3, flags=flags, options=options) / Raw(payload[:count]))
        whole = frame("FPA", most)
        told = answer(whole, gso, 14 + l3_bytes)
        assert told["stages"][0]["text"].startswith(f"super-packet of {len(whole)} bytes: traced as its first segment, shortened to 590 bytes")
        assert (stages(told)[1], stages(told)[-1], told["drops"]) == ("rx", "tx", [])
        assert into_tunnel(told)[50:].hex() == frame("A", 576 - l3_bytes - 32).hex()

    strange = raw(Ether(src=HERE, dst=THERE) / IPv6(src="fd00:1::1", dst="fd00:1::2") / IPv6ExtHdrDestOpt()
                  / TCP(sport=1, dport=2, options=options) / Raw(payload[:20000]))
    told = answer(strange, GSO_TCP6, 14 + 40 + 8)
    said = f"super-packet of {len(strange)} bytes: not traced, as it isn't plain TCP"
    assert (told["stages"], told["out"], told["drops"]) == ([{"stage": "live", "text": said}], [], [])
    assert f"live    {said}\n" in live(strange, GSO_TCP6, 14 + 40 + 8)
