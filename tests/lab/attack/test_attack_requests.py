"""What a local user may ask of the control socket: nobody else waits for it, and no memory is left of it."""

import json
import socket
import time

import pytest

from tests.support import traffic
from tests.support.causeway import write_yaml
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until
from tests.support.waiting import Waiting, ask

# The control thread's own bound is some 5 ms; the rest is this machine, where a thread that is due may have to wait.
LONGEST_S = 0.4
RSS_MB = 32
MACS = 200_000

FILL = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = bytearray(60)
frame[0:6] = b"\\xff" * 6
frame[12:14] = b"\\x88\\xb5"
for number in range(int(sys.argv[1])):
    frame[6:12] = struct.pack("!HI", 0x0200, number)
    while True:
        try:
            s.send(frame)
            break
        except OSError:
            time.sleep(0.001)
    if number % 20 == 19:
        time.sleep(0.0002)
"""


class Gateways:
    def __init__(self, lab):
        h1, h2, self.c1, self.c2 = two_hosts(lab)
        self.config = gateway(1, "geneve")
        self.config["bridges"]["br-int"]["parameters"] = {"max-macs": 1_000_000}
        self.g1 = h1.causeway(self.config)
        self.g2 = h2.causeway(gateway(2, "geneve"))
        traffic.ping(self.c1, self.c2.ip4)

    def attacked(self, attack):
        """What `attack` returns, while others ask and ping: the bounds of all of them hold."""
        before = self.g1.rss_mb()
        ping = self.c1.spawn(["ping", "-n", "-i", "0.02", "-c", "10000", self.c2.ip4], title="ping-beside")
        with Waiting(self.g1.socket) as waiting:
            result = attack()
            time.sleep(0.5)  # at least some pings, when it is over at once
        ping.stop(2)
        print(waiting, f"RSS {before} -> {self.g1.rss_mb()} MB")
        lost, pings = traffic.unanswered(ping.output())
        assert pings >= 10 and lost <= max(1, pings // 100), f"{lost} of {pings}"
        assert waiting.longest_s < LONGEST_S, str(waiting)
        wait_until(lambda: self.g1.rss_mb() - before <= RSS_MB, 5,
                   lambda: f"RSS was {before} MB, and is {self.g1.rss_mb()} MB")
        return result


@pytest.fixture
def gateways(lab):
    return Gateways(lab)


def refusal(answer):
    return json.loads(answer)["errors"][0]


def test_many_objects(gateways):
    for kib in (512, 5120):
        request = b'{"verb":"x","a":[' + b"{}," * (kib * 1024 // 3) + b"0]}"
        assert refusal(gateways.attacked(lambda: ask(gateways.g1.socket, request))) == "request nested too deep"


def test_a_long_word(gateways):
    request = b'{"verb":"x","a":"' + b"x" * (32 << 20) + b'"}'
    assert refusal(gateways.attacked(lambda: ask(gateways.g1.socket, request))) == "a: longer than 4096 bytes"


def test_a_large_bad_file(gateways):
    text = "version: 1\nethernets:\n" + "".join(f"  x{i}: {{zap: {{}}}}\n" for i in range(100_000))
    answer = gateways.attacked(lambda: ask(gateways.g1.socket, {"verb": "plan", "file": "f.yaml", "text": text}))
    assert "zap: unknown key" in refusal(answer)


def test_a_plan_of_20000_tunnels(gateways):
    config = gateways.config
    names = [f"t{i}" for i in range(20_000)]
    text = json.dumps({**config, "bridges": {"br-int": {"interfaces": [*config["ethernets"].keys() - {"up0"}, "tun0", *names]}},
                       "tunnels": {**config["tunnels"], **{name: {"mode": "vxlan", "id": i + 1, "local": "172.31.0.1", "remote": "172.31.0.2"}
                                                           for i, name in enumerate(names)}}})
    answer = json.loads(gateways.attacked(lambda: ask(gateways.g1.socket, {"verb": "plan", "file": "f.yaml", "text": text})))
    assert len([line for line in answer["result"]["operations"] if line.startswith("+ tunnel t")]) == 20_000


def test_a_list_of_all_macs(gateways):
    gateways.c1.run([traffic.PYTHON, "-c", FILL, MACS], timeout=60, quiet=True)
    seen = [0]

    def learnt():
        """All that it has heard of, and not while it still takes them from the worker."""
        seen.append(gateways.g1.row("bridges", "br-int")["macs"])
        return seen[-1] >= MACS * 0.9 and seen[-1] == seen[-2]

    wait_until(learnt, 30, "the MACs are learnt", interval=0.5)
    macs = seen[-1]
    rows = json.loads(gateways.attacked(lambda: ask(gateways.g1.socket, {"verb": "show", "what": "fdb"})))["result"]
    assert len({row["mac"] for row in rows}) == len(rows)
    assert abs(len(rows) - macs) <= 10


def test_replies_that_nobody_reads(gateways):
    gateways.c1.run([traffic.PYTHON, "-c", FILL, 50_000], timeout=60, quiet=True)

    def attack():
        deaf = []
        for _ in range(60):
            client = socket.socket(socket.AF_UNIX)
            client.connect(gateways.g1.socket)
            client.sendall(b'{"verb":"show","what":"fdb"}\n' * 200)
            deaf.append(client)
        time.sleep(2)
        for client in deaf:
            client.close()
    gateways.attacked(attack)


def test_a_file_that_was_cut_off(gateways):
    """version: 1, and the rest is missing: by reload, SIGHUP and apply."""
    g1 = gateways.g1
    empty = {"version": 1, "system": gateways.config["system"]}
    write_yaml(empty, g1.file)
    for verb in (["reload"], ["apply", g1.file]):
        done = g1.ctl_run(*verb, check=False)
        assert done.returncode == 1 and "nothing would be left of what runs (2 ethernets, 1 bridges, 1 tunnels)" in done.stderr, done
    g1.reload(empty)
    g1.process.wait_for("not reloaded: as before")
    assert traffic.ping(gateways.c1, gateways.c2.ip4) == 3
    assert g1.ctl_run("reload", "--empty").returncode == 0
    assert g1.ctl("show", "ports") == []
    g1.reload(gateways.config)
    wait_until(lambda: len(g1.ctl("show", "ports")) == 2, 5, "the ports are back")
    g1.apply(empty, "--empty")
    assert g1.ctl("show", "ports") == []


def test_vlans_that_are_none(gateways):
    for vlan in (70000, -1, 4095, 1.5, "5", True):
        request = {"verb": "fdb", "action": "add", "bridge": "br-int", "mac": "02:00:00:00:00:05", "port": "c1", "vlan": vlan}
        assert "is no VLAN (0 to 4094)" in refusal(ask(gateways.g1.socket, request))
    assert not [row for row in gateways.g1.ctl("show", "fdb") if row["mac"] == "02:00:00:00:00:05"]
