"""Open vSwitch with its user-space datapath as a tunnel endpoint.

Each peer has its own ovsdb-server and ovs-vswitchd, children of the lab, with every file in a directory of their
own. The system's service is neither needed nor touched. The underlay's address sits on br-phy's internal port, as
the user-space datapath wants it: its tunnels find their way out through a copy of the kernel's routes.
"""

import os
import shutil

from tests.peers.cable import plain_cable
from tests.support.process import LabError, run, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# The plain build first: the DPDK one wants hugepages and looks for devices.
VSWITCHD = ("/usr/lib/openvswitch-switch/ovs-vswitchd", "ovs-vswitchd")
START_S = 30


class OvsPeer:
    """Stands on `host`; `ports` are its interfaces to containers, `tunnels` a list of (name, type, remote, key) or
    (name, type, remote, {option: value}).

    This datapath finishes no partial checksums: whatever sends to its interfaces has to have its offloads off
    (plain_cable), the containers' ends included.
    """

    def __init__(self, host, underlay, address, ports, tunnels):
        self.host = host
        self.directory = host.lab.path(f"{host.name}-ovs")
        os.makedirs(self.directory)
        self._start_daemons()
        self._configure(underlay, address, ports, tunnels)

    def _file(self, name):
        return os.path.join(self.directory, name)

    def _spawn(self, program, *arguments, until):
        environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory, OVS_DBDIR=self.directory)
        process = self.host.spawn([program, *arguments, f"--pidfile={self._file(os.path.basename(program))}.pid"],
                                  env=environment)

        def up():
            if process.poll() is not None:
                raise LabError(f"{process.title} exited with {process.poll()}\n{process.tail()}")
            return os.path.exists(until)
        wait_until(up, START_S, lambda: f"{process.title} makes {until}\n{process.tail()}")
        return process

    def _start_daemons(self):
        database, socket = self._file("conf.db"), self._file("db.sock")
        run(["ovsdb-tool", "create", database, SCHEMA])
        self.server = self._spawn("ovsdb-server", database, f"--remote=punix:{socket}",
                                  f"--unixctl={self._file('ovsdb.ctl')}", until=socket)
        self.vsctl("--no-wait", "init")
        switch = next(path for path in VSWITCHD if shutil.which(path))
        self.switch = self._spawn(switch, f"unix:{socket}", f"--unixctl={self._file('vswitchd.ctl')}",
                                  until=self._file("vswitchd.ctl"))

    def _configure(self, underlay, address, ports, tunnels):
        plain_cable(self.host, underlay, *ports)
        self.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                   f"other-config:hwaddr={self.host.mac(underlay)}", "--", "add-port", "br-phy", underlay)
        self.host.ip("link", "set", "br-phy", "up")
        self.host.address("br-phy", address)
        self.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
        for port in ports:
            self.vsctl("add-port", "br-int", port)
        for name, kind, remote, key in tunnels:
            self.add_tunnel(name, kind, remote, **(key if isinstance(key, dict) else {"key": key}))

    def add_tunnel(self, name, kind, remote, bridge="br-int", **options):
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name, f"type={kind}",
                   f"options:remote_ip={remote}", *(f"options:{key}={value}" for key, value in options.items()))

    def vsctl(self, *arguments):
        return self.host.run(["ovs-vsctl", f"--db=unix:{self._file('db.sock')}", f"--timeout={START_S}", *arguments],
                             timeout=START_S + 5).stdout

    def appctl(self, *arguments):
        """Asks ovs-vswitchd, e.g. appctl("dpif/show") or appctl("fdb/show", "br-int")."""
        return self.host.run(["ovs-appctl", "-t", self._file("vswitchd.ctl"), *arguments]).stdout

    def stop(self):
        self.switch.stop()
        self.server.stop()
