"""The log of a running gateway: its level, and what the journal gets."""

import os
import re
import signal

import pytest

from tests.support.causeway import program, write_yaml
from tests.support.overlay import gateway, two_hosts
from tests.support.process import run, wait_until

# Of sd-daemon(3), by the words of ours.
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# Its stderr is the file, and the environment says that this is the journal's stream (systemd.exec(5)).
AS_SERVICE = 'exec 2> "$0"; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"'


class Service:
    """causewayd as systemd starts it; no more than that."""

    def __init__(self, host, config):
        self.host, self.path, self.socket = host, host.lab.path("journal"), host.lab.path("service.sock")
        file = write_yaml(config, host.lab.path("service.yaml"))
        self.process = host.spawn(["sh", "-c", AS_SERVICE, self.path, program("causewayd"), "-c", file, "--socket", self.socket],
                                  title="service")

    def lines(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as journal:
            return journal.read().splitlines()

    def await_line(self, line):
        wait_until(lambda: line in self.lines(), 20, lambda: f"the journal has {line!r}: {self.lines()}")

    def ctl(self, *arguments, check=True):
        return run([program("causewayctl"), "--socket", self.socket, *arguments], check=check)


@pytest.fixture
def hosts(lab):
    return two_hosts(lab)


def test_priorities_for_the_journal(hosts):
    h1, _, c1, _ = hosts
    service = Service(h1, gateway(1, "geneve"))
    wait_until(lambda: any(line.startswith("<6>info: service is running: 2 ports, 1 tunnels") for line in service.lines()), 20,
               lambda: f"it runs: {service.lines()}")
    c1.ip("link", "set", "eth0", "down")
    service.await_line("<4>warning: c1: link down")
    c1.ip("link", "set", "eth0", "up")
    service.await_line("<6>info: c1: link up")
    service.ctl("apply", write_yaml({**gateway(1, "geneve"), "ethernets": {"up0": {"addresses": ["172.31.0.1/24"]}, "c1": {},
                                                                         "c3": {"dpdk": {"devargs": "net_nothing0"}}}},
                                    h1.lab.path("wrong.yaml")), check=False)
    wait_until(lambda: any(line.startswith("<3>error: apply: ") for line in service.lines()), 20,
               lambda: f"the journal has the error: {service.lines()}")
    assert service.process.stop(signal.SIGTERM) == 0
    for line in service.lines():
        match = re.match(r"<(\d)>(\w+): ", line)
        # DPDK has no words for it; the journal takes those for information.
        assert (match and PRIORITIES[match[2]] == int(match[1])) or line.startswith(("EAL: ", "TELEMETRY: ")), line


def test_a_start_that_fails_is_an_error_in_the_journal(hosts):
    service = Service(hosts[0], {"version": 1, "tunnels": {"t": {"mode": "vxlan", "id": 1}}, "brigdes": {}})
    assert service.process.wait(20, check=False) == 2
    assert len(service.lines()) >= 2 and all(line.startswith("<3>") for line in service.lines()), service.lines()


def test_the_level(hosts):
    h1, _, c1, _ = hosts
    daemon = h1.causeway(gateway(1, "geneve"))

    def change_link():
        for state in ("down", "up"):
            c1.ip("link", "set", "eth0", state)
            wait_until(lambda: daemon.row("ports", "c1")["state"] == state, 20, f"c1 is {state}")

    assert daemon.ctl_run("log", "level").stdout == "info\n"
    assert daemon.ctl("log", "level") == {"level": "info"}
    change_link()
    wait_until(lambda: "c1: link up" in daemon.log(), 20, "the log says so")
    assert daemon.ctl_run("log", "level", "off").stdout == ""
    wait_until(lambda: daemon.log().endswith("log: level off, was info"), 20, "the log says that it goes")
    before = daemon.log()
    change_link()
    assert daemon.log() == before
    refused = daemon.ctl_run("log", "level", "loud", check=False)
    assert refused.returncode == 1 and "expected trace, debug, info" in refused.stderr
    daemon.ctl_run("log", "level", "debug")
    wait_until(lambda: daemon.log().endswith("log: level debug, was off"), 20, "the log says that it is back")
