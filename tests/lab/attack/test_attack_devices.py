"""Device strings that would end or stop the gateway if DPDK saw them, and drivers that don't come back."""

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from tests.support.blast import RoundTrips
from tests.support.causeway import program, write_yaml
from tests.support.process import wait_until

HANGS_S = 5  # what a driver gets (control/port/device_trials.h)


@contextlib.contextmanager
def deaf_backend(path):
    """A vhost-user socket that takes connections and never says a word: virtio_user waits for its answer."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    taken = []

    def take():
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=take, daemon=True).start()
    try:
        yield taken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def one_bridge(lab):
    """Two containers on one gateway, and its configuration."""
    host = lab.host("h1")
    containers = [host.container(f"c{number}", address=f"10.1.0.{number}/24") for number in (1, 2)]
    config = {"version": 1, "system": {"hugepages": "off"}, "ethernets": {"c1": {}, "c2": {}},
              "bridges": {"br": {"interfaces": ["c1", "c2"]}}}
    return host, config, host.causeway(config), *containers


def with_device(config, devargs):
    return {**config, "ethernets": {**config["ethernets"], "d0": {"dpdk": {"devargs": devargs}}}}


WRONG = {
    "class=eth": "'class=' names no single device",
    "net_null0,x=1/class=eth": "no parameter may have '/class=' in it",
    "crypto_null0": "crypto_null0 is no Ethernet device",
    "net_virtio_user0,path=/tmp/nosuch,server=1": "server=1 stops the gateway until somebody connects",
    "net_failsafe0,exec(touch /tmp/nosuch)": "exec(...): a device has no such parameter",
}


def test_strings_that_dpdk_must_not_see(lab):
    host, config, daemon, c1, c2 = one_bridge(lab)
    pinging = RoundTrips(c1, c2.ip4, 5)
    for devargs, what in WRONG.items():
        file = write_yaml(with_device(config, devargs), lab.path("wrong.yaml"))
        checked = host.run([program("causewayd"), "--check", "-c", file], check=False)
        place = f"{file}:{line_of(file, 'devargs')}:"
        assert checked.returncode == 2 and place in checked.stderr and what in checked.stderr
        applied = daemon.ctl_run("apply", file, check=False)
        assert applied.returncode != 0 and what in applied.stderr
    assert pinging.result()["lost_percent"] <= 1
    daemon.stop()


def line_of(file, key):
    with open(file) as text:
        return next(number for number, line in enumerate(text, 1) if key in line)


def test_a_driver_that_does_not_come_back(lab):
    _, config, daemon, c1, c2 = one_bridge(lab)
    before = daemon.ctl("show", "ports")
    path = lab.path("deaf.sock")
    with deaf_backend(path) as taken:
        pinging = RoundTrips(c1, c2.ip4, HANGS_S + 2)
        started = time.monotonic()
        applied = daemon.apply(with_device(config, f"net_virtio_user0,path={path}"), check=False)
        seconds = time.monotonic() - started
        assert applied.returncode != 0 and "its driver didn't come back within 5 s" in applied.stderr
        assert HANGS_S <= seconds < HANGS_S + 5
        assert taken, "the driver was there"
        assert pinging.result()["lost_percent"] <= 1
        assert [row["name"] for row in daemon.ctl("show", "ports")] == [row["name"] for row in before]
        daemon.apply(with_device(config, "net_null0,no-rx=1"))
        daemon.stop()


def test_a_driver_that_does_not_come_back_at_the_start(lab):
    """It is missing, and tried again by and by; all else runs, and the daemon ends when it is told to."""
    host = lab.host("h1")
    containers = [host.container(f"c{number}", address=f"10.1.0.{number}/24") for number in (1, 2)]
    fifo = lab.path("frames.pcap")
    os.mkfifo(fifo)  # nobody writes to it: who opens it waits
    config = {"version": 1, "system": {"hugepages": "off"},
              "ethernets": {"c1": {}, "c2": {}, "d0": {"dpdk": {"devargs": f"net_pcap0,rx_pcap={fifo}"}}},
              "bridges": {"br": {"interfaces": ["c1", "c2", "d0"]}}}
    daemon = host.causeway(config)
    assert daemon.row("ports", "d0")["state"] == "missing"
    assert "its driver didn't come back within 5 s" in daemon.row("ports", "d0")["reason"]
    pinging = RoundTrips(containers[0], containers[1].ip4, 3)
    trying = wait_until(lambda: children(daemon.pid), 5, "it is tried again")
    assert pinging.result()["lost_percent"] <= 1
    started = time.monotonic()
    daemon.process.child.send_signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0 and time.monotonic() - started < 4
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in trying), 3, "nothing of it is left")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


@pytest.mark.parametrize("devargs, words", [
    ("net_af_packet0,iface=nosuch0", "SIOCGIFINDEX):No such device"),
    ("net_virtio_user0,path=/nonexistent", "connect error, No such file or directory"),
    ("net_nosuch0", "DPDK has no such driver"),
    ("0000:ff:1f.7", "there is no PCI device 0000:ff:1f.7"),
])
def test_a_driver_is_heard(lab, devargs, words):
    host = lab.host("h1")
    host.container("c1", address="10.1.0.1/24")
    config = {"version": 1, "system": {"hugepages": "off"}, "ethernets": {"c1": {}}, "bridges": {"br": {"interfaces": ["c1"]}}}
    daemon = host.causeway(config)
    for _ in range(2):  # and nothing of it stays attached
        applied = daemon.apply(with_device(config, devargs), check=False)
        assert applied.returncode != 0 and words in applied.stderr and "Bad address" not in applied.stderr
    assert daemon.ctl("show", "ports")[0]["state"] == "up"


def test_a_device_with_a_trial_opens_soon(lab):
    """A fraction of a second for the process that tries it, and no frame lost meanwhile."""
    _, config, daemon, c1, c2 = one_bridge(lab)
    pinging = RoundTrips(c1, c2.ip4, 3)
    started = time.monotonic()
    daemon.apply(with_device(config, "net_tap0,iface=dtap0"))
    seconds = time.monotonic() - started
    print(f"{seconds:.2f} s")
    assert seconds < 3
    assert daemon.row("ports", "d0")["kind"] == "dpdk"
    assert pinging.result()["lost_percent"] <= 1
    assert not children(daemon.pid)
