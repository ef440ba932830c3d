"""Who may do what by the control socket: strangers nothing, its group look, root and the file's admins change. And what
a shell offers who types a command."""

import os
import shutil

import pytest

from tests.support.causeway import TOP, program
from tests.support.process import run, wait_until
from tests.support.traffic import PYTHON

GROUP = 4242  # nobody's, here the daemon's
READER, ADMIN = ("games", 5), ("daemon", 1)  # users that every Debian has (base-passwd)
FRAME = "ffffffffffff0200000000050800"


def configuration(admins=(), ports=("lan0", "lan1")):
    system = {"hugepages": "off", "memory": "128M", "admins": list(admins)}
    return {"version": 1, "system": system, "ethernets": {port: {"tap": {}} for port in ports},
            "bridges": {"br0": {"interfaces": list(ports)}}}


class Users:
    """Others than root at the control socket of a gateway."""

    def __init__(self, lab, gateway):
        self.gateway = gateway
        os.chmod(lab.directory, 0o755)
        self.program = shutil.copy(program("causewayctl"), lab.path("causewayctl"))  # the build may be in root's home

    def ctl(self, user, *arguments, group=GROUP, timeout=15):
        as_user = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        return run([*as_user, self.program, "--socket", self.gateway.socket, *arguments], check=False, timeout=timeout)


@pytest.fixture
def gateway(lab):
    return lab.host("h1").causeway(configuration([ADMIN[0]]), by=["setpriv", f"--regid={GROUP}", "--clear-groups"])


def refusal(verb, user):
    name, uid = user
    return f"{verb}: only root, the daemon's own user and `system.admins` may; uid {uid} ({name}) may look\n"


def test_a_reader_looks_and_changes_nothing(lab, gateway):
    users = Users(lab, gateway)
    before = gateway.ctl("show", "config")
    for looks in (["show"], ["show", "config"], ["show", "fdb"], ["stats"], ["plan", gateway.file], ["doctor"],
                  ["trace", "-p", "lan0", "--hex", FRAME]):
        done = users.ctl(READER[1], *looks)
        assert done.returncode == 0, (looks, done)
    file = lab.path("other.yaml")
    shutil.copy(gateway.file, file)
    with open(file, "a") as text:
        text.write("sflow: {targets: [127.0.0.1]}\n")
    for changes in (["apply", file], ["reload"], ["fdb", "flush"], ["offloads", "test", "lan0"], ["capture", "-w", "-"]):
        for _ in range(3):
            done = users.ctl(READER[1], *changes)
            assert (done.returncode, done.stdout, done.stderr) == (1, "", refusal(changes[0], READER)), changes
        # One line; what more there is of the same is counted.
        line = f"control socket: {changes[0]} forbidden to uid {READER[1]} ({READER[0]}), process "
        assert gateway.process.output().count(line) == 1, gateway.log()
    assert gateway.ctl("show", "config") == before


def test_a_stranger_is_not_let_in(lab, gateway):
    done = Users(lab, gateway).ctl(READER[1], "show", group=READER[1])
    assert done.returncode == 1
    assert done.stderr == f"causewayctl: control socket {gateway.socket}: Permission denied\n"


def test_admins_change_and_are_changed_at_once(lab, gateway):
    users = Users(lab, gateway)
    for changes in (["fdb", "flush"], ["fdb", "add", "br0", "02:00:00:00:00:01", "lan1"], ["reload"]):
        done = users.ctl(ADMIN[1], *changes)
        assert done.returncode == 0, (changes, done)
    capture = gateway.host.spawn(["setpriv", f"--reuid={ADMIN[1]}", f"--regid={GROUP}", "--clear-groups", users.program,
                                    "--socket", gateway.socket, "capture", "-p", "lan0", "-c", "1", "-w", "-"], title="capture")
    sender = "import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('lan0', 0)); s.send(bytes(60))"

    def captured():
        gateway.host.run([PYTHON, "-c", sender], quiet=True)
        return capture.poll() is not None
    wait_until(captured, 15, "a frame is captured", interval=0.1)
    assert capture.wait() == 0

    gateway.apply(configuration([READER[0]]))
    assert users.ctl(ADMIN[1], "fdb", "flush").stderr == refusal("fdb", ADMIN)
    assert users.ctl(READER[1], "fdb", "flush").returncode == 0
    # He may take it from himself, by the file that the daemon was started with.
    done = users.ctl(READER[1], "reload")
    assert done.returncode == 0 and done.stdout == f"~ system.admins: {READER[0]} -> {ADMIN[0]}\n", done
    assert users.ctl(READER[1], "reload").stderr == refusal("reload", READER)


def offered(*words, socket=None):
    where = ["--socket", socket] if socket else []
    return run([program("causewayctl"), "complete", *where, *words]).stdout.split()


def test_the_shell_is_told_what_may_come_next(lab, gateway):
    config = configuration()
    config["ethernets"]["up0"] = {"tap": {}, "addresses": ["172.31.0.1/24"]}
    config["bridges"]["br0"]["interfaces"].append("gnv0")
    config["tunnels"] = {"gnv0": {"mode": "geneve", "id": 1, "local": "172.31.0.1", "remote": "172.31.0.2"}}
    gateway.apply(config)

    def told(*words):
        return offered(*words, socket=gateway.socket)

    assert {"show", "apply", "capture", "fdb"} <= set(told(""))
    assert told("sho") == ["show"] and told("fdb", "") == ["flush", "add", "del"]
    assert "--per-worker" in told("stats", "--") and told("stats", "--per") == ["--per-worker"]
    assert "--json" in told("fdb", "flush", "--") and "--vlan" in told("fdb", "flush", "--")
    assert told("show", "po") == ["ports"] and told("show", "tunnels", "") == ["gnv0"]
    assert told("show", "ports", "lan") == ["lan0", "lan1"]
    assert told("capture", "-p", "") == ["lan0", "lan1", "up0"] and told("capture", "-t", "") == ["gnv0"]
    assert told("capture", "-p", "lan0", "-b", "") == ["br0"]
    assert told("capture", "--drops", "too_") == ["too_big"]
    assert told("fdb", "add", "br0", "02:00:00:00:00:01", "") == ["lan0", "lan1", "up0", "gnv0"]
    assert told("trace", "-n", "5", "--live", "u") == ["up0"]
    assert told("apply", "") == []  # files
    assert offered("show", "ports", "", socket="/nowhere") == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shells_ask(lab, gateway, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    words = [program("causewayctl"), "--socket", gateway.socket, "show", "ports", "lan"]
    quoted = " ".join(words)
    script = {
        "bash": f"""source {TOP}/conf/completion/causewayctl.bash
                    COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
                    _causewayctl
                    printf '%s\\n' "${{COMPREPLY[@]}}" """,
        "zsh": f"""compadd() {{ print -l ${{(P)2}} }}; _files() {{ print files }}
                   complete_it() {{ source {TOP}/conf/completion/_causewayctl }}
                   words=({quoted}) CURRENT={len(words)}; complete_it""",
    }[shell]
    assert run([shell, "-c", script]).stdout.split() == ["lan0", "lan1"]
    nothing = script.replace(" lan)", " nothing)")
    assert run([shell, "-c", nothing]).stdout.split() == ({"bash": [], "zsh": ["files"]}[shell])
