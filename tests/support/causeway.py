"""causewayd in a namespace of the lab, and causewayctl to talk to it."""

import json
import os
import signal
import time

import yaml

from tests.support.process import LabError, run, tail

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def program(name, build=None):
    """Path of causewayd or causewayctl: anywhere under `build`, which is $CAUSEWAY_BUILD or ./build."""
    build = build or os.environ.get("CAUSEWAY_BUILD", os.path.join(TOP, "build"))
    for folder, _, files in sorted(os.walk(build)):
        path = os.path.join(folder, name)
        if name in files and os.access(path, os.X_OK):
            return path
    raise LabError(f"no {name} under {build}: build first, or name the build folder in CAUSEWAY_BUILD")


def write_yaml(config, file):
    """`config`: YAML text, or what it means as a dict."""
    with open(file, "w") as output:
        output.write(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))
    return file


class Causeway:
    """A running causewayd. Returned by Host.causeway() once its control socket answers."""

    def __init__(self, host, config, ready_s=20, arguments=(), stderr=None, path=None, by=()):
        """`stderr`: a file or pipe for the log, which log() doesn't have then. `path`: of the program, another copy. `by`:
        a command that runs it, as setpriv."""
        self.host = host
        self.config = config
        self.file = write_yaml(config, host.lab.path(f"{host.name}.yaml"))
        self.socket = host.lab.path(f"{host.name}.sock")
        self.applied = 0
        command = [*by, path or program("causewayd"), "-c", self.file, "--socket", self.socket, *arguments]
        if stderr:
            command = ["sh", "-c", 'exec "$@" 2> "$0"', stderr, *command]
        self.process = host.spawn(command, title=f"causewayd-{host.name}")
        self._await_ready(ready_s)

    def _await_ready(self, ready_s):
        deadline = time.monotonic() + ready_s
        while True:
            answer = None
            if os.path.exists(self.socket):
                answer = self.ctl_run("--json", "show", "ports", check=False)
                if answer.returncode == 0:
                    return
            if self.process.poll() is not None:
                raise LabError(f"causewayd on {self.host.name} exited with {self.process.poll()}\n{self.log()}")
            if time.monotonic() > deadline:
                why = f"causewayctl said:\n{tail(answer.stdout + answer.stderr)}" if answer else f"no socket at {self.socket}"
                raise LabError(f"causewayd on {self.host.name} is not ready after {ready_s} s; {why}\n{self.log()}")
            time.sleep(0.05)

    @property
    def pid(self):
        return self.process.pid

    def log(self, lines=40):
        return self.process.tail(lines)

    def ctl_run(self, *arguments, check=True, timeout=15):
        """causewayctl as people type it, without --json: the CompletedProcess."""
        try:
            return run([program("causewayctl"), "--socket", self.socket, *arguments], check=check, timeout=timeout)
        except LabError as error:
            raise LabError(f"{error}\n{self.log(15)}") from None

    def ctl(self, *arguments, timeout=15):
        """causewayctl --json: the parsed answer."""
        done = self.ctl_run("--json", *arguments, timeout=timeout)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise LabError(f"causewayctl {' '.join(arguments)} printed no JSON ({error}):\n{tail(done.stdout)}") from None

    def apply(self, config, *arguments, check=True, timeout=30):
        """Applies a whole new configuration to the running daemon."""
        self.applied += 1
        file = write_yaml(config, self.host.lab.path(f"{self.host.name}.{self.applied}.yaml"))
        return self.ctl_run("apply", file, *arguments, check=check, timeout=timeout)

    def reload(self, config):
        """Rewrites the file it was started with and sends SIGHUP. Returns at once."""
        write_yaml(config, self.file)
        self.process.child.send_signal(signal.SIGHUP)

    def row(self, table, name):
        """The object of `show TABLE` with this name."""
        rows = [row for row in self.ctl("show", table) if row["name"] == name]
        if len(rows) != 1:
            raise LabError(f"show {table} on {self.host.name} has {len(rows)} rows named {name}")
        return rows[0]

    def drops(self):
        """reason -> count, only those that are not zero."""
        return {reason: count for reason, count in self.ctl("stats")["drops"].items() if count}

    def lost(self):
        """drops() without what hosts and routers say to everybody: announcements, membership reports."""
        return {reason: count for reason, count in self.drops().items() if reason not in ("control_ignored", "host_traffic")}

    def rss_mb(self):
        """Memory in use now."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) // 1024

    def cpu_s(self):
        """Processor time so far, all threads, user and system."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def upgrade(self, check=True, timeout=60):
        """`causewayctl upgrade`: the CompletedProcess. The new process is no child: it goes with its namespace."""
        return self.ctl_run("upgrade", check=check, timeout=timeout)

    def stop(self, timeout=10):
        """SIGTERM; anything but a clean exit in time is an error."""
        code = self.process.stop(signal.SIGTERM, timeout)
        if code != 0:
            raise LabError(f"causewayd on {self.host.name} exited with {code}\n{self.log()}")
