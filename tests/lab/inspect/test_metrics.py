"""The metrics: what Debian's Prometheus reads, makes of them, and of the dashboard and alerts that come along."""

import json
import os
import re
import time

import pytest

from tests.support import traffic
from tests.support.causeway import TOP, program, write_yaml
from tests.support.overlay import Overlay, gateway, two_hosts
from tests.support.process import run
from tests.support.prometheus import ADDRESS, Prometheus, fetch, samples, scrape, types

SYSTEM = {"metrics": ADDRESS}
DASHBOARD = os.path.join(TOP, "conf/grafana.json")
ALERTS = os.path.join(TOP, "conf/alerts.yaml")
# Each table of `show` that is exported, what its rows are called there, and the columns that name a row.
TABLES = {"ports": ("port", {"port": "name"}), "tunnels": ("tunnel", {"tunnel": "name"}),
          "bridges": ("bridge", {"bridge": "name"}), "workers": ("worker", {"worker": "id"}),
          "neighbors": ("neighbor", {"port": "port", "address": "address"}), "offloads": ("offload", {"port": "port", "offload": "offload"})}
# Columns whose metric isn't called as they are: these are in base units.
RENAMED = {"mtu": "mtu_bytes", "path_mtu": "path_mtu_bytes", "age_s": "age_seconds", "ageing_time_s": "ageing_time_seconds"}
# Gauges that move by themselves between two looks.
MOVING = {"age_s", "mbufs_used", "waiting_for_control", "waiting_for_worker"}
# What looks like a number there and is a name, or one of its settings.
NAMES = {"id", "core", "port", "sent_id", "vlan_id"}


@pytest.fixture
def overlay(lab):
    return Overlay(lab, system=SYSTEM)


def numbers(row, prefix=""):
    """(column, value) of each number in a row of `show`; with a dot where it stands in an object."""
    for column, value in row.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{prefix}{column}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield prefix + column, value


def shown(daemon):
    """What `show` says, by the metrics' names without _total: (name, labels) -> value."""
    found = {}
    for table, (what, keys) in TABLES.items():
        for row in daemon.ctl("show", table):
            labels = tuple(sorted((label, str(row[column])) for label, column in keys.items()))
            for column, value in numbers(row):
                if column in MOVING | NAMES:
                    continue
                found[f"causeway_{what}_{RENAMED.get(column, column.replace('.', '_'))}", labels] = value
    for reason, count in daemon.ctl("stats")["drops"].items():
        found["causeway_drops", (("reason", reason),)] = count
    return found


def counters(text):
    kinds = types(text)
    return {key: value for key, value in samples(text).items() if kinds.get(key[0]) == "counter"}


def test_numbers_are_those_of_show(overlay):
    traffic.ping(overlay.c1, overlay.c2.ip4)
    time.sleep(1.2)  # what containers and neighbors say at first
    before, text, after = shown(overlay.g1), scrape(overlay.h1), shown(overlay.g1)
    read = {(name.removesuffix("_total"), labels): value for (name, labels), value in samples(text).items()}
    assert before.keys() - read.keys() == set()
    wrong = {key: (first, read[key], after[key]) for key, first in before.items() if not first <= read[key] <= after[key]}
    assert not wrong
    assert {"causeway_drops", "causeway_port_rx_packets", "causeway_tunnel_tx_bytes", "causeway_port_mtu_bytes",
            "causeway_bridge_macs", "causeway_worker_flow_cache_hits"} <= {name for name, _ in before}
    assert read["causeway_tunnel_rx_packets", (("tunnel", "tun0"),)] >= 1
    assert read["causeway_tunnel_state", (("state", "up"), ("tunnel", "tun0"))] == 1
    assert read["causeway_tunnel_info", (("bridge", "br-int"), ("id", "123"), ("local", "172.31.0.1"), ("mode", "geneve"),
                                         ("remote", "172.31.0.2"), ("tunnel", "tun0"))] == 1
    version = run([program("causewayd"), "--version"]).stdout.split()[1]
    assert [dict(labels)["version"] for name, labels in read if name == "causeway_build_info"] == [version]


