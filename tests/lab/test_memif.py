"""Shared memory between two gateways (net_memif), of several workers each."""

import pytest

from tests.support import traffic
from tests.support.overlay import two_hosts
from tests.support.process import wait_until


@pytest.mark.parametrize("queues", [None, 2])
def test_two_workers_on_both_ends(lab, queues):
    """memif's link stays down unless what the one end sends by the other has as many queues for."""
    h1, h2, c1, c2 = two_hosts(lab)
    socket = lab.path("memif.sock")
    gateways = []
    for number, (host, role) in enumerate(((h1, "server"), (h2, "client")), 1):
        device = {"devargs": f"net_memif0,role={role},socket-abstract=no,socket={socket}"}
        if queues:
            device["rx-queues"] = queues
        gateways.append(host.causeway({
            "version": 1, "system": {"workers": 2, "hugepages": "off"},
            "ethernets": {f"c{number}": {}, "m0": {"dpdk": device}},
            "bridges": {"br": {"interfaces": [f"c{number}", "m0"]}}}))
    for gateway in gateways:
        wait_until(lambda gateway=gateway: gateway.row("ports", "m0")["state"] == "up", 10, "memif's link")
        assert f"m0: {queues or 1} queue(s) each way" in gateway.log()
    assert traffic.ping(c1, c2.ip4, count=5) == 5
    # Both workers of each send, whatever the device has.
    assert traffic.iperf3(c1, c2, c2.ip4, seconds=1, arguments=["-P", 4]) > 1e6
