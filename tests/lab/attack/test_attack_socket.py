"""A local user who is nobody and puts a socket where causewayctl looks for daemons (root's file would go to him)."""

import json
import os

import pytest

from tests.support.causeway import program, write_yaml
from tests.support.process import run, wait_until
from tests.support.traffic import PYTHON

NOBODY = 65534
FORGED = "up\x1b[31m forged\x9b\u202e\n"
SECRET = "private words of root"
GOOD = {"version": 1, "system": {"name": "squatted", "hugepages": "off"}, "ethernets": {"lan0": {"tap": {}}}}

# Answers whatever it is asked, and writes down what that was.
FAKE = """
import json, os, socket, sys
path, heard = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o777)
listener.listen(5)
print("listening", flush=True)
while True:
    client, _ = listener.accept()
    line = client.makefile("r").readline()
    if not line:
        continue
    with open(heard, "a") as file:
        file.write(line)
    rows = [{"name": "fake", "state": %r}]
    client.sendall(json.dumps({"ok": True, "result": rows if "show" in line else {"operations": [%r]}}, ensure_ascii=False).encode() + b"\\n")
""" % (FORGED, FORGED)


class Fake:
    def __init__(self, lab, host, folder, uid):
        """Makes `folder`, as the user `uid`, and listens there."""
        os.chmod(lab.directory, 0o755)
        code = lab.path("fake.py")
        with open(code, "w") as file:
            file.write(FAKE)
        self.heard_file = lab.path(f"heard-{uid}")
        os.mkdir(folder)
        for path in (folder, self.heard_file):
            if path == self.heard_file:
                open(path, "w").close()
            os.chown(path, uid, uid)
        self.socket = os.path.join(folder, "squatted.sock")
        host.spawn(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", PYTHON, code, self.socket, self.heard_file],
                   title="fake").wait_for("listening")

    def heard(self):
        with open(self.heard_file) as file:
            return file.read()


def ctl(runtime, *arguments):
    return run([program("causewayctl"), *arguments], check=False, env={**os.environ, "XDG_RUNTIME_DIR": runtime})


@pytest.fixture
def runtime(lab):
    path = lab.path("runtime")
    os.mkdir(path)
    os.chmod(path, 0o1777)  # as /tmp is
    return path


@pytest.fixture
def secret(lab):
    path = lab.path("squatted.yaml")
    write_yaml(f"version: 1\nethernets:\n  up0: {{addresses: [172.31.0.1/24]}}   # {SECRET}\n", path)
    os.chmod(path, 0o600)
    return path


def test_nobodys_socket_hears_nothing(lab, runtime, secret):
    host = lab.host("h1")
    fake = Fake(lab, host, os.path.join(runtime, "causeway"), NOBODY)
    for where in (["-n", "squatted"], []):
        for verb in (["apply", secret], ["show", "ports"]):
            done = ctl(runtime, *where, *verb)
            assert done.returncode == 1 and "forged" not in done.stdout + done.stderr, (where, verb, done)
    assert f"{runtime}/causeway (not looked into: another user's)" in ctl(runtime, "show").stderr
    named = ctl(runtime, "--socket", fake.socket, "apply", secret)
    assert named.returncode == 1
    assert named.stderr == (f"causewayctl: control socket {fake.socket}: it is of another user (uid {NOBODY}), "
                            "neither root's nor yours: not trusted\n")
    assert fake.heard() == ""
    # Beside it a real one is found, wherever it stands.
    daemon = host.causeway(GOOD)
    assert [row["name"] for row in daemon.ctl("show", "ports")] == ["lan0"]


def test_a_daemon_looks_for_a_better_place(lab, runtime):
    host = lab.host("h1")
    Fake(lab, host, os.path.join(runtime, "causeway"), NOBODY)
    file = write_yaml({**GOOD, "system": {"name": lab.prefix + "real", "hugepages": "off"}}, lab.path("real.yaml"))
    process = host.spawn([program("causewayd"), "-c", file], title="real", env={**os.environ, "XDG_RUNTIME_DIR": runtime})
    process.wait_for("is running")
    shown = wait_until(lambda: ctl(runtime, "-n", lab.prefix + "real", "--json", "show", "ports"), 5, "an answer")
    assert [row["name"] for row in json.loads(shown.stdout)] == ["lan0"]
    assert os.listdir(os.path.join(runtime, "causeway")) == ["squatted.sock"]
    process.stop()


def test_a_folder_that_everybody_writes_to(lab, runtime):
    fake = Fake(lab, lab.host("h1"), os.path.join(runtime, "causeway"), 0)
    asked = ctl(runtime, "-n", "squatted", "show", "ports")
    assert asked.returncode == 0 and fake.heard() != "", asked
    os.truncate(fake.heard_file, 0)
    os.chmod(os.path.dirname(fake.socket), 0o777)
    assert ctl(runtime, "-n", "squatted", "show", "ports").returncode == 1
    assert fake.heard() == ""


def test_a_reply_gives_the_terminal_no_orders(lab, runtime, secret):
    fake = Fake(lab, lab.host("h1"), os.path.join(runtime, "causeway"), 0)
    for arguments in (["show", "ports"], ["--json", "show", "ports"], ["apply", secret], ["--json", "apply", secret]):
        done = ctl(runtime, "--socket", fake.socket, *arguments)
        assert done.returncode == 0 and "forged" in done.stdout, done
        assert not set("\x1b\x9b\u202e") & set(done.stdout + done.stderr), done
        if "--json" in arguments:
            assert FORGED in (json.loads(done.stdout)[0]["state"] if "show" in arguments else json.loads(done.stdout)["operations"][0])
