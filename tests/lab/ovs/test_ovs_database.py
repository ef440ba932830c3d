"""The database is stopped, killed, restarted, emptied, under traffic: what it doesn't change goes on."""

import signal
import time

import pytest

from tests.support import traffic
from tests.support.ovsdb import driven_hosts
from tests.support.process import wait_until

STOPPED_S = 30


@pytest.fixture
def joined(lab):
    one, two, c1, c2 = driven_hosts(lab)
    for number, host in ((1, one), (2, two)):
        host("add-br", "sw")
        host("add-port", "sw", f"c{number}")
        host.tunnel("tun0", "geneve", f"172.31.0.{3 - number}", key=5)
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "the tunnel carries")
    return one, c1, c2


def tables(gateway):
    """What there is, without counters."""
    return {table: sorted(row["name"] for row in gateway.ctl("show", table)) for table in ("bridges", "ports", "tunnels")}


def ping_in_background(source, target, count):
    return source.spawn(["ping", "-n", "-i", "0.1", "-c", count, target.ip4], title="ping")


def assert_none_lost(ping, count):
    assert ping.wait(timeout=count / 5) == 0
    assert f" {count} received" in ping.output()


def test_killed_and_restarted(joined):
    one, c1, c2 = joined
    before = tables(one.gateway)
    ping = ping_in_background(c1, c2, 60)
    one.server.child.send_signal(signal.SIGSTOP)
    wait_until(lambda: ping.output().count("time=") > 15, 10, "some pings are answered")
    one.server.child.send_signal(signal.SIGKILL)
    one.server.wait(check=False)
    wait_until(lambda: ping.output().count("time=") > 30, 10, "more pings are answered")
    one.start_server()
    assert_none_lost(ping, 60)
    assert tables(one.gateway) == before
    one.tunnel("tun1", "vxlan", "172.31.0.2")
    assert {row["name"] for row in one.gateway.ctl("show", "tunnels")} == {"tun0", "tun1"}


def test_emptied(joined):
    one, _, _ = joined
    one("emer-reset")
    one("del-br", "sw")
    assert tables(one.gateway) == {"bridges": [], "ports": [], "tunnels": []}


def test_it_answers_nothing_for_long(joined):
    """All the while counters change, which are to be told every few seconds."""
    one, c1, c2 = joined
    before, memory_mb = tables(one.gateway), one.gateway.rss_mb()
    count = 10 * (STOPPED_S + 3)
    ping = ping_in_background(c1, c2, count)
    one.server.child.send_signal(signal.SIGSTOP)
    waited_s = []

    def answered():
        started = time.monotonic()
        one.gateway.ctl("show", "ports")
        waited_s.append(time.monotonic() - started)
        return ping.output().count("time=") >= 10 * STOPPED_S
    wait_until(answered, 2 * STOPPED_S, "pings are answered", interval=1)
    one.server.child.send_signal(signal.SIGCONT)
    assert_none_lost(ping, count)
    assert max(waited_s) < 1
    assert one.gateway.rss_mb() <= memory_mb + 8
    assert tables(one.gateway) == before
    # What was held back arrives, and the next change is made at once.
    wait_until(lambda: dict(one.get("interface", "c1", "statistics")[1])["rx_packets"] >= count, 12, "the counters are told")
    one.tunnel("tun1", "vxlan", "172.31.0.2")
    assert one.gateway.row("tunnels", "tun1")["mode"] == "vxlan"
