"""A database with thousands of ports, and who stands in the place of ovs-vswitchd: causewayd, and ovs-vswitchd itself.

    ./run bench ovs-ports --quick       1,000 ports
    ./run bench ovs-ports               and 10,000
    ./run bench ovs-ports --only veths  rows with this word in their name

For each: seconds from the daemon's start until a ping comes through a tunnel, and until all ports are told to be there;
the daemon's processor time for each second in which nobody asks for anything; then one more port, ten times: how long
ovs-vsctl takes, and the processor time that it costs beyond that; and what a ping in a bridge of its own, a hundred a
second, loses. Processor time is the control thread's in Causeway, all of it in Open vSwitch.
"""

import argparse
import dataclasses
import itertools
import os
import re
import signal
import statistics
import sys
import time

from bench import machine, report
from bench.json_socket import JsonSocket
from bench.pipeline import FIGURES, say
from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsSwitch
from tests.support import traffic
from tests.support.lab import Lab
from tests.support.ovsdb import BARE_FILE, OvsdbServer
from tests.support.overlay import gateway, two_hosts
from tests.support.process import LabError, run, wait_until

PATIENCE_S = 300
IDLE_S = 5  # as often the statistics are told
MORE = 10  # ports, one by one
LOCAL, REMOTE, KEY = "172.31.0.1", "172.31.0.2", 123
FIRST_KEY = 1000


@dataclasses.dataclass(frozen=True)
class Row:
    kind: str
    ports: int
    start_bar_s: float

    @property
    def name(self):
        return f"{self.kind}-{self.ports}"

    def settings(self, number):
        """type and options of the Interface."""
        if self.kind == "tunnels":
            return {"type": "geneve", "options": {"remote_ip": REMOTE, "key": str(FIRST_KEY + number)}}
        return {}

    def make_devices(self, host):
        if self.kind != "veths":
            return  # tunnels need none, and what is missing has none
        batch = host.lab.path("links")
        with open(batch, "w") as file:
            for number in range(self.ports + MORE):
                file.write(f"link add p{number} type veth peer name q{number}\nlink set p{number} up\nlink set q{number} up\n")
        run(["ip", "-n", host.netns, "-batch", batch], timeout=120)


ROWS = [Row("tunnels", 1000, 1), Row("veths", 1000, 1), Row("missing", 1000, 1),
        Row("tunnels", 10000, 10), Row("missing", 10000, 10)]
ONE_MORE_BAR_MS = 20


class Causewayd(OvsdbServer):
    name = "causeway"

    def __init__(self, host):
        super().__init__(host, PATIENCE_S)

    def start(self):
        file = {**BARE_FILE, "ethernets": {"up0": {"addresses": [f"{LOCAL}/24"]}}}
        self.process = self.host.causeway(file, arguments=["--ovsdb", f"unix:{self.socket}"]).process
        return self.process.pid

    def busy_ns(self, pid):
        return machine.thread_ns(pid, pid)


