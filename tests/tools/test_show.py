"""causewayctl show on a running daemon without traffic: what it prints, for people and for programs."""

import json
import re
import shutil
import socket
import subprocess
import threading
from subprocess import run

import pytest

from tests.support.causeway import program
from tests.tools.test_programs import Daemon

FILE = """version: 1
ethernets:
  gen1: {generator: {flows: 0}}
  gen2: {generator: {flows: 0}}
  up0: {generator: {flows: 0}, addresses: [172.31.0.1/24]}
bridges:
  br: {interfaces: [gen1, gen2, gnv0]}
tunnels:
  gnv0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
  vx0: {mode: vxlan, id: 7, local: 172.31.0.1, remote: [172.31.0.3, 172.31.0.4]}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show")
    path = folder / "gateway.yaml"
    path.write_text(FILE)
    started = Daemon(path, folder / "d.sock")
    yield started
    started.stop()


def test_the_running_configuration_is_a_file_that_changes_nothing(daemon, tmp_path):
    shown = daemon.ctl("show", "config")
    assert shown.returncode == 0 and "gnv0" in shown.stdout, shown
    (tmp_path / "shown.yaml").write_text(shown.stdout)
    for verb in ("plan", "apply"):
        assert daemon.ctl(verb, tmp_path / "shown.yaml").stdout == "nothing to change\n"
    assert json.loads(daemon.ctl("--json", "show", "config").stdout) == {"yaml": shown.stdout}


def test_everything_about_one_object(daemon):
    rows = {row["name"]: row for row in json.loads(daemon.ctl("--json", "show", "tunnels").stdout)}
    assert json.loads(daemon.ctl("--json", "show", "tunnels", "vx0").stdout) == rows["vx0"]
    shown = dict(line.split(None, 1) for line in daemon.ctl("show", "tunnels", "vx0").stdout.splitlines() if line[0] != " ")
    assert set(shown) == set(rows["vx0"])
    assert (shown["mode"], shown["remote"], shown["mtu"]) == ("vxlan", "172.31.0.3,172.31.0.4", f"{rows['vx0']['mtu']} bytes")
    assert shown["next_hops"] == "address=172.31.0.3 port=up0 state=" + rows["vx0"]["next_hops"][0]["state"]
    for subject, name in (("ports", "gen1"), ("bridges", "br")):
        assert f"name {name}" in " ".join(daemon.ctl("show", subject, name).stdout.split())
    done = daemon.ctl("show", "tunnels", "gen1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "causewayctl: tunnels: there is no 'gen1'\n")
    assert daemon.ctl("show", "workers", "0").stderr == "workers: there is no name to choose by\n"


def words_of(dot):
    """Tokens of the DOT language: IDs in quotes or without, and signs."""
    words = re.findall(r'"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z_0-9]*|[0-9.]+|--|[][{}=,;]', dot)
    assert re.sub(r"\s", "", dot) == re.sub(r"\s", "", "".join(words))
    return words


def parsed(dot):
    """(nodes: {name: attributes}, edges: {(name, name): attributes}) of an undirected graph (graphviz.org/doc/info/lang.html)."""
    words = words_of(dot)
    assert words[0] == "graph" and words[2] == "{" and words[-1] == "}"
    statements, nodes, edges = " ".join(words[3:-1]).split(" ;"), {}, {}
    for statement in filter(None, map(str.strip, statements)):
        match = re.fullmatch(r'("[^"]*")(?: -- ("[^"]*"))? \[ (.*) \]|\w+ = \w+', statement)
        assert match, statement
        if match.group(1):
            attributes = dict(re.findall(r'(\w+) = ("[^"]*"|\w+)', match.group(3)))
            name, other = match.group(1).strip('"'), (match.group(2) or "").strip('"')
            target = edges if other else nodes
            target[(name, other) if other else name] = attributes
    return nodes, edges


def test_the_topology_for_graphviz(daemon):
    nodes, edges = parsed(daemon.ctl("show", "--dot").stdout)
    vteps = {f"vtep 172.31.0.{host}" for host in (2, 3, 4)}
    assert set(nodes) == {"port gen1", "port gen2", "port up0", "bridge br", "tunnel gnv0", "tunnel vx0"} | vteps
    assert {other for name, other in edges if name == "bridge br"} == {"port gen1", "port gen2", "tunnel gnv0"}
    assert {other for name, other in edges if name == "tunnel vx0"} == {"vtep 172.31.0.3", "vtep 172.31.0.4"}
    assert {name for name, other in edges if other == "port up0"} == vteps
    assert nodes["tunnel gnv0"]["label"].startswith('"gnv0\\ngeneve 123, ')
    if shutil.which("dot"):
        run(["dot", "-Tcanon"], input=daemon.ctl("show", "--dot").stdout, text=True, check=True, capture_output=True)


def test_a_table_fits_the_terminal(daemon):
    def lines_at(columns):
        script = f"stty cols {columns} < /dev/tty; {program('causewayctl')} --socket {daemon.socket} show tunnels"
        shown = run(["script", "-qec", script, "/dev/null"], stdin=subprocess.DEVNULL, text=True, check=True, capture_output=True)
        return shown.stdout.replace("\r", "").splitlines()

    whole = daemon.ctl("show", "tunnels").stdout.splitlines()
    assert max(map(len, whole)) > 110 and lines_at(300) == whole
    narrow = lines_at(110)
    assert max(map(len, narrow)) <= 110 and len(narrow) == len(whole)
    # The list of remotes is the longest cell; numbers stay whole.
    assert "~" in narrow[2] and "172.31.0.3,172.31.0.4" not in narrow[2]
    assert [line.split()[-1] for line in narrow] == [line.split()[-1] for line in whole]


def test_watching_is_a_line_a_look_with_rates(daemon):
    watching = subprocess.Popen([program("causewayctl"), "--socket", daemon.socket, "--json", "show", "ports", "gen1", "--watch", "0.2"],
                                stdout=subprocess.PIPE, text=True)
    looks = [json.loads(watching.stdout.readline()) for _ in range(3)]
    watching.kill()
    watching.wait()
    assert "rx_packets_per_s" not in looks[0]
    for look in looks[1:]:
        assert (look["name"], look["rx_packets_per_s"], look["tx_bytes_per_s"]) == ("gen1", 0.0, 0.0)


def test_events_come_as_lines(daemon, tmp_path):
    with open(tmp_path / "events", "w") as output:
        following = subprocess.Popen([program("causewayctl"), "--socket", daemon.socket, "events", "--json", "-c", "3"], stdout=output)
    changed = tmp_path / "changed.yaml"

    def apply(vni):
        changed.write_text(FILE.replace("id: 123", f"id: {vni}"))
        assert daemon.ctl("apply", changed).returncode == 0

    def events():
        return [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]

    for turn in range(100):  # until it follows
        apply(200 + turn % 2)
        if [event for event in events() if event["kind"] == "apply"]:
            break
    for _ in range(3):
        apply(123)
    assert following.wait(20) == 0
    event = next(event for event in events() if event["kind"] == "apply")
    assert (event["object"], event["state"], event["text"]) == ("gateway", "done", "apply done: operations: 1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])


def test_a_flow_that_there_was_no_room_for_has_no_rate(tmp_path):
    """A daemon's answers, of which only the newest 1,000 flows of more are in the first."""
    columns = [{"name": "flow", "kind": "text"}, {"name": "packets", "kind": "counter", "title": "PACKETS"}]

    def shown(before, now):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / f"{len(before)}.sock"))
        listener.listen()

        def serve():
            for time_s, flows in enumerate((before, now)):
                client, _ = listener.accept()
                with client, client.makefile("rb") as requests:
                    assert json.loads(requests.readline())["largest"] is True
                    reply = {"ok": True, "columns": columns, "time_s": time_s,
                             "result": [{"flow": flow, "packets": packets} for flow, packets in flows.items()]}
                    client.sendall(json.dumps(reply).encode() + b"\n")
        threading.Thread(target=serve, daemon=True).start()
        done = run([program("causewayctl"), "--socket", listener.getsockname(), "--json", "show", "flows", "--top", "3"],
                   capture_output=True, text=True, timeout=30, check=True)
        return [(row["flow"], row["packets_per_s"]) for row in json.loads(done.stdout)]
    full = {f"flow {i}": 256000 for i in range(1000)}
    now = {**full, "flow 0": 256256, "flow 1": 256512, "new": 256256}
    assert shown(full, now) == [("flow 1", 512), ("flow 0", 256), ("new", None)]
    del full["flow 999"]
    assert shown(full, now)[:2] == [("new", 256256), ("flow 999", 256000)]
