"""A gateway that ends and comes back: streams go on after a moment, and nobody gets what isn't his."""

import copy
import datetime
import os
import re
import shutil
import signal
import time

import pytest
import yaml

from tests.support import traffic
from tests.support.causeway import program
from tests.support.overlay import CONTAINER_MTU, gateway, two_hosts
from tests.support.process import wait_until

pytestmark = pytest.mark.alone

# Says when the program begins: what is before that is the lab's.
TELLING_WHEN = ["sh", "-c", 'date +%s.%N; exec "$0" "$@"']


def mac_of(container):
    return container.run(["cat", "/sys/class/net/eth0/address"], quiet=True).stdout.strip()


class Network:
    """c1 behind h1, c2 behind h2, a tunnel between; on h1's bridge also d1, the TAP's container t1, and a bystander."""

    def __init__(self, lab, path=None):
        self.lab = lab
        self.path = path
        self.state = lab.path("state")
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        self.d1 = self.h1.container("d1", address="10.1.0.11/24", mtu=CONTAINER_MTU)
        self.bystander = self.h1.container("by", mtu=CONTAINER_MTU)
        self.h2.causeway(gateway(2, "geneve"))
        self.g1 = self.start()
        self.t1 = self.h1.container("t1", address="10.1.0.12/24", mtu=CONTAINER_MTU, tap="lan1")
        for target in (self.c2, self.d1, self.t1):
            traffic.ping(self.c1, target.ip4)
        for source in (self.c2, self.d1, self.t1):  # so that all know each other
            traffic.ping(source, self.c1.ip4)

    def start(self):
        ports = {"c1": {}, "d1": {}, "by": {}, "lan1": {"tap": {}}}
        config = gateway(1, "geneve", ports=ports, system={"name": "gw1"})
        return self.h1.causeway(config, arguments=["--state", self.state], path=self.path, by=TELLING_WHEN)

    def restart(self, signum):
        """Ends the gateway by a signal, and starts it again: its exit status, and the log of the next one. Prints what of
        the gap was whose."""
        asked = time.time()
        self.g1.process.child.send_signal(signum)
        code = self.g1.process.wait(check=False)
        ended = time.time()
        self.g1 = self.start()
        said = self.g1.process.wait_for("gw1 is running").output()
        began = float(said.split(maxsplit=1)[0])
        ran = datetime.datetime.fromisoformat(re.search(r"^(\S+ \S+) info: gw1 is running", said, re.M)[1]).timestamp()
        times = [f"{(after - before) * 1000:.0f} ms" for before, after in ((asked, ended), (ended, began), (began, ran))]
        print("it ended in {}, the lab took {}, the next one ran in {}".format(*times))
        return code, said

    def known(self):
        """The text of what was kept last."""
        try:
            with open(os.path.join(self.state, "learnt")) as file:
                return file.read()
        except FileNotFoundError:
            return ""


class Streams:
    """1,000 datagrams a second from c1 to each of `targets`, as long as the `with` block lasts; what the bystander got."""

    def __init__(self, network, targets, what):
        self.network = network
        self.targets = targets
        self.what = what

    def __enter__(self):
        network = self.network
        self.capture = network.lab.capture(network.bystander, "eth0", filter="udp", snap_bytes=64)
        self.streams = [traffic.UdpStream(network.c1, target, target.ip4, port=40000 + number)
                        for number, target in enumerate(self.targets)]
        self.passed(200)
        return self

    def passed(self, count):
        """Until each receiver has got so many more than it had."""
        def received():
            return [int(re.search(r"Udp: (\d+)", target.run("grep ^Udp: /proc/net/snmp | tail -1", quiet=True).stdout)[1])
                    for target in self.targets]
        before = received()
        wait_until(lambda: all(now >= old + count for now, old in zip(received(), before)), 30,
                   f"streams go on after {self.what}")

    def __exit__(self, kind, *_):
        if kind is None:
            self.passed(500)
        reports = [stream.stop() for stream in self.streams]
        self.capture.stop()
        if kind is not None:
            return
        self.lost = [len(report["lost"]) for report in reports]
        self.gaps_ms = [report["longest_gap_ms"] for report in reports]
        self.flooded = self.capture.count_bpf("udp")
        print(f"{self.what}: of {[report['sent'] for report in reports]} datagrams lost {self.lost}, longest gap {self.gaps_ms} ms, "
              f"flooded {self.flooded}")
        assert self.flooded == 0


@pytest.fixture
def network(lab):
    return Network(lab)


def test_a_restart_forgets_nothing(network):
    with Streams(network, [network.c2, network.d1], "restart"):
        code, said = network.restart(signal.SIGTERM)
    assert code == 0
    # lan1's container has gone with its TAP; its MAC may come back.
    assert re.search(r"learnt before: [4-9] MACs, 1 neighbors, 0 VTEPs, 0 path MTUs; \d no longer fit", said)
    assert network.g1.lost() == {}


