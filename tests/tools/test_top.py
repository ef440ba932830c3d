"""causewayctl top in a terminal of 80 x 24: what it says of a running daemon, its keys, and how it leaves the terminal."""

import json
import math
import re
import signal
import socket
import subprocess
import threading

import pytest

from tests.support.causeway import program
from tests.support.process import wait_until
from tests.support.screen import Terminal
from tests.tools.test_programs import Daemon, ctl

FILE = """version: 1
system: {name: gw1}
ethernets:
  gen0: {generator: {flows: 50, rate: 20000, distribution: zipf, destination-mac: 02:02:00:00:00:00}}
  gen1: {generator: {flows: 1, rate: 300, frame-bytes: 1000, destination-mac: 02:02:00:00:00:01}}
  lan1: {generator: {flows: 0}}
  lan9: {}
  up0:
    generator:
      flows: 1
      rate: 5000
      destination-mac: 02:02:00:00:00:02
      tunnel: {mode: geneve, id: 123, source-address: 172.31.0.2, destination-address: 172.31.0.1}
    mtu: 1600
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}, {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}]
bridges:
  br-int:
    interfaces: [gen0, gen1, lan1, lan9, gnv0, vx0]
    static-macs:
      - {mac: 02:02:00:00:00:00, port: gnv0}
      - {mac: 02:02:00:00:00:01, port: lan9}
      - {mac: 02:02:00:00:00:02, port: lan1}
tunnels:
  gnv0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
  vx0: {mode: vxlan, id: 7, local: 172.31.0.1, remote: [172.31.0.3, 172.31.0.4]}
"""
QUESTIONS = 6  # of a look: five tables and the drops
FOOT = "q quit .* Tab"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("top")
    (folder / "gateway.yaml").write_text(FILE)
    started = Daemon(folder / "gateway.yaml", folder / "d.sock")
    yield started
    started.stop()


@pytest.fixture
def terminals():
    opened = []

    def top(path, *arguments, **options):
        opened.append(Terminal([program("causewayctl"), "--socket", path, "top", *arguments], **options))
        return opened[-1]
    yield top
    for terminal in opened:
        terminal.close()


@pytest.fixture(name="top")
def top_fixture(daemon, terminals):
    terminal = terminals(daemon.socket)
    terminal.wait_for("^up0 .*k ")  # a rate
    return terminal


class Wiretap:
    """Between causewayctl and a daemon: keeps the replies of a number of looks, and lets no more of them pass."""

    def __init__(self, path, daemon, looks):
        self.replies = []
        self.most = looks * QUESTIONS
        self.daemon = daemon
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client, _ = self.listener.accept()
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(str(self.daemon))
        answers = upstream.makefile("rb")
        for request in client.makefile("rb"):
            if len(self.replies) == self.most:
                continue
            upstream.sendall(request)
            answer = answers.readline()
            asked = json.loads(request)
            self.replies.append((asked.get("what", asked["verb"]), json.loads(answer)))
            client.sendall(answer)

    def growth(self, subject, counter, name=None):
        """A second, from the last look but one to the last; of drops, those of the reason `counter`."""
        (_, before), (_, now) = [reply for reply in self.replies if reply[0] == subject][-2:]

        def count(reply):
            if subject == "stats":
                return reply["result"]["drops"][counter]
            return sum(row[counter] for row in reply["result"] if name in (None, row["name"]))
        return (count(now) - count(before)) / (now["time_s"] - before["time_s"])


def number(text):
    """Not a number where it stands there but in part, or not yet."""
    match = re.fullmatch(r"([\d.]+)([kMGT]?)", text)
    return float(match[1]) * 1000 ** " kMGT".index(match[2] or " ") if match else math.nan


