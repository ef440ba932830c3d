"""A stock ovsdb-server with Open vSwitch's schema, and a causewayd that it drives in the place of ovs-vswitchd.

Each has a database of its own, a child of the lab, with every file in a directory of the lab's: the system's service is
neither needed nor touched. ovs-vsctl finds it by OVS_RUNDIR, so its words are those that people type.
"""

import json
import os
import re
import time

from tests.support.overlay import two_hosts
from tests.support.process import LabError, run, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
START_S = 30
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BARE_FILE = {"version": 1, "system": {"hugepages": "off"}}


class OvsdbServer:
    """`timeout_s`: how long ovs-vsctl waits for whoever is in the place of ovs-vswitchd."""

    def __init__(self, host, timeout_s=START_S):
        self.host = host
        self.timeout_s = timeout_s
        self.directory = host.lab.path(f"{host.name}-ovs")
        self.environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory)
        self.socket = self.file("db.sock")
        os.makedirs(self.directory)
        run(["ovsdb-tool", "create", self.file("conf.db"), SCHEMA])
        self.start_server()
        self.vsctl("--no-wait", "init")

    def file(self, name):
        return os.path.join(self.directory, name)

    def start_server(self):
        self.server = self.spawn("ovsdb-server", self.file("conf.db"), f"--remote=punix:{self.socket}",
                                 f"--unixctl={self.file('ovsdb.ctl')}", until=self.answers)

    def answers(self):
        return self.host.run(["ovsdb-client", "--timeout=2", "list-dbs", f"unix:{self.socket}"], check=False,
                             quiet=True).returncode == 0

    def spawn(self, program, *arguments, until):
        process = self.host.spawn([program, *arguments, f"--pidfile={self.file(os.path.basename(program))}.pid"],
                                  env=self.environment)

        def up():
            if process.poll() is not None:
                raise LabError(f"{process.title} exited with {process.poll()}\n{process.tail()}")
            return until()
        wait_until(up, START_S, lambda: f"{process.title} is up\n{process.tail()}")
        return process

    def run(self, *arguments, check=True):
        """ovs-vsctl: the CompletedProcess."""
        started = time.monotonic()
        done = self.host.run(["ovs-vsctl", f"--timeout={self.timeout_s}", *arguments], timeout=self.timeout_s + 5,
                             check=check, env=self.environment)
        self.host.lab.say(f"    {1000 * (time.monotonic() - started):.0f} ms")
        return done

    def said(self, *arguments):
        """ovs-vsctl's exit status, output and errors, without what differs from one database to the next."""
        done = self.run(*arguments, check=False)
        return done.returncode, *(UUID.sub("<uuid>", text.replace(self.directory, "<directory>"))
                                  for text in (done.stdout, done.stderr))

    def show(self):
        """What `ovs-vsctl show` prints, with bridges and ports by name (it has them by UUID), without the version."""
        _, shown, _ = self.said("show")
        bridges = re.split(r"(?m)^(?= {4}Bridge )", re.sub(r"(?m)^ {4}ovs_version:.*\n", "", shown))
        return "".join("".join([head, *sorted(ports)]) for head, *ports in
                       (re.split(r"(?m)^(?= {8}Port )", bridge) for bridge in sorted(bridges)))

    def vsctl(self, *arguments):
        """What ovs-vsctl prints."""
        return self.run(*arguments).stdout

    def get(self, table, record, column):
        """The value of a column in OVSDB's JSON (RFC 7047 section 5.1)."""
        return json.loads(self.vsctl("--format=json", f"--columns={column}", "list", table, record))["data"][0][0]

    def error(self, interface):
        """Interface.error; None: there is none."""
        error = self.get("interface", interface, "error")
        return None if error == ["set", []] else error

    def add_tunnel(self, name, kind, remote, bridge="br-int", **options):
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name, f"type={kind}",
                   f"options:remote_ip={remote}", *(f"options:{key}={value}" for key, value in options.items()))


class Vsctl(OvsdbServer):
    """Called with words, it is ovs-vsctl. `file` is the gateway's own; without one the host has 172.31.0.`number` and
    fd00:31::`number` on up0, and keeps them."""

    def __init__(self, host, number=1, file=None):
        super().__init__(host, timeout_s=5)
        if file is None:
            host.address("up0", f"172.31.0.{number}/24", f"fd00:31::{number}/64")
            file = BARE_FILE
        self.gateway = host.causeway(file, arguments=["--ovsdb", f"unix:{self.socket}"])

    def __call__(self, *arguments):
        return self.vsctl(*arguments)

    def tunnel(self, name, kind, remote_ip, **options):
        self.add_tunnel(name, kind, remote_ip, "sw", **options)


def driven_hosts(lab):
    """h1 and h2, each with a causewayd that its database drives, and the containers c1 and c2 behind them."""
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=1400)
    return Vsctl(h1, 1), Vsctl(h2, 2), c1, c2
