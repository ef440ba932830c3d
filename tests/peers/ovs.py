"""Open vSwitch with its user-space datapath: as a switch, and as a tunnel endpoint.

Each has its own ovsdb-server and ovs-vswitchd, children of the lab, with every file in a directory of their
own. The system's service is neither needed nor touched. The underlay's address sits on br-phy's internal port, as
the user-space datapath wants it: its tunnels find their way out through a copy of the kernel's routes.
"""

import os
import shutil

from tests.peers.cable import plain_cable
from tests.support.ovsdb import OvsdbServer

# The plain build first: the DPDK one wants hugepages and looks for devices.
VSWITCHD = ("/usr/lib/openvswitch-switch/ovs-vswitchd", "ovs-vswitchd")


class OvsSwitch(OvsdbServer):
    """ovs-vswitchd without bridges. Give each datapath_type=netdev: the kernel's datapath isn't everywhere.

    This datapath finishes no partial checksums: whatever sends to its interfaces has to have its offloads off
    (plain_cable), the containers' ends included.
    """

    def __init__(self, host):
        super().__init__(host)
        self.start_switch()

    def start_switch(self):
        program = next(path for path in VSWITCHD if shutil.which(path))
        control = self.file("vswitchd.ctl")
        self.switch = self.spawn(program, f"unix:{self.socket}", f"--unixctl={control}",
                                 until=lambda: os.path.exists(control))

    def appctl(self, *arguments):
        """Asks ovs-vswitchd, e.g. appctl("dpif/show") or appctl("fdb/show", "br-int")."""
        return self.host.run(["ovs-appctl", "-t", self.file("vswitchd.ctl"), *arguments]).stdout

    def stop(self):
        self.switch.stop()
        self.server.stop()


class OvsPeer(OvsSwitch):
    """Stands on `host`; `ports` are its interfaces to containers, `tunnels` a list of (name, type, remote, key) or
    (name, type, remote, {option: value})."""

    def __init__(self, host, underlay, address, ports, tunnels):
        super().__init__(host)
        plain_cable(host, underlay, *ports)
        self.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                   f"other-config:hwaddr={host.mac(underlay)}", "--", "add-port", "br-phy", underlay)
        host.ip("link", "set", "br-phy", "up")
        host.address("br-phy", *([address] if isinstance(address, str) else address))
        self.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
        for port in ports:
            self.vsctl("add-port", "br-int", port)
        for name, kind, remote, key in tunnels:
            self.add_tunnel(name, kind, remote, **(key if isinstance(key, dict) else {"key": key}))
