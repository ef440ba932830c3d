"""Forged ICMP "too big" about a tunnel's packets, from anywhere: tenants' IPv6 lives on, and the log says who it was."""

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

# A quoted packet that the tunnel could have sent, and a router's word about it: MAC MTU TIMES.
FORGER = """
import sys
from scapy.all import ICMP, IP, UDP, VXLAN, Ether, Raw, conf, raw
mac, mtu, times = sys.argv[1:]
quoted = raw(IP(src="172.31.0.1", dst="172.31.0.2", len=1500, id=0, flags="DF") / UDP(sport=40000, dport=4789, len=1480, chksum=0)
             / VXLAN(flags=8, vni=123) / Raw(bytes(512)))
s = conf.L2socket(iface="up0")
for n in range(int(times)):
    s.send(Ether(dst=mac) / IP(src="198.51.100.66", dst="172.31.0.1") / ICMP(type=3, code=4, nexthopmtu=max(int(mtu), 1400 - n))
           / Raw(quoted))
"""


@pytest.fixture
def overlay(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    config = gateway(1, "vxlan")
    daemon = h1.causeway(config)
    h2.causeway(gateway(2, "vxlan"))
    traffic.ping(c1, c2.ip6)
    mac = h1.mac("up0")

    def forge(mtu, times=1):
        h2.run([traffic.PYTHON, "-c", FORGER, mac, mtu, times])

    return daemon, config, c1, c2, forge


def tunnel(daemon):
    return daemon.row("tunnels", "tun0")


def test_ipv6_inside_lives_on(overlay):
    daemon, _, c1, c2, forge = overlay
    forge(576, 400)
    wait_until(lambda: tunnel(daemon)["path_mtu"] is not None, 5, "the router was heard")
    assert tunnel(daemon)["mtu"] >= 1280
    forge(68, 5)
    assert tunnel(daemon)["mtu"] >= 1280
    # 1,280 bytes of IPv6, the least that hosts send whatever they are told.
    assert traffic.ping(c1, c2.ip6, count=20, payload_bytes=1280 - 48, interval_s=0.02, check=False) == 20
    assert traffic.ping(c1, c2.ip4, count=20, interval_s=0.02, check=False) == 20
    assert daemon.log(200).count("tun0: 198.51.100.66 says that ") == 1
    assert "1500 bytes are too many for the way to 172.31.0.2" in daemon.log(200)


def test_off_believes_nobody(overlay):
    daemon, config, c1, c2, forge = overlay
    config["tunnels"]["tun0"]["path-mtu"] = "off"
    assert "path-mtu auto -> off" in daemon.apply(config).stdout
    before = daemon.drops().get("control_ignored", 0)
    forge(576, 20)
    wait_until(lambda: daemon.drops().get("control_ignored", 0) >= before + 20, 5, "all were heard")
    assert tunnel(daemon)["path_mtu"] is None
    assert tunnel(daemon)["mtu"] == 1450
    assert "says that" not in daemon.log(200)
    assert traffic.ping(c1, c2.ip6, count=10, payload_bytes=1450 - 48, interval_s=0.02, check=False) == 10
