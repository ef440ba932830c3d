#!/usr/bin/python3
"""Records what a real ovs-vswitchd answers ovs-appctl: record.py writes recorded.h beside it anew. Its ports, and its clock
once it is stopped, are OVS' own dummies, so nothing of the machine is touched."""

import glob
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
VSWITCHD = "/usr/lib/openvswitch-switch/ovs-vswitchd"
HERE = os.path.dirname(os.path.abspath(__file__))

BRIDGE = ("add-br br0 -- set bridge br0 datapath_type=dummy other-config:hwaddr=02:00:00:00:00:f0 "
          "-- add-port br0 p1 -- set interface p1 type=dummy-pmd ofport_request=1 "
          "-- add-port br0 p2 -- set interface p2 type=dummy-pmd ofport_request=2 "
          "-- add-port br0 tun0 -- set interface tun0 type=geneve options:remote_ip=172.31.0.2 options:key=123 ofport_request=7")


def frame(source, vlan=None):
    eth = f"eth(src=02:00:00:00:00:{source},dst=ff:ff:ff:ff:ff:ff),"
    return eth + (f"eth_type(0x8100),vlan(vid={vlan},pcp=0),encap(eth_type(0x1234))" if vlan else "eth_type(0x1234)")


# A name of the constant, if it is one, and what is asked.
ASKED = [
    (None, "version"),
    (None, "foo", "bar"),
    (None, "fdb/show"),
    (None, "fdb/show", "br0", "br1"),
    (None, "fdb/show", "none"),
    (None, "fdb/flush", "none"),
    (None, "fdb/stats-show", "none"),
    (None, "fdb/add", "none", "p1", "0", "02:00:00:00:00:09"),
    (None, "fdb/add", "br0", "none", "0", "02:00:00:00:00:09"),
    (None, "fdb/add", "br0", "p1", "0", "nonsense"),
    (None, "fdb/del", "none", "0", "02:00:00:00:00:09"),
    (None, "fdb/del", "br0", "0", "02:00:00:00:00:09"),
    (None, "fdb/del", "br0", "0", "nonsense"),
    (None, "fdb/flush"),
    ("", "netdev-dummy/receive", "p1", "in_port(1)," + frame("01")),
    ("", "time/warp", "7000", "1000"),
    ("", "netdev-dummy/receive", "p2", "in_port(2)," + frame("02", 10)),
    ("", "time/warp", "60000", "1000"),
    ("", "netdev-dummy/receive", "br0", "in_port(100)," + frame("f0")),
    (None, "fdb/add", "br0", "p2", "0", "02:00:00:00:00:03"),
    (None, "fdb/add", "br0", "p1", "0", "02:00:00:00:00:03"),
    (None, "fdb/add", "br0", "p1", "0", "02:00:00:00:00:03"),
    (None, "fdb/add", "br0", "p2", "10", "02:00:00:00:00:02"),
    (None, "fdb/del", "br0", "10", "02:00:00:00:00:02"),
    (None, "fdb/del", "br0", "0", "02:00:00:00:00:01"),
    ("", "netdev-dummy/receive", "p2", "in_port(2)," + frame("02", 10)),
    ("", "time/warp", "3000", "1000"),
    ("kFdbShow", "fdb/show", "br0"),
    ("kFdbStatistics", "fdb/stats-show", "br0"),
    (None, "fdb/flush", "br0"),
    ("kFdbShowFlushed", "fdb/show", "br0"),
    ("kFdbStatisticsFlushed", "fdb/stats-show", "br0"),
    ("kDpifShow", "dpif/show"),
    ("kDpctlShow", "dpctl/show"),
    ("kDpctlShowStatistics", "dpctl/show", "-s"),
    (None, "dpctl/show", "none"),
    ("", "netdev-dummy/ip4addr", "br0", "172.31.0.1/24"),
    ("", "ovs/route/add", "10.0.0.0/8", "br0", "172.31.0.9"),
    ("", "ovs/route/add", "172.31.0.0/24", "br0"),
    ("", "tnl/neigh/set", "br0", "172.31.0.2", "02:00:00:00:00:02"),
    ("", "tnl/neigh/set", "br0", "fd00:31::2", "02:00:00:00:00:02"),
    ("kNeighbors", "tnl/neigh/show"),
    ("kRoutes", "ovs/route/show"),
    ("kQueues", "dpif-netdev/pmd-rxq-show"),
    ("kPmdStatistics", "dpif-netdev/pmd-stats-show"),
    ("kCoverage", "coverage/show"),
    ("kMemory", "memory/show"),
    (None, "vlog/set"),
    (None, "vlog/set", "nonsense"),
    (None, "vlog/set", "console:info:warn"),
    (None, "vlog/set", "console:file:warn"),
    (None, "vlog/set", "ANY:console:info"),
    ("kCommands", "list-commands"),
]


