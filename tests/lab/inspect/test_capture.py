"""`causewayctl capture` of a running gateway: what tshark and capinfos make of its files."""

import os
import signal
import subprocess

import pytest

from tests.support import capture, traffic
from tests.support.causeway import program
from tests.support.overlay import Overlay
from tests.support.process import run, wait_until

FIELDS = ["frame.interface_name", "frame.packet_flags_direction", "frame.comment", "frame.len", "frame.cap_len",
          "ip.src", "udp.dstport", "icmp.type"]
IN, OUT = "1", "2"


class Looking:
    """causewayctl capture in the background, from the moment frames are looked at."""

    def __init__(self, gateway, *arguments):
        lab = gateway.host.lab
        self.file = lab.path(f"capture-{next(lab.log_numbers)}.pcapng")
        self.process = gateway.host.spawn([program("causewayctl"), "--socket", gateway.socket, "capture", "-w", self.file,
                                           *arguments], title="causewayctl-capture")
        self.process.wait_for("capturing until")

    def stop(self, filter=None):
        """The frames of the file, which ends as it should."""
        assert self.process.stop(signal.SIGINT) == 0, self.process.tail()
        return self.frames(filter)

    def wait(self):
        self.process.wait()
        return self.frames()

    def frames(self, filter=None):
        rows = capture.frames(self.file, filter, FIELDS)
        return [{field: values[0] if values else "" for field, values in row.items()} for row in rows]

    def statistics(self):
        """interface -> {received, dropped, accepted, delivered}, from the statistics blocks, as capinfos and we read them."""
        return statistics_of(self.file)


def statistics_of(file):
    """interface name -> its statistics block's numbers, block by block as the draft has them."""
    with open(file, "rb") as opened:
        data = opened.read()
    names, found, at = [], {}, 0
    while at < len(data):
        kind, length = (int.from_bytes(data[at + i:at + i + 4], "little") for i in (0, 4))
        block = data[at + 8:at + length - 4]
        assert data[at + length - 4:at + length] == data[at + 4:at + 8]
        if kind == 1:
            names.append(options(block[8:])[2].decode())
        if kind == 5:
            numbers = options(block[12:])
            found[names[int.from_bytes(block[:4], "little")]] = {
                name: int.from_bytes(numbers[code], "little")
                for name, code in (("received", 4), ("dropped", 5), ("accepted", 6), ("delivered", 8))}
        at += length
    return found


def options(data):
    found, at = {}, 0
    while at < len(data):
        code, length = (int.from_bytes(data[at + i:at + i + 2], "little") for i in (0, 2))
        if code == 0:
            break
        found[code] = data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found


def ways(frames):
    """Of the echo requests and answers: where each was seen, in which direction."""
    return {(frame["frame.interface_name"], frame["frame.packet_flags_direction"], frame["ip.src"]) for frame in frames}


def as_number(text):
    return str(int(text, 0)) if text else ""


@pytest.fixture
def overlay(lab):
    overlay = Overlay(lab)
    traffic.ping(overlay.c1, "10.1.0.2", count=2)
    return overlay


def test_ports_and_directions(overlay):
    everything = Looking(overlay.g1, "-f", "icmp or udp port 6081")
    one = Looking(overlay.g1, "-p", "c1", "--in")
    traffic.ping(overlay.c1, "10.1.0.2", count=3)
    frames = everything.stop("icmp")
    for frame in frames:
        frame["frame.packet_flags_direction"] = as_number(frame["frame.packet_flags_direction"])
    assert ways(frames) == {("c1", IN, "10.1.0.1"), ("up0", OUT, "172.31.0.1"), ("up0", IN, "172.31.0.2"),
                            ("c1", OUT, "10.1.0.2")}
    assert len(frames) == 4 * 3
    assert all(frame["frame.comment"].startswith("worker=0") for frame in frames)
    seen = one.stop("icmp")
    assert [frame["ip.src"] for frame in seen] == ["10.1.0.1"] * 3
    info = run(["capinfos", "-M", everything.file]).stdout
    assert "Number of interfaces in file: 2" in info and "nanoseconds (9)" in info
    all_of = [frame["frame.interface_name"] for frame in everything.frames()]
    for name, row in everything.statistics().items():
        assert row["dropped"] == 0 and row["received"] >= row["accepted"] == row["delivered"] == all_of.count(name) >= 6
    assert capture.broken_frames(one.file) == []


def test_before_and_behind_the_outer_headers(overlay):
    inner = Looking(overlay.g1, "-t", "tun0", "-f", "icmp")
    outer = Looking(overlay.g1, "-t", "tun0", "--outer")
    traffic.ping(overlay.c1, "10.1.0.2", count=3)
    bare, wrapped = inner.stop(), outer.stop("icmp")
    assert len(bare) == len(wrapped) == 6
    assert {frame["ip.src"] for frame in bare} == {"10.1.0.1", "10.1.0.2"}
    assert {frame["frame.comment"] for frame in bare} == {"worker=0 tunnel=tun0 vtep=172.31.0.2 headers=inner"}
    assert {frame["ip.src"] for frame in wrapped} == {"172.31.0.1", "172.31.0.2"}
    assert {frame["frame.comment"] for frame in wrapped} == {"worker=0 tunnel=tun0 vtep=172.31.0.2 headers=outer"}
    assert int(wrapped[0]["frame.len"]) == int(bare[0]["frame.len"]) + 50
    assert capture.broken_frames(outer.file) == []


