"""Two workers: every port has a queue for each, and queues change hands under traffic."""

import copy
import os
import time

import pytest

from tests.support import traffic
from tests.support.overlay import Overlay
from tests.support.process import wait_until

pytestmark = pytest.mark.alone

# 64 flows, 20 datagrams each, in a second or so.
FLOWS = """
import socket, sys, time
for turn in range(20):
    for flow in range(64):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("", 41000 + flow))
            sender.sendto(b"x" * 100, (sys.argv[1], 9))
    time.sleep(0.05)
"""
ASSIGNMENTS = ([1, 0], [0, 0], [1, 1], [0, 1])


def test_queues_are_dealt_out_and_shown(lab):
    overlay = Overlay(lab, system={"workers": 2})
    assert [worker["queues"] for worker in overlay.g1.ctl("show", "workers")] == [["c1:0", "up0:0"], ["c1:1", "up0:1"]]
    port = overlay.g1.row("ports", "up0")
    assert (port["rx_queues"], port["rx_workers"], port["rss"]) == (2, [0, 1], "kernel")
    refused = copy.deepcopy(overlay.g1.config)
    refused["ethernets"]["c1"] = {"rx-workers": [0, 2]}
    done = overlay.g1.apply(refused, check=False)
    assert done.returncode != 0 and "there is no worker 2, only 0 to 1" in done.stdout + done.stderr


def cores_of_threads(pid):
    """{name of a thread: all cores that it, or another of that name, may run on}"""
    cores = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as comm:
            cores.setdefault(comm.read().strip(), set()).update(os.sched_getaffinity(int(thread)))
    return cores


def test_no_other_thread_runs_on_a_workers_core(lab):
    mine, *others = sorted(os.sched_getaffinity(0))
    if not others:
        pytest.skip("there is one core")
    overlay = Overlay(lab, system={"workers": [mine], "metrics": "127.0.0.1:9111"})
    traffic.ping(overlay.c1, overlay.c2.ip4)
    cores = cores_of_threads(overlay.g1.pid)
    assert cores.pop("worker-0") == {mine}
    assert cores and all(mine not in allowed for allowed in cores.values()), cores


@pytest.mark.deadline(90)
def test_queues_change_hands_without_loss_and_in_order(lab):
    overlay = Overlay(lab, system={"workers": 2})
    traffic.ping(overlay.c1, overlay.c2.ip4)
    before = overlay.drops()
    ends = ((overlay.c1, overlay.c2), (overlay.c2, overlay.c1))
    streams = [traffic.UdpStream(source, target, target.ip4, per_second=500, port=port)
               for source, target in ends for port in (40000, 40001)]
    time.sleep(0.5)
    for turn in range(16):
        for daemon, port in ((overlay.g1, "c1"), (overlay.g2, "c2")):
            config = copy.deepcopy(daemon.config)
            config["ethernets"][port] = {"rx-workers": ASSIGNMENTS[turn % 4]}
            config["ethernets"]["up0"]["rx-workers"] = ASSIGNMENTS[(turn + turn // 4 + 1) % 4]
            daemon.apply(config)
            assert daemon.row("ports", port)["rx_workers"] == ASSIGNMENTS[turn % 4]
        time.sleep(0.1)
    reports = [stream.stop() for stream in streams]
    print(f"{sum(report['sent'] for report in reports)} datagrams over 32 changes")
    assert all(report["sent"] > 500 for report in reports)
    assert [(len(report["lost"]), report["reordered"], report["duplicates"]) for report in reports] == [(0, 0, 0)] * 4
    assert overlay.drops() == before
    for daemon in (overlay.g1, overlay.g2):
        assert all(worker["rx_packets"] > 100 for worker in daemon.ctl("show", "workers"))


@pytest.mark.deadline(90)
def test_queues_go_where_workers_have_time(lab):
    """Dealt out by their number, both generators that never rest come to the first worker: it gives one of them away."""
    sink = "02:99:00:00:00:01"
    rates = {"gen0": 0, "gen1": 1000, "gen2": 0, "gen3": 1000}  # 0: as fast as they are polled
    generators = {name: {"generator": {"flows": 16, "rate": rate, "destination-mac": sink,
                                       "source-mac": {"first": f"02:0{number}:00:00:00:01", "count": 16}}}
                  for number, (name, rate) in enumerate(rates.items())}
    daemon = lab.host("h1").causeway({
        "version": 1, "system": {"workers": 2, "hugepages": "off", "rebalance": "auto"},
        "ethernets": {**generators, "sink": {"generator": {"flows": 0}}},
        "bridges": {"br": {"interfaces": [*generators, "sink"], "static-macs": [{"mac": sink, "port": "sink"}]}}})

    def restless():
        """How many each worker has."""
        return [len({"gen0:0", "gen2:0"} & set(worker["queues"])) for worker in daemon.ctl("show", "workers")]

    assert restless() == [2, 0]
    daemon.process.wait_for("rebalance: gen", timeout=40)
    assert restless() == [1, 1]
    wait_until(lambda: min(sum(worker["queue_loads"].values()) for worker in daemon.ctl("show", "workers")) > 0.5, 20,
               "both are busy")
    assert daemon.drops() == {}
    assert restless() == [1, 1]


def test_one_queue_of_gre_is_for_all_workers(lab):
    """A device that doesn't look into GRE: without `spread: software` one worker has all of a tunnel."""
    overlay = Overlay(lab, mode="gretap", system={"workers": 2})
    config = copy.deepcopy(overlay.g2.config)
    config["ethernets"]["up0"]["spread"] = "software"
    config["ethernets"]["c2"] = {"rx-workers": [0]}
    overlay.g2.apply(config)
    port = overlay.g2.row("ports", "up0")
    assert (port["rx_queues"], sorted(port["rx_workers"]), port["rss"]) == (2, [0, 1], "inner")
    traffic.ping(overlay.c1, overlay.c2.ip4)
    before = [worker["rx_packets"] for worker in overlay.g2.ctl("show", "workers")]
    drops = overlay.drops()
    streams = [traffic.UdpStream(overlay.c1, overlay.c2, overlay.c2.ip4, per_second=300, port=40000 + number)
               for number in range(2)]
    overlay.c1.run([traffic.PYTHON, "-c", FLOWS, overlay.c2.ip4])
    reports = [stream.stop() for stream in streams]
    rose = [worker["rx_packets"] - packets for worker, packets in zip(overlay.g2.ctl("show", "workers"), before)]
    print(f"{sum(report['sent'] for report in reports)} datagrams; frames by worker: {rose}")
    assert all(report["sent"] > 100 for report in reports)
    assert [(len(report["lost"]), report["reordered"], report["duplicates"]) for report in reports] == [(0, 0, 0)] * 2
    assert overlay.drops() == drops and overlay.g2.row("ports", "up0")["rx_drops"] == 0
    assert min(rose) > 100
    config["ethernets"]["up0"].pop("spread")
    overlay.g2.apply(config)
    assert overlay.g2.row("ports", "up0")["rx_queues"] == 2 and traffic.ping(overlay.c1, overlay.c2.ip4) == 3