class OvsVswitchd(OvsSwitch):
    name = "ovs"

    def __init__(self, host):
        OvsdbServer.__init__(self, host, PATIENCE_S)  # the daemon isn't started before the database is full
        plain_cable(host, "up0", "c1")
        mac = host.mac("up0")
        self.vsctl("--no-wait", "add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                   f"other-config:hwaddr={mac}", "--", "add-port", "br-phy", "up0")

    def start(self):
        self.start_switch()
        wait_until(lambda: "br-phy" in self.host.interfaces(), PATIENCE_S, "br-phy is there")
        self.host.ip("link", "set", "br-phy", "up")
        self.host.address("br-phy", f"{LOCAL}/24")
        self.process = self.switch
        return self.process.pid

    def busy_ns(self, pid):
        return sum(machine.thread_ns(pid, thread) for thread in os.listdir(f"/proc/{pid}/task"))


SUBJECTS = (Causewayd, OvsVswitchd)


def fill(server, row):
    """All of the row's ports in one transaction, as if they had been there for long."""
    for bridge in ("br-int", "br-many"):
        server.vsctl("--no-wait", "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")
    server.vsctl("--no-wait", "add-port", "br-int", "c1")
    server.vsctl("--no-wait", "add-port", "br-int", "tun", "--", "set", "interface", "tun", "type=geneve",
                 f"options:remote_ip={REMOTE}", f"options:key={KEY}")
    operations, uuids = [], []
    for number in range(row.ports):
        settings = {key: ["map", list(map(list, value.items()))] if isinstance(value, dict) else value
                    for key, value in row.settings(number).items()}
        name = f"p{number}"
        operations += [{"op": "insert", "table": "Interface", "uuid-name": f"i{number}", "row": {"name": name, **settings}},
                       {"op": "insert", "table": "Port", "uuid-name": name,
                        "row": {"name": name, "interfaces": ["named-uuid", f"i{number}"]}}]
        uuids.append(["named-uuid", name])
    operations += [{"op": "mutate", "table": "Bridge", "where": [["name", "==", "br-many"]],
                    "mutations": [["ports", "insert", ["set", uuids]]]},
                   {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]}]
    transact(server, operations)


def transact(server, operations):
    connection = JsonSocket(server.socket)
    answer = connection.ask({"id": 1, "method": "transact", "params": ["Open_vSwitch", *operations]})[0]
    connection.close()
    if answer["error"] or any("error" in result for result in answer["result"] if result):
        raise LabError(f"the database refuses: {answer['error'] or [r for r in answer['result'] if r and 'error' in r][:3]}")
    return answer["result"]


def is_applied(server):
    numbers = transact(server, [{"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg", "next_cfg"]}])
    row = numbers[0]["rows"][0]
    return row["cur_cfg"] >= row["next_cfg"]


def working_ports(server):
    rows = transact(server, [{"op": "select", "table": "Interface", "where": [], "columns": ["ofport"]}])[0]["rows"]
    return sum(isinstance(row["ofport"], int) and row["ofport"] > 0 for row in rows)


class Ping:
    """A hundred a second."""

    def __init__(self, source, target):
        self.process = source.spawn(["ping", "-n", "-D", "-i", "0.01", target.ip4], title="ping")

    def first_answer(self):
        """When it came, in seconds since the epoch."""
        return wait_until(lambda: re.search(r"\[(\d+\.\d+)\] \d+ bytes from", self.process.output()), PATIENCE_S,
                          "a ping is answered").group(1)

    def lost(self):
        """Of how many, up to the last that was answered: what was on its way at the end is none."""
        self.process.stop(signal.SIGINT)
        return traffic.unanswered(self.process.output())


def idle_share(server, pid):
    """Of a processor, when nothing changes."""
    before, started = server.busy_ns(pid), time.monotonic()
    time.sleep(IDLE_S)
    return (server.busy_ns(pid) - before) / 1e9 / (time.monotonic() - started)


def one_more(server, row, pid, number, idle):
    """(seconds of ovs-vsctl, of the daemon's processor time for it)"""
    settings = row.settings(number)
    words = [f"type={settings['type']}"] if settings else []
    words += [f"options:{key}={value}" for key, value in settings.get("options", {}).items()]
    before, started = server.busy_ns(pid), time.monotonic()
    server.vsctl("add-port", "br-many", f"p{number}", *(["--", "set", "interface", f"p{number}", *words] if words else []))
    took_s = time.monotonic() - started
    return took_s, (server.busy_ns(pid) - before) / 1e9 - idle * took_s


def introduce(*containers):
    """Nobody has to ask for an address: that would be flooded."""
    for one, other in itertools.permutations(containers, 2):
        one.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        one.ip("neigh", "add", other.ip4, "lladdr", other.mac("eth0"), "dev", "eth0")