def test_a_crash_forgets_little(network):
    behind = {network.c2: "tun0 172.31.0.2", network.d1: "d1 -"}
    wait_until(lambda: all(f" {mac_of(host)} {exit_} " in network.known() for host, exit_ in behind.items()), 30,
               "what was learnt is written")
    with Streams(network, [network.c2, network.d1], "kill"):
        network.restart(signal.SIGKILL)


def test_an_upgrade_keeps_taps_and_sockets(network):
    targets = [network.c2, network.d1, network.t1]
    link = network.t1.run("ip -s -s link show eth0 | head -2; cat /proc/net/dev | wc -l", quiet=True).stdout
    before = network.g1.pid
    # Somebody's own text, which keeps the name that it doesn't have; the second is by the process that took over.
    config = copy.deepcopy(network.g1.config)
    config["ethernets"]["d1"]["max-macs"] = 77  # what the file says already is not saved
    for system in ({"hugepages": "off"}, config["system"]):
        network.g1.apply("# by hand\n" + yaml.safe_dump({**config, "system": system}))
        with Streams(network, targets, "upgrade"):
            said = network.g1.upgrade().stdout
        pid = int(re.fullmatch(r"process (\d+) runs now\n", said)[1])
        wait_until(lambda: not os.path.exists(f"/proc/{before}/exe"), 10, "the old process has ended")
        before = pid
        assert {row["state"] for row in network.g1.ctl("show", "ports")} == {"up"}
    assert network.t1.run("ip -s -s link show eth0 | head -2; cat /proc/net/dev | wc -l", quiet=True).stdout == link
    assert network.g1.process.wait() == 0
    wait_until(lambda: network.g1.process.output().count("gw1 is running") == 3, 10, "both have said that they run")
    network.g1.ctl_run("save")
    with open(network.g1.file) as file:
        assert file.readline() == "# by hand\n"
    # It obeys as the first one did, and keeps what it learns.
    config = gateway(1, "geneve", ports={"c1": {}, "d1": {}})
    network.g1.apply(config)
    assert {row["name"] for row in network.g1.ctl("show", "ports")} == {"c1", "d1", "up0"}
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(network.g1.socket), 10, "it has ended")
    assert f" {mac_of(network.c2)} tun0 " in network.known()


# The other end of an upgrade (control/keep/hand_over.h): is it ready, and then?
SUCCESSOR = """#!/usr/bin/python3
import socket, subprocess, sys
end = socket.socket(fileno=int(sys.argv[sys.argv.index("--take-over") + 1]))
{}
"""


def replace(path, text):
    """Another program, in the place of the one that runs."""
    os.unlink(path)
    with open(path, "w") as other:
        other.write(text)
    os.chmod(path, 0o755)


def test_an_upgrade_that_fails_leaves_all_as_it_was(lab):
    path = lab.path("causewayd")
    shutil.copy(program("causewayd"), path)
    network = Network(lab, path)
    replace(path, "#!/bin/sh\nexit 1\n")
    with Streams(network, [network.c2, network.d1, network.t1], "upgrade") as streams:
        refused = network.g1.upgrade(check=False)
        assert refused.returncode == 1
        assert "the new process ended before it was ready" in refused.stderr
        # Nothing stopped: each has got what was sent meanwhile.
    assert streams.lost == [0, 0, 0]
    # It ends when all but the last word is said; here nothing was forwarded for a moment.
    replace(path, SUCCESSOR.format("""end.send(b"ready ")
while (said := end.recv(4096)) and not said.startswith(b"learnt "):
    pass"""))
    with Streams(network, [network.c2, network.d1, network.t1], "upgrade"):
        assert "the new process ended, or didn't run in time" in network.g1.upgrade(check=False).stderr
    assert {row["state"] for row in network.g1.ctl("show", "ports")} == {"up"}
    # Somebody changes what runs while it gets ready.
    change = [program("causewayctl"), "--socket", network.g1.socket, "set", "ethernets.d1.max-macs=77"]
    replace(path, SUCCESSOR.format(f"""subprocess.run({change}, check=True)
end.send(b"ready ")
end.recv(4096)
end.recv(4096)"""))
    assert "the configuration has changed meanwhile" in network.g1.upgrade(check=False).stderr
    network.g1.ctl_run("set", "--confirm", "600", "ethernets.d1.max-macs=78")
    assert "a change awaits its confirmation" in network.g1.upgrade(check=False).stderr
    network.g1.ctl_run("confirm")
    os.unlink(path)
    shutil.copy(program("causewayd"), path)
    with Streams(network, [network.c2, network.d1, network.t1], "upgrade"):
        network.g1.upgrade()