def test_drops_say_why(overlay):
    any_reason = Looking(overlay.g1, "--drops")
    other = Looking(overlay.g1, "--drops", "ip_checksum")
    before = overlay.g1.drops().get("unknown_vni", 0)
    # Gateway 2 speaks of another VNI now; a client's own chatter may be the first to do so.
    changed = overlay.g2.config
    changed["tunnels"]["tun0"]["id"] = 124
    overlay.g2.apply(changed)
    traffic.ping(overlay.c2, "10.1.0.1", count=3, check=False)
    least = overlay.g1.drops()["unknown_vni"] - before
    frames = [frame for frame in any_reason.stop() if "drop=unknown_vni" in frame["frame.comment"]]
    assert 3 <= least <= len(frames) <= overlay.g1.drops()["unknown_vni"] - before
    assert {frame["udp.dstport"] for frame in frames} == {"6081"}
    assert {frame["frame.interface_name"] for frame in frames} == {"up0"}
    assert other.stop() == []


def test_count_and_snaplen(overlay):
    five = Looking(overlay.g1, "-c", "5", "-s", "60", "-f", "icmp")
    traffic.ping(overlay.c1, "10.1.0.2", count=10)
    frames = five.wait()
    assert len(frames) == 5
    assert {frame["frame.cap_len"] for frame in frames} == {"60"}
    assert all(int(frame["frame.len"]) > 60 for frame in frames)
    assert "5 frames captured" in five.process.output()


def test_into_a_pipe_and_as_lines(overlay):
    command = f"{program('causewayctl')} --socket {overlay.g1.socket} capture -c 4 -f icmp"
    piped = subprocess.Popen(["sh", "-c", f"{command} -p c1 -w - | tshark -n -r - -T fields -e icmp.type"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = subprocess.Popen(["sh", "-c", f"{command} -p c1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: overlay.g1.log(200).count("capture: begun") == 2, 20, "both captures run")
    traffic.ping(overlay.c1, "10.1.0.2", count=4)
    assert sorted(piped.communicate(timeout=30)[0].split()) == ["0", "0", "8", "8"]
    said = lines.communicate(timeout=30)[0].splitlines()
    assert len(said) == 4 and all("ICMP echo" in line and "10.1.0.1" in line for line in said)


def test_what_cannot_be_captured_is_said(overlay):
    def refusal(*arguments):
        done = overlay.g1.ctl_run("capture", *arguments, check=False)
        return done.returncode, done.stderr.strip()

    assert refusal("-p", "c9") == (1, "no such port: c9; did you mean 'c1'?")
    assert refusal("-t", "tun1") == (1, "no such tunnel: tun1; did you mean 'tun0'?")
    code, said = refusal("-f", "udp prot 5")
    assert code == 2 and "syntax error" in said
    assert refusal("--in", "--out")[0] == 2
    code, said = refusal("-w", "/nonexistent/file")
    assert code == 1 and "cannot be written" in said
    # None of them is left behind.
    wait_until(lambda: overlay.g1.log(200).count("capture: begun") == overlay.g1.log(200).count("capture: ended"), 10,
               "all captures have ended")


FRAMES = 200_000


def test_at_full_load_every_frame_is_kept_or_counted(lab):
    """A generator that is fast, and a client that doesn't read for a while: capture loses frames, forwarding doesn't."""
    config = {
        "version": 1, "system": {"hugepages": "off"},
        "ethernets": {"up0": {"generator": {"flows": 0}, "mtu": 1600, "addresses": ["172.31.0.1/24"],
                              "neighbors": [{"to": "172.31.0.2", "macaddress": "02:00:00:00:00:02"}]}},
        "tunnels": {"gnv0": {"mode": "geneve", "id": 123, "local": "172.31.0.1", "remote": "172.31.0.2"}},
        "bridges": {"br0": {"interfaces": ["gnv0"]}}}
    gateway = lab.host("h1").causeway(config)
    looking = Looking(gateway, "-s", "128", "-f", "udp")
    config["ethernets"]["gen0"] = {"generator": {"flows": 100, "limit": FRAMES, "rate": 100_000,
                                                 "destination-mac": "02:02:00:00:00:00"}}
    config["bridges"]["br0"] = {"interfaces": ["gen0", "gnv0"],
                                "static-macs": [{"mac": "02:02:00:00:00:00", "port": "gnv0"}]}
    os.kill(looking.process.pid, signal.SIGSTOP)
    gateway.apply(config)
    received = wait_until(lambda: settled(gateway), 60, "the generator has done")
    os.kill(looking.process.pid, signal.SIGCONT)
    assert looking.process.stop(signal.SIGINT, timeout=30) == 0, looking.process.tail()
    statistics = looking.statistics()
    assert gateway.lost() == {}
    for row in statistics.values():
        assert row["delivered"] + row["dropped"] == row["accepted"]
        assert row["accepted"] == received
    assert sum(row["dropped"] for row in statistics.values()) > 0
    kept = int(run(["capinfos", "-c", "-M", "-T", "-r", looking.file]).stdout.split()[-1])
    assert kept == sum(row["delivered"] for row in statistics.values())


def settled(gateway):
    """How many frames have come, once no more do; None: not yet."""
    first, again = (gateway.row("ports", "gen0")["rx_packets"] for _ in range(2))
    return first if first == again and first > FRAMES / 10 else None