def test_promtool_finds_nothing_wrong(overlay):
    traffic.ping(overlay.c1, overlay.c2.ip4)
    checked = run(["promtool", "check", "metrics"], input=scrape(overlay.h1), check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    run(["promtool", "check", "rules", ALERTS])


def test_counters_do_not_fall_over_a_reload(overlay):
    traffic.ping(overlay.c1, overlay.c2.ip4)
    config = gateway(1, "geneve", system=SYSTEM)
    before = counters(scrape(overlay.h1))
    overlay.g1.apply({**config, "bridges": {"br-int": {**config["bridges"]["br-int"], "parameters": {"ageing-time": 60}}}})
    overlay.g1.reload(config)
    overlay.g1.process.wait_for("reloaded")
    overlay.g1.reload({**config, "ethernets": {}})
    overlay.g1.process.wait_for("not reloaded")
    assert overlay.g1.apply("version: 1", check=False).returncode != 0  # nothing would be left
    traffic.ping(overlay.c1, overlay.c2.ip4)
    after = counters(scrape(overlay.h1))
    assert {key: (value, after.get(key)) for key, value in before.items() if after.get(key, -1) < value} == {}
    assert after["causeway_tunnel_rx_packets_total", (("tunnel", "tun0"),)] > before["causeway_tunnel_rx_packets_total", (("tunnel", "tun0"),)]
    for outcome in ("applies_done", "applies_refused", "reloads_done", "reloads_refused"):
        name = f"causeway_control_{outcome}_total", ()
        assert (before[name], after[name]) == (0, 1), outcome


def metrics_named_in(text):
    return set(re.findall(r"\bcauseway_[a-z0-9_]+", text))


def expressions_of_dashboard():
    """Every query of the dashboard, as Grafana would send it."""
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "10s")
            yield panel["title"], re.sub(r"\$(instance|port|tunnel)\b", ".*", expression)


def test_a_real_prometheus_reads_alerts_and_dashboard(overlay):
    prometheus = Prometheus(overlay.h1, [ALERTS])
    traffic.ping(overlay.c1, overlay.c2.ip4)
    prometheus.await_result('up{job="causeway"}', lambda rows: [value for _, value in rows] == [1])
    prometheus.await_result('causeway_tunnel_rx_packets_total{tunnel="tun0"}', lambda rows: rows and rows[0][1] >= 1)

    with open(DASHBOARD) as dashboard, open(ALERTS) as alerts:
        named = metrics_named_in(dashboard.read()) | metrics_named_in(alerts.read())
    assert len(named) > 30
    assert named - set(types(scrape(overlay.h1))) == set()

    for _, expression in expressions_of_dashboard():
        prometheus.query(expression)  # an error where Prometheus finds one
    # With two scrapes there is a rate of everything that is always there.
    for title in ("Throughput by port", "Busy", "Flow cache: filled", "Neighbors by state", "Who does what", "Version"):
        expression = next(expression for name, expression in expressions_of_dashboard() if name == title)
        prometheus.await_result(expression, bool)
    assert {rule["name"]: rule.get("lastError", "") for rule in prometheus.rules() if rule["health"] == "err"} == {}


def test_an_alert_for_a_tunnel_without_its_other_end(overlay):
    prometheus = Prometheus(overlay.h1, [ALERTS])
    traffic.ping(overlay.c1, overlay.c2.ip4)
    overlay.g2.stop()
    config = gateway(1, "geneve", system=SYSTEM)
    config["tunnels"]["tun0"]["remote"] = "172.31.0.99"
    overlay.g1.apply(config)
    traffic.ping(overlay.c1, overlay.c2.ip4, check=False)
    prometheus.await_result('ALERTS{alertname="CausewayTunnelDown",tunnel="tun0"}', bool)


def test_at_that_address_and_nowhere_else(lab):
    h1, _, _, _ = two_hosts(lab)
    daemon = h1.causeway(gateway(1, "geneve", system=SYSTEM))
    listening = h1.run(["ss", "-Hltn"]).stdout.splitlines()
    assert [line.split()[3] for line in listening] == [ADDRESS]
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 5


def test_an_address_in_use_is_said_at_the_start(lab):
    h1, _, _, _ = two_hosts(lab)
    h1.causeway(gateway(1, "geneve", system=SYSTEM))
    other = {"version": 1, "system": {"name": "other", "hugepages": "off", **SYSTEM},
             "ethernets": {"gen0": {"generator": {"flows": 0}}}}
    file = write_yaml(other, lab.path("other.yaml"))
    done = h1.run([program("causewayd"), "-c", file, "--socket", lab.path("other.sock")], check=False)
    assert done.returncode == 1
    assert f"causewayd: system.metrics: {ADDRESS}: Address already in use" in done.stderr
    assert "causeway_build_info" in fetch(h1, f"http://{ADDRESS}/metrics")
