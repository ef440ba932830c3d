"""Outer datagrams merged by the underlay's UDP GRO, as operators switch it on: `rx-udp-gro-forwarding` (Tailscale's advice),
`rx-gro-list` (OpenWrt's default): what is carried stays whole, and nothing is lost."""

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts

pytestmark = pytest.mark.alone

MTU = 1430  # beside IPv6
CASES = {"vxlan4": ("vxlan", 4, "rx-udp-gro-forwarding"), "geneve6": ("geneve", 6, "rx-udp-gro-forwarding"),
         "geneve4-list": ("geneve", 4, "rx-gro-list"), "vxlan6-list": ("vxlan", 6, "rx-gro-list")}


def config(me, mode, family):
    """Frames without an outer checksum are never merged: over IPv6 that is our default."""
    made = gateway(me, mode)
    if family == 6:
        made["ethernets"]["up0"] = {"addresses": [f"fd00:31::{me}/64"]}
        made["tunnels"]["tun0"].update(local=f"fd00:31::{me}", remote=f"fd00:31::{3 - me}")
    else:
        made["tunnels"]["tun0"]["checksum"] = True
    return made


def merge(host, feature):
    """Long enough for some to be there, as a NIC's interrupt moderation leaves it."""
    host.run("echo 100000 > /sys/class/net/up0/gro_flush_timeout; echo 5 > /sys/class/net/up0/napi_defer_hard_irqs")
    host.run(["ethtool", "-K", "up0", "gro", "on", feature, "on"])


@pytest.mark.parametrize("name", CASES)
def test_payload_and_counts(lab, name):
    mode, family, feature = CASES[name]
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=MTU)
    g2 = h2.causeway(config(2, mode, family))
    h1.causeway(config(1, mode, family))
    traffic.ping(c1, c2.ip4)
    merge(h2, feature)
    capture = h2.capture("up0", filter="udp", snap_bytes=64, max_frames=20000)
    rate = traffic.iperf3(c1, c2, c2.ip4, seconds=2)
    capture.stop()
    merged = capture.count_bpf("greater 1600")
    print(f"{name}: {rate / 1e9:.2f} Gbit/s; of 20,000 frames {merged} are merged")
    assert merged > 100
    fetched = traffic.fetch(c2, c1, c1.ip4, 20 << 20)
    assert fetched["sent"] == fetched["received"]
    assert g2.lost() == {}
    # What came is counted as what was sent: a merged frame as its datagrams.
    port, tunnel = g2.row("ports", "up0"), g2.row("tunnels", "tun0")
    assert 0 <= port["rx_packets"] - tunnel["rx_packets"] < 100