def measure(subject, row):
    with Lab(echo=False) as lab:
        h1, h2, c1, c2 = two_hosts(lab, container_mtu=1400)
        introduce(c1, c2)
        if subject is OvsVswitchd:
            plain_cable(c1, "eth0")
            plain_cable(h2, "up0")
        row.make_devices(h1)
        server = subject(h1)
        fill(server, row)
        h2.causeway(gateway(2, "geneve"))
        ping = Ping(c1, c2)
        started = time.time()
        pid = server.start()
        forwarding_s = float(ping.first_answer()) - started
        wait_until(lambda: is_applied(server), PATIENCE_S, "all ports are applied", interval=0.05)
        applied_s = time.time() - started
        ping.process.stop(signal.SIGINT)
        ports = working_ports(server)
        time.sleep(IDLE_S)
        ping = Ping(c1, c2)
        ping.first_answer()
        idle = idle_share(server, pid)
        more = [one_more(server, row, pid, row.ports + number, idle) for number in range(MORE)]
        time.sleep(0.5)
        lost, sent = ping.lost()
        server.process.stop(timeout=PATIENCE_S)  # the kernel takes long for a thousand sockets
        return {"forwarding_s": forwarding_s, "applied_s": applied_s, "working_ports": ports, "idle_ms_per_s": 1000 * idle,
                "add_port_ms": [1000 * took for took, _ in more], "busy_ms": [1000 * busy for _, busy in more],
                "lost": lost, "sent": sent}


def cells(row, subject, figures):
    if "wrong" in figures:
        say(f"{row.name}, {subject}: {figures['wrong']}")
        return [row.name, subject, *["FAILED"] * (len(HEADINGS) - 2)]
    add_port, busy = (statistics.median(figures[key]) for key in ("add_port_ms", "busy_ms"))
    verdicts = []
    if subject == Causewayd.name:
        verdicts = [f"start {'met' if figures['forwarding_s'] <= row.start_bar_s else 'not met'}",
                    f"one more {'met' if busy <= ONE_MORE_BAR_MS else 'not met'}",
                    f"loss {'met' if figures['lost'] == 0 else 'not met'}"]
    return [row.name, subject, f"{figures['forwarding_s']:.2f}", f"{figures['applied_s']:.2f}", f"{figures['idle_ms_per_s']:.1f}",
            f"{add_port:.0f}", f"{busy:.1f}", f"{figures['lost']} of {figures['sent']}", ", ".join(verdicts)]


HEADINGS = ["row", "subject", "s to forwarding", "s to all ports", "idle, ms a second", "add-port, ms", "processor, ms", "lost",
            "bars"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smaller rows")
    parser.add_argument("--only", metavar="WORD", default="", help="rows with this word in their name")
    parser.add_argument("--subjects", nargs="+", choices=[subject.name for subject in SUBJECTS],
                        default=[subject.name for subject in SUBJECTS])
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.only in row.name and (row.ports <= 1000 or not arguments.quick)]
    if not rows:
        sys.exit("bench: no row has that word in its name")
    measured, lines = [], []
    for row in rows:
        for subject in SUBJECTS:
            if subject.name not in arguments.subjects:
                continue
            try:
                figures = measure(subject, row)
            except LabError as error:
                figures = {"wrong": str(error)}
            measured.append({"name": row.name, "subject": subject.name, **figures})
            lines.append(cells(row, subject.name, figures))
            say("  ".join(lines[-1]))
    results = {**report.origin(), "seconds": 0, "rounds": 1, "rows": measured}
    table = report.aligned([HEADINGS, *lines], left=2)
    whole = rows == ROWS and len(arguments.subjects) == len(SUBJECTS)
    report.write_json(results, os.path.join(FIGURES, "ovs-ports.json" if whole else "ovs-ports-part.json"))
    if whole:
        report.write_section("ovs-ports", results, table)
    say("\n" + table)
    return 1 if any("wrong" in each for each in measured) else 0
