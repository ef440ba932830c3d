"""A log that nobody reads: stderr's reader asleep, gone, or out of room. The gateway goes on, and answers."""

import os
import time

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

RELOADS, BRIDGES = 30, 100  # some 150 KB of log, more than a pipe holds
ANSWER_S = 5  # a control thread that waits for a reader never answers


class Gateways:
    """Two hosts with a tunnel; the first one's log goes to `stderr`."""

    def __init__(self, lab, stderr):
        h1, h2, self.c1, self.c2 = two_hosts(lab)
        self.config = gateway(1, "geneve")
        self.g1 = h1.causeway(self.config, stderr=stderr)
        self.g2 = h2.causeway(gateway(2, "geneve"))
        traffic.ping(self.c1, self.c2.ip4)

    def change(self, number):
        """Something that the log has BRIDGES lines about."""
        bridges = {f"br{number}x{i}": {} for i in range(BRIDGES)}
        start = time.monotonic()
        self.g1.apply({**self.config, "bridges": {**self.config["bridges"], **bridges}}, timeout=ANSWER_S)
        return time.monotonic() - start

    def check(self):
        assert traffic.ping(self.c1, self.c2.ip4, count=20, interval_s=0.05) == 20
        self.g1.ctl_run("show", "bridges", timeout=ANSWER_S)


def pipe(lab):
    """A named pipe and the end to read from."""
    path = lab.path("log-pipe")
    os.mkfifo(path)
    return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def read_all(reader, ends_with):
    text = b""

    def more():
        nonlocal text
        try:
            text += os.read(reader, 1 << 16)
        except BlockingIOError:
            pass
        return ends_with in text
    wait_until(more, 10, lambda: f"the log has {ends_with!r}; its end: {text[-500:]!r}", interval=0.001)
    return text.decode()


def test_a_reader_that_sleeps(lab):
    path, reader = pipe(lab)
    gateways = Gateways(lab, path)
    for number in range(RELOADS):
        gateways.change(number)
    gateways.check()
    # Awake again, it has missed nothing: the queue is longer than this.
    log = read_all(reader, f"+ bridge br{RELOADS - 1}x{BRIDGES - 1}".encode())
    assert log.count("apply: + bridge br") == RELOADS * BRIDGES
    assert "lost" not in log


def test_a_daemon_that_ends_waits_for_no_reader(lab):
    path, reader = pipe(lab)
    gateways = Gateways(lab, path)
    for number in range(RELOADS):
        gateways.change(number)
    start = time.monotonic()
    gateways.g1.stop()
    assert time.monotonic() - start < 5
    os.close(reader)


def test_the_last_words_come_out(lab):
    path, reader = pipe(lab)
    gateways = Gateways(lab, path)
    gateways.change(0)
    gateways.g1.stop()
    assert f"apply: + bridge br0x{BRIDGES - 1}" in read_all(reader, f"+ bridge br0x{BRIDGES - 1}".encode())


def test_a_reader_that_has_gone(lab):
    path, reader = pipe(lab)
    gateways = Gateways(lab, path)
    os.close(reader)
    for number in range(3):
        gateways.change(number)
    gateways.check()
    # A new reader is told how much it has missed.
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gateways.change(3)
    log = read_all(reader, f"+ bridge br3x{BRIDGES - 1}".encode())
    assert "lines of the log are lost" in log
    gateways.g1.stop()


def test_no_room_for_the_log(lab):
    gateways = Gateways(lab, "/dev/full")
    gateways.change(0)
    gateways.check()
    gateways.g1.stop()