def test_rates_are_those_of_the_counters(daemon, terminals, tmp_path):
    tap = Wiretap(tmp_path / "tap.sock", daemon.socket, looks=3)
    terminal = terminals(tmp_path / "tap.sock", "--interval", "0.5")
    wait_until(lambda: len(tap.replies) == tap.most, 30, "three looks")

    def row(name):
        words = (terminal.line(rf"^ *{re.escape(name)} ") or "").split()[1:] + ["-"] * 4
        return [number(word) for word in words[:4]]  # p/s and b/s in, the same out

    def expected(subject, name):
        return [tap.growth(subject, f"{way}_{what}", name) * (8 if what == "bytes" else 1)
                for way in ("rx", "tx") for what in ("packets", "bytes")]

    def pairs():
        """(what the terminal says, what the socket has told)."""
        total = re.search(r"in (\S+) p/s (\S+) b/s +out (\S+) p/s (\S+) b/s", terminal.lines()[0])
        yield from zip(map(number, total.groups() if total else "----"), expected("ports", None))
        for name, subject in (("gen0", "ports"), ("gen1", "ports"), ("up0", "ports"), ("gnv0", "tunnels")):
            yield from zip(row(name), expected(subject, name))
        yield from zip(row("172.31.0.2"), expected("tunnels", "gnv0"))
        drops = re.search(r"^drops +port_down (\S+)/s", terminal.lines()[2])
        yield number(drops[1] if drops else "-"), tap.growth("stats", "port_down")

    def agree():
        return all(abs(said - true) <= 0.05 * true for said, true in pairs())

    wait_until(agree, 20, lambda: f"rates agree: {list(pairs())}\n{terminal.text()}")
    # These are not all zeros.
    assert tap.growth("ports", "rx_packets", "gen0") > 100 and tap.growth("tunnels", "rx_packets", "gnv0") > 50 and tap.growth("ports", "tx_bytes", "up0") > 1000
    assert tap.growth("stats", "port_down") > 1


def test_the_largest_flows(daemon):
    """Of 50 the first is as frequent as 22 in a hundred, the last as one in 200."""
    def first_of_ten():
        rows = json.loads(daemon.ctl("--json", "show", "flows", "--top", "10").stdout)
        rates = [row["packets_per_s"] for row in rows]
        assert len(rows) <= 10 and rates == sorted(rates, reverse=True) and all(rate > 0 for rate in rates)
        return next((row for row in rows if row["source"] == "02:01:00:00:00:00" and row["from"] == "gen0"), None)
    first = wait_until(first_of_ten, 30, "the first flow is among the ten largest")
    assert (first["from"], first["to"], first["to_remote"], first["destination"]) == ("gen0", "gnv0", "172.31.0.2", "02:02:00:00:00:00")
    table = daemon.ctl("show", "flows", "--top", "3").stdout.splitlines()
    assert table[0].startswith("PACKETS/S  BRIDGE  VLAN  FROM") and len(table) <= 4
    wrong = daemon.ctl("show", "ports", "--top", "3")
    assert wrong.returncode == 2 and "show flows --top N" in wrong.stderr


def test_what_is_there_and_what_is_wrong(top):
    lines = top.lines()
    assert re.match(r"gw1  up \d+ .*causeway 0\.", lines[0])
    assert re.match(r"workers  0: \d+ %, \S+ cycles/p$", lines[1])
    assert lines[3] == "wrong    lan9 missing   vx0 172.31.0.4 neighbor_unresolved"
    names = [line.split()[0] for line in lines[6:-1] if line]
    assert names == ["br-int", "gen0", "gen1", "gnv0", "172.31.0.2", "lan1", "lan9", "vx0", "172.31.0.3", "172.31.0.4", "up0"]
    assert "    172.31.0.2 " in lines[10] and lines[11].startswith("  lan1 ")
    for red in ("missing: no such", "neighbor_unresolved:", "port_down"):
        assert top.colours(red) == {"red"}, red
    assert top.colours("up  mtu 1550$") == {"default"}
    assert top.wait_for("^up0 .* up  172.31.0.1/24$")