# Of texts in which much is only OVS'.
LINES = {
    "kCoverage": r"Event coverage|netdev_|\d+ events",
    "kCommands": r"The available|  (list-commands|version|exit|coverage/show|memory/show|vlog/set|dpctl/show|dpif/show|ovs/route/show|"
                 r"tnl/neigh/show|fdb/(show|flush|stats-show|add|del)|dpif-netdev/pmd-(rxq|stats)-show) ",
}


class Switch:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "OVS_RUNDIR": folder, "OVS_LOGDIR": folder, "OVS_DBDIR": folder}
        self.children = []
        subprocess.run(["ovsdb-tool", "create", f"{folder}/conf.db", SCHEMA], check=True)
        self.spawn("ovsdb-server", f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock")
        self.vsctl("--no-wait init")
        self.spawn(VSWITCHD, f"unix:{folder}/db.sock", "--enable-dummy", "--disable-system", "--disable-system-route")

    def spawn(self, program, *arguments):
        name = os.path.basename(program)
        with open(f"{self.folder}/{name}.out", "wb") as output:
            self.children.append(subprocess.Popen([program, *arguments, f"--pidfile={self.folder}/{name}.pid"],
                                                  env=self.environment, stdout=output, stderr=output))
        while not glob.glob(f"{self.folder}/{name}.*.ctl"):
            time.sleep(0.05)

    def vsctl(self, line):
        subprocess.run(["ovs-vsctl", f"--db=unix:{self.folder}/db.sock", *line.split()], check=True, env=self.environment)

    def ask(self, method, *arguments):
        """(request, answer), as they are on the wire."""
        request = json.dumps({"id": 0, "method": method, "params": arguments}, separators=(",", ":"))
        answer = ""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(glob.glob(f"{self.folder}/ovs-vswitchd.*.ctl")[0])
            client.sendall(request.encode())
            while True:
                answer += client.recv(1 << 16).decode()
                try:
                    json.loads(answer)
                    return request, answer
                except json.JSONDecodeError:
                    pass

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait()


def recorded(switch):
    switch.vsctl(BRIDGE)
    for port in ("p1", "p2", "br0"):
        switch.ask("netdev-dummy/set-admin-state", port, "up")
    switch.ask("time/stop")
    exchanges, constants = [], []
    for name, *asked in ASKED:
        request, answer = switch.ask(*asked)
        if name == "":
            print(asked, answer)
        elif name is None:
            exchanges.append(f'    {{R"~({request})~",\n     R"~({answer})~"}},\n')
        else:
            text = "".join(line for line in json.loads(answer)["result"].splitlines(keepends=True)
                           if re.match(LINES.get(name, ""), line))
            constants.append(f'constexpr const char* {name} = R"~({text})~";\n')
    return exchanges, constants


def main():
    with tempfile.TemporaryDirectory(prefix="causeway-unixctl-") as folder:
        switch = Switch(folder)
        try:
            exchanges, constants = recorded(switch)
        finally:
            switch.stop()
    with open(f"{HERE}/recorded.h", "w", encoding="utf-8") as file:
        file.write("// What ovs-vswitchd 3.1 (Debian 12) answered; made by record.py, which says what stood there.\n"
                   "#pragma once\n\nnamespace causeway::unixctl {\n\n"
                   "struct Exchange {\n  const char* request;\n  const char* answer;\n};\n\n"
                   "// clang-format off\nconstexpr Exchange kExchanges[] = {\n" + "".join(exchanges) + "};\n\n"
                   + "\n".join(constants) + "// clang-format on\n\n}  // namespace causeway::unixctl\n")


if __name__ == "__main__":
    main()
