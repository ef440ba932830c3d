"""causewayctl and causewayd as people type them: what is wrong is said in one line, with the exit code for it."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.support.causeway import program

GOOD = """version: 1
ethernets: {gen1: {generator: {flows: 0}}, gen2: {generator: {flows: 0}}}
bridges: {br: {interfaces: [gen1, gen2]}}
"""
WARNED = GOOD + "tunnels: {t: {mode: vxlan, id: 1, local: 172.31.0.1, remote: 192.0.2.1}}\n"
WARNED = WARNED.replace("ethernets: {", "ethernets: {up0: {generator: {flows: 0}, addresses: [172.31.0.1/24]}, ")


def run(name, *arguments, **options):
    options = {"timeout": 30, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run([program(name), *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def ctl(*arguments, **options):
    return run("causewayctl", *arguments, **options)


@pytest.fixture
def file(tmp_path):
    def write(text, name="gateway.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path
    return write


class Daemon:
    def __init__(self, file, socket):
        self.socket = socket
        self.log = open(f"{socket}.log", "w+")
        self.child = subprocess.Popen([program("causewayd"), "-c", file, "--socket", socket, "--no-hugepages"],
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while self.ctl("show", "ports").returncode != 0:
            assert self.child.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def output(self):
        with open(self.log.name) as log:
            return log.read()

    def ctl(self, *arguments):
        return ctl("--socket", self.socket, *arguments)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(20) == 0, self.output()
        self.log.close()


@pytest.fixture
def daemon(file, tmp_path):
    started = Daemon(file(GOOD, "first.yaml"), tmp_path / "d.sock")
    yield started
    started.stop()


def test_a_good_file(file):
    path = file(GOOD)
    done = ctl("check", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: good\n", "")
    assert json.loads(ctl("check", path, "--json").stdout) == {"file": str(path), "valid": True, "warnings": []}
    assert ctl("check", "--strict", path).returncode == 0
    assert run("causewayd", "-c", path, "--check").returncode == 0


def test_warnings(file):
    path = file(WARNED)
    lines = [f"{path}:4:11: warning: tunnels.t: is in no bridge: it carries nothing",
             f"{path}:4:54: warning: tunnels.t.remote: 192.0.2.1 is in no network of an underlay, and no route leads there"]
    for done in (ctl("check", path), run("causewayd", "-c", path, "--check")):
        assert (done.returncode, done.stdout, done.stderr.splitlines()) == (0, "", lines)
    assert ctl("check", "--strict", path).returncode == 3
    done = ctl("--json", "check", path)
    assert json.loads(done.stdout)["warnings"] == lines and done.stderr == ""


def unreadable(tmp_path):
    """Paths and what is said of them."""
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "empty.yaml").write_text("")
    with open(tmp_path / "huge.yaml", "wb") as huge:
        huge.truncate(1 << 40)
    return {tmp_path / "folder.yaml": "is a directory", tmp_path / "nothing.yaml": "cannot be opened: No such file or directory",
            tmp_path / "huge.yaml": "the file is too large, the limit is 64 MiB", "/dev/zero": "the file is too large, the limit is 64 MiB",
            tmp_path / "empty.yaml": "the file is empty", "/dev/null": "the file is empty",
            "/proc/self/mem": "cannot be read: Input/output error", "": "cannot be opened: No such file or directory"}


def test_what_is_no_file_is_refused_in_one_line(tmp_path):
    for path, what in unreadable(tmp_path).items():
        calls = [ctl("check", path), ctl("plan", path), ctl("apply", path), run("causewayd", "-c", path, "--check")]
        for done in calls:
            assert done.returncode == 2, (path, done)
            assert done.stderr.count("\n") == 1 and done.stderr.endswith(f"error: {what}\n"), (path, done)


def test_a_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", f"sleep 0.5; (printf 'version: 1\\n'; sleep 0.5; printf 'brigdes: {{}}\\n') > {pipe}"])
    done = ctl("check", pipe)
    writer.wait()
    assert done.returncode == 2
    assert done.stderr == f"{pipe}:2:1: error: brigdes: unknown key; did you mean 'bridges'?\n"


def test_wrong_usage():
    cases = {("shwo",): "unknown command 'shwo'; did you mean 'show'?",
             ("--jsno", "show"): "unknown option '--jsno'; did you mean '--json'?",
             ("show", "prots"): "subject: cannot show 'prots'; did you mean 'ports'?",
             ("fdb", "flsuh"): "unknown command of fdb 'flsuh'; did you mean 'flush'?",
             ("import", "ovss"): "unknown command of import 'ovss'; did you mean 'ovs'?",
             ("stats", "--al"): "unknown option '--al'; did you mean '--all'?",
             ("check", "a", "b"): "unknown argument of check 'b'"}
    for arguments, message in cases.items():
        done = ctl(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.splitlines()[0] == f"causewayctl: {message}"
    for arguments in ((), ("show", "xyzzy"), ("check",), ("fdb", "add", "br")):
        done = ctl(*arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 2, done
    done = run("causewayd", "-c", "/dev/null", "--log-level", "foo")
    assert done.returncode == 2 and "--log-level" in done.stderr and "'foo'" in done.stderr


def test_versions():
    for name in ("causewayd", "causewayctl"):
        done = run(name, "--version")
        assert done.returncode == 0 and done.stdout.startswith(f"{name} 0.")


def test_errors_are_json(file, tmp_path):
    nobody = ("--socket", tmp_path / "nobody.sock")
    bad = file("version: 2\n")
    cases = [(2, ("shwo",)), (2, ("show", "prots")), (2, ("check", bad)), (2, ("plan", bad)), (2, ("check", tmp_path)),
             (1, (*nobody, "show")), (1, (*nobody, "stats")), (1, (*nobody, "reload")), (1, (*nobody, "fdb", "flush")),
             (1, ("import", "ovs", "--db", f"unix:{tmp_path}/nobody.sock")), (2, ("import", "ovs", "--db", "tcp:127.0.0.1:6640")),
             (1, (*nobody, "capture")), (2, (*nobody, "capture", "-f", "udp prot 5")), (2, ("capture", "--in", "--out")),
             (1, (*nobody, "offloads", "test", "up0")), (1, (*nobody, "apply", file(GOOD, "good.yaml")))]
    for code, arguments in cases:
        done = ctl(*arguments, "--json")
        answer = json.loads(done.stdout)
        assert (done.returncode, done.stderr, list(answer)) == (code, "", ["errors"]), done
        assert answer["errors"] and all(isinstance(line, str) for line in answer["errors"])


def test_the_name_is_the_daemons_whatever_the_file_is_called(daemon, file):
    nothing = "nothing to change\n"
    other = file("# name: of nobody\n" + GOOD, "second.yaml")
    for verb in ("plan", "apply", "plan"):
        done = daemon.ctl(verb, other)
        assert (done.returncode, done.stdout) == (0, nothing), done
    named = file(GOOD.replace("version: 1", "version: 1\nsystem: {name: third}"), "first.yaml")
    for verb in ("plan", "apply", "reload"):
        done = daemon.ctl(verb, named) if verb != "reload" else daemon.ctl(verb)
        assert "system.name" in done.stdout + done.stderr, done
    same = file(GOOD.replace("version: 1", "version: 1\nsystem: {name: first}"), "fourth.yaml")
    for verb in ("plan", "apply"):
        assert daemon.ctl(verb, same).stdout == nothing


def test_a_daemon_warns_and_shows(daemon, file):
    path = file(WARNED)
    warning = f"{path}:4:11: warning: tunnels.t: is in no bridge: it carries nothing"
    for verb in ("plan", "apply"):
        done = daemon.ctl(verb, path)
        assert done.returncode == 0 and warning in done.stderr.splitlines() and "+ tunnel t" in done.stdout
    assert warning in daemon.output()
    assert warning in json.loads(daemon.ctl("--json", "apply", path).stdout)["warnings"]
    assert daemon.ctl("show", "flows").stdout == "no flows\n"
    assert json.loads(daemon.ctl("show", "flows", "--json").stdout) == {"cached": 0, "flows": []}
    # The environment layer of DPDK has nothing to say where nothing is wrong.
    assert "hugepages reported" not in daemon.output()


def test_a_reload_waits_for_no_pipe(daemon, tmp_path):
    os.unlink(tmp_path / "first.yaml")
    os.mkfifo(tmp_path / "first.yaml")
    started = time.monotonic()
    done = daemon.ctl("reload")
    assert done.returncode == 1 and "no file that ends" in done.stderr
    assert time.monotonic() - started < 3