def test_keys(top):
    top.press("tab")
    assert top.wait_for(r"^ID .*BUSY %") and top.wait_for(r"^ 0 .* gen0:0,gen1:0,lan1:0,up0:0$")
    top.press("tab")
    assert top.wait_for(r"port_down +the way out is down or gone")
    top.wait_gone("BUSY")
    top.press("escape")
    top.wait_for("^br-int")

    def order():
        return [line.split()[0] for line in top.lines()[7:14] if line.startswith("  ") and line[2] != " "]

    def first(*names):
        wait_until(lambda: order()[:len(names)] == [*names], 20, lambda: f"{names} come first\n{top.text()}")
    first("gen0")
    top.press("s", "s")
    top.wait_for("sort: out")
    first("gnv0")
    top.press("s", "s")
    top.wait_for("sort: wrong")
    first("lan9", "vx0")
    top.press("s")
    top.wait_for("sort: name")

    top.press("/", *"VXLAN")
    top.wait_for("^filter: VXLAN_")
    top.wait_gone("gnv0")
    wait_until(lambda: [line.split()[0] for line in top.lines()[6:-1] if line] == ["br-int", "vx0", "172.31.0.3", "172.31.0.4"], 20, top.text)
    top.press("enter", "down", "down", "enter")
    top.wait_for("^tunnel vx0")
    assert top.wait_for("^mode +vxlan$") and top.wait_for(r"^tx_packets_per_s +0.0 packets/s$")
    top.wait_gone("per_remote")  # further down
    top.press("page down")
    assert top.wait_for("^per_remote .*remote=172.31.0.3 ")
    top.press("q")
    top.wait_for("filter: VXLAN")
    top.press("escape")
    top.wait_for("gnv0")
    assert top.child.poll() is None
    top.press("q")
    assert top.wait_end() == 0 and top.is_clean()


def test_resizing_and_ctrl_c_leave_the_terminal_clean(top):
    for rows, columns in ((12, 60), (40, 132), (6, 20), (24, 80)):
        top.resize(rows, columns)
        wait_until(lambda: "q quit" in top.lines()[rows - 1] and top.line("br-int"), 20, top.text)
        # Nothing is wrapped: names stand where they begin.
        wait_until(lambda: all(re.match(r"$|gw1|workers|drops|wrong|NAME|br-int|up0|  ", line) for line in top.lines()[:-1]), 20, top.text)
    top.resize(12, 60)
    top.press("end")
    assert top.wait_for("^up0 ")
    assert not top.is_clean()
    top.press("\x03")
    assert top.wait_end() == 0 and top.is_clean()


def test_ctrl_backslash_leaves_the_terminal_clean(top):
    top.press("\x1c")
    assert top.wait_end() == 0 and top.is_clean()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_clean(top, signum):
    top.child.send_signal(signum)
    assert top.wait_end() == 0 and top.is_clean()


def test_a_daemon_that_goes_and_comes_is_said(terminals, tmp_path):
    (tmp_path / "gateway.yaml").write_text(FILE)
    first = Daemon(tmp_path / "gateway.yaml", tmp_path / "d.sock")
    terminal = terminals(tmp_path / "d.sock", "--interval", "0.2")
    terminal.wait_for("^up0 .*k ")
    first.stop()
    assert terminal.wait_for(r"^\d+ s old: no causewayd is running at")
    assert terminal.colours("no causewayd") == {"red"} and terminal.line("^br-int")
    second = Daemon(tmp_path / "gateway.yaml", tmp_path / "d.sock")
    terminal.wait_for(FOOT)
    terminal.wait_for("^up0 .*k ")
    second.child.send_signal(signal.SIGSTOP)
    terminal.wait_for(r"^\d+ s old: no answer for \d+ s")
    terminal.press("q")
    assert terminal.wait_end() == 0 and terminal.is_clean()
    second.child.send_signal(signal.SIGCONT)
    second.stop()


def test_where_there_is_no_terminal(daemon, tmp_path):
    done = ctl("--socket", daemon.socket, "top")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "causewayctl: top is for terminals; elsewhere there is `causewayctl show --watch`\n"
    answer = json.loads(ctl("--socket", daemon.socket, "--json", "top").stdout)
    assert "show --watch" in answer["errors"][0]
    dumb = Terminal([program("causewayctl"), "--socket", daemon.socket, "top"], environment={"TERM": "dumb"})
    try:
        assert dumb.wait_end() == 1 and "(TERM=dumb)" in dumb.text() and dumb.is_clean()
    finally:
        dumb.close()
    nobody = subprocess.run([program("causewayctl"), "-n", "nobody-of-this-name", "top", "--interval", "0"], capture_output=True,
                            text=True, check=False)
    assert nobody.returncode == 2 and "--interval" in nobody.stderr
