"""What hosts that misbehave do to others: floods of spoofed MACs from a port and from a tunnel, addresses of others."""

import re

import pytest

from tests.support import traffic
from tests.support.overlay import Overlay, gateway, two_hosts
from tests.support.process import wait_until

SPOOFED = 2_000_000
PER_S = 250_000
FLOODED_PER_S = 5_000


def flooded_gateway():
    """Gateway 1 with a generator whose every frame is from another MAC to nobody; 02:55:... is its mark."""
    config = gateway(1, "vxlan", ports={"c1": {}, "gen0": {
        "generator": {"flows": SPOOFED, "rate": PER_S, "limit": SPOOFED, "destination-mac": "02:99:00:00:00:01",
                      "source-mac": {"first": "02:55:00:00:00:00", "count": SPOOFED}},
        "flood-rate": FLOODED_PER_S}})
    config["bridges"]["br-int"]["parameters"] = {"max-macs": 20_000}
    return config


@pytest.mark.parametrize("limited", ["bridge", "port"])
def test_spoofed_macs_leave_the_table_bounded_and_containers_talking(lab, limited):
    h1, h2, c1, c2 = two_hosts(lab)
    far = gateway(2, "vxlan")
    far["tunnels"]["tun0"]["max-macs"] = 100
    g2 = h2.causeway(far)
    near = flooded_gateway()
    quiet = gateway(1, "vxlan")
    quiet["bridges"]["br-int"]["parameters"] = {"max-macs": 20_000}
    g1 = h1.causeway(quiet)
    traffic.ping(c1, c2.ip4)
    if limited == "port":
        near["ethernets"]["gen0"]["max-macs"] = 1_000
    pings = c1.spawn(["ping", "-n", "-i", "0.02", "-c", "400", c2.ip4])
    g1.apply(near)
    wait_until(lambda: g1.row("ports", "gen0")["rx_packets"] + g1.row("ports", "gen0")["rx_drops"] >= SPOOFED, 60,
               lambda: f"the flood is over\n{g1.row('ports', 'gen0')}", interval=0.2)
    bridge = g1.row("bridges", "br-int")
    fdb = {row["mac"]: row for row in g1.ctl("show", "fdb")}
    pings.wait(30)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", pings.output()).groups())
    print(f"limit of the {limited}: {bridge}, {received} of {sent} pings, drops {g1.drops()}")
    assert sent == received == 400
    assert g1.row("ports", "gen0")["rx_packets"] > SPOOFED / 2  # the rest the generator counts as come too late
    spoofed = [row for mac, row in fdb.items() if mac.startswith("02:55:")]
    if limited == "port":
        assert len(spoofed) == 1_000 and g1.row("ports", "gen0")["macs_refused"] > 0
    else:
        assert bridge["macs"] == 20_000 and bridge["macs_refused"] > 0
    assert fdb[c1.mac("eth0")]["port"] == "c1" and fdb[c2.mac("eth0")]["remote"] == "172.31.0.2"
    # What was flooded is what the other host's tunnel learns from.
    tunnel = g2.row("tunnels", "tun0")
    learnt = [row for row in g2.ctl("show", "fdb") if row["port"] == "tun0"]
    print(f"behind the tunnel: {len(learnt)} learnt, {tunnel['macs_refused']} refused")
    assert len(learnt) == tunnel["max_macs"] == 100 and tunnel["macs_refused"] > 1_000
    assert c1.mac("eth0") in {row["mac"] for row in learnt}
    assert set(g1.lost()) <= {"flood_limit", "no_flood_target"}


def test_bound_container_speaks_for_itself_only(lab):
    overlay = Overlay(lab)
    c1, c2, g1 = overlay.c1, overlay.c2, overlay.g1
    config = gateway(1, "geneve")
    config["ethernets"]["c1"]["bindings"] = [{"mac": c1.mac("eth0"), "addresses": [c1.ip4, c1.ip6]}]
    g1.apply(config)
    c1.ip("neigh", "flush", "dev", "eth0")
    assert traffic.ping(c1, c2.ip4) == traffic.ping(c1, c2.ip6) == traffic.ping(c2, c1.ip4) == 3
    assert not {"mac_not_bound", "address_not_bound"} & g1.drops().keys()
    # The kernel's own announcements and duplicate address detection of what it has are nobody's loss.
    c1.ip("link", "set", "eth0", "down")
    c1.ip("link", "set", "eth0", "up")
    c1.ip("addr", "replace", f"{c1.ip6}/64", "dev", "eth0")
    # Before that is done it pings from ::1.
    wait_until(lambda: "tentative" not in c1.ip("-6", "addr", "show", "dev", "eth0").stdout, 10, "IPv6 is back")
    assert traffic.ping(c1, c2.ip6) == 3
    assert not {"mac_not_bound", "address_not_bound"} & g1.drops().keys()

    def is_refused(reason, address):
        before = g1.drops().get(reason, 0)
        assert traffic.ping(c1, address, count=2, check=False) == 0
        assert g1.drops().get(reason, 0) > before, g1.drops()

    # Another address, of IPv4 and of IPv6; another MAC.
    c1.ip("addr", "del", f"{c1.ip4}/24", "dev", "eth0")
    c1.ip("addr", "add", "10.1.0.77/24", "dev", "eth0")
    is_refused("address_not_bound", c2.ip4)
    c1.ip("addr", "del", f"{c1.ip6}/64", "dev", "eth0")
    c1.ip("addr", "add", "fd00:1::77/64", "dev", "eth0", "nodad")
    is_refused("address_not_bound", c2.ip6)
    assert "mac_not_bound" not in g1.drops()
    c1.ip("link", "set", "eth0", "down")
    c1.ip("link", "set", "eth0", "address", "02:00:00:00:66:66", "up")
    c1.ip("addr", "replace", f"{c1.ip4}/24", "dev", "eth0")
    is_refused("mac_not_bound", c2.ip4)
    assert "02:00:00:00:66:66" not in {row["mac"] for row in g1.ctl("show", "fdb")}
