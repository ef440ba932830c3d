"""Software GRO: TCP arrives in MTU-sized frames and reaches the container in big ones, unless that is off."""

import pytest

from tests.support import traffic
from tests.support.overlay import CONTAINER_MTU, gateway, two_hosts
from tests.peers.cable import plain_cable
from tests.support.process import wait_until

pytestmark = pytest.mark.alone

FILE_BYTES = 20 << 20


def _largest_frame(lab, client, server, address):
    """Bytes of the largest TCP frame on the client's interface while it downloads, and whether the file is whole."""
    capture = lab.capture(client, "eth0", filter="tcp src port 8000", snap_bytes=120)
    fetched = traffic.fetch(client, server, address, FILE_BYTES)
    capture.stop()
    lengths = [int(frame["frame.len"][0]) for frame in capture.frames(fields=["frame.len"])]
    print(f"{len(lengths)} frames, the largest of {max(lengths)} bytes, "
          f"{fetched['bytes_per_s'] * 8 / 1e9:.2f} Gbit/s of HTTP")
    return max(lengths), fetched["sent"] == fetched["received"]


def _gro(daemon):
    workers = daemon.ctl("show", "workers")
    return sum(row["gro_in"] for row in workers), sum(row["gro_out"] for row in workers)


def _two_gateways(lab, ports=None, gro="auto"):
    """Only c1 sends frames as they go on the wire: whole segments, complete checksums. c2's gateway as the test says."""
    h1, h2, c1, c2 = two_hosts(lab)
    plain_cable(c1, "eth0")
    h1.causeway(gateway(1, "geneve"))
    return c1, c2, h2.causeway(gateway(2, "geneve", ports=ports or {"c2": {"offloads": {"gro": gro}}}))


def test_container_gets_big_frames(lab):
    c1, c2, g2 = _two_gateways(lab)
    for address in (c1.ip4, c1.ip6):
        largest, whole = _largest_frame(lab, c2, c1, address)
        assert whole
        assert largest > 10 * CONTAINER_MTU
    merged, into = _gro(g2)
    print(f"{merged} frames became {into}")
    assert merged > 4 * into > 0
    assert g2.drops() == {}
    offloads = {row["port"]: row for row in g2.ctl("show", "offloads") if row["offload"] == "gro"}
    assert offloads["c2"]["state"] == "software" and offloads["up0"]["state"] == "off"


def test_container_gets_them_as_they_came_when_it_is_off(lab):
    c1, c2, g2 = _two_gateways(lab, gro="off")
    largest, whole = _largest_frame(lab, c2, c1, c1.ip4)
    assert whole
    assert largest <= CONTAINER_MTU + 14
    assert _gro(g2) == (0, 0)


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_tap(lab, family):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    g2 = h2.causeway(gateway(2, "vxlan", ports={"lan2": {"tap": {}}}))
    c1 = h1.container("c1", address=["10.1.0.1/24", "fd00:1::1/64"], mtu=CONTAINER_MTU)
    c2 = h2.container("c2", address=["10.1.0.2/24", "fd00:1::2/64"], mtu=CONTAINER_MTU, tap="lan2")
    plain_cable(c1, "eth0")
    h1.causeway(gateway(1, "vxlan"))
    wait_until(lambda: g2.row("ports", "lan2")["state"] == "up", 5, "the gateway sees its TAP in the container")
    largest, whole = _largest_frame(lab, c2, c1, getattr(c1, family))
    assert whole
    assert largest > 10 * CONTAINER_MTU
    assert g2.drops() == {}
