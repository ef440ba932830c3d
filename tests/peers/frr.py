"""FRR in a namespace: zebra, bgpd and bfdd, children of the lab, with sockets and files in a directory of their own.

The system's service is neither needed nor touched. The daemons run in the foreground, without watchfrr: who kills one
starts it again by itself.
"""

import json
import os
import shutil
import signal

from tests.support.process import LabError, wait_until

FOLDER = "/usr/lib/frr"
USER = "frr"            # whom the daemons become; Debian's package makes it
START_S = 30
NETLINK_BUFFER_BYTES = 90_000_000   # the default one loses neighbor events
DAEMONS = ("zebra", "bgpd", "bfdd")


class Frr:
    """Nothing runs before start(). `name`: for a second one on the same host."""

    def __init__(self, host, name=None):
        self.host = host
        self.directory = host.lab.path(f"{name or host.name}-frr")
        self.running = {}
        os.makedirs(self.directory)
        shutil.chown(self.directory, USER, USER)
        with open(self.file("vtysh.conf"), "w") as file:
            file.write("service integrated-vtysh-config\n")

    def file(self, name):
        return os.path.join(self.directory, name)

    def start(self, conf, daemons=DAEMONS):
        """All of them, with `conf` (the text of a frr.conf). Zebra is the first of `daemons`."""
        with open(self.file("frr.conf"), "w") as file:
            file.write(conf)
        for daemon in daemons:
            self._spawn(daemon)
        self._configure()
        return self

    def restart(self, *daemons):
        """Those that were killed, or all that there were."""
        for daemon in daemons or list(self.running):
            if self.alive(daemon):
                self.kill(daemon, signal.SIGTERM)
            self._spawn(daemon)
        self._configure()

    def kill(self, daemon, signum=signal.SIGKILL):
        """One daemon, and returns when it has ended."""
        self.running[daemon].child.send_signal(signum)
        self.running[daemon].wait(START_S, check=False)

    def stop(self):
        for daemon in reversed(self.running):
            if self.alive(daemon):
                self.kill(daemon, signal.SIGTERM)

    def alive(self, daemon):
        return self.running[daemon].poll() is None

    def vtysh(self, *commands, timeout=30, check=True):
        """What vtysh prints for these commands, one after the other."""
        words = [word for command in commands for word in ("-c", command)]
        return self._vtysh(*words, timeout=timeout, check=check).stdout

    def json(self, command, timeout=30):
        """The object that `command json` prints; nothing at all, as zebra says of a VNI that it doesn't know: an empty one."""
        said = self.vtysh(f"{command} json", timeout=timeout).strip() or "{}"
        try:
            return json.loads(said)
        except json.JSONDecodeError as error:
            raise LabError(f"vtysh on {self.host.name}: {command} json ({error}):\n{said[:500]}") from None

    def memory_mb(self, daemon):
        """Resident now."""
        with open(f"/proc/{self.running[daemon].pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) // 1024

    def _vtysh(self, *words, timeout=30, check=True):
        return self.host.run(["vtysh", "--vty_socket", self.directory, "--config_dir", self.directory, *words],
                             timeout=timeout, check=check, quiet=True)

    def _configure(self):
        self._vtysh("-b")

    def _spawn(self, daemon):
        vty = self.file(f"{daemon}.vty")
        if os.path.exists(vty):
            os.unlink(vty)  # of one that was killed
        options = {"zebra": ["-s", NETLINK_BUFFER_BYTES], "bfdd": ["--bfdctl", self.file("bfdd.sock")]}.get(daemon, [])
        process = self.host.spawn(
            [os.path.join(FOLDER, daemon), "-f", os.devnull, "-i", self.file(f"{daemon}.pid"), "-z", self.file("zserv.api"),
             "--vty_socket", self.directory, "-P", 0, "--log", "stdout", "--limit-fds", 1024, *options],
            title=f"{daemon}-{self.host.name}")
        self.running[daemon] = process

        def up():
            if process.poll() is not None:
                raise LabError(f"{process.title} exited with {process.poll()}\n{process.tail()}")
            return os.path.exists(vty)
        wait_until(up, START_S, lambda: f"{process.title} is up\n{process.tail()}")
