"""Forged outer sources that no host has, to a tunnel over a multicast group: nobody's VTEP, and nobody is sent to."""

from tests.support import traffic
from tests.support.overlay import two_hosts
from tests.support.process import wait_until

GROUP = {4: ("239.129.1.1", "01:00:5e:01:01:01"), 6: ("ff05::1:2345", "33:33:00:01:23:45")}
OWN = {4: "172.31.0.1", 6: "fd00:31::1"}
FORGED = {4: ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", OWN[4]],
          6: ["::", "::1", "::10.0.0.1", "::ffff:10.0.0.1", "::ffff:172.31.0.9", "ff02::1", OWN[6]]}
TIMES = 300  # each
# Frames from many inner MACs in the tunnel: GROUP_MAC GROUP TIMES SOURCE...
FORGER = """
import sys
from scapy.all import IP, UDP, VXLAN, Ether, IPv6, Raw, conf, raw
mac, group, times, *sources = sys.argv[1:]
s = conf.L2socket(iface="up0")
layer = IPv6 if ":" in group else IP
frames = [raw(Ether(dst=mac) / layer(src=source, dst=group) / UDP(sport=40000, dport=4789, **({} if ":" in group else {"chksum": 0}))
              / VXLAN(flags=8, vni=300) / Ether(src=f"02:00:00:00:66:{n:02x}", dst="ff:ff:ff:ff:ff:ff", type=0x88b5) / Raw(bytes(46)))
          for n, source in enumerate(sources)]
for n in range(int(times)):
    for frame in frames:
        s.outs.send(frame)
"""


def config(me, family):
    return {"version": 1, "system": {"hugepages": "off"},
            "ethernets": {f"c{me}": {}, "up0": {"addresses": [f"172.31.0.{me}/24"] if family == 4 else [f"fd00:31::{me}/64"]}},
            "bridges": {"br": {"interfaces": [f"c{me}", "tun0"]}},
            "tunnels": {"tun0": {"mode": "vxlan", "id": 300, "link": "up0", "local": OWN[family][:-1] + str(me),
                                 "remote": GROUP[family][0]}}}


def check(lab, family):
    h1, h2, c1, c2 = two_hosts(lab, container_mtu=1400)
    daemon = h1.causeway(config(1, family))
    h2.causeway(config(2, family))
    traffic.ping(c1, c2.ip4)
    group, mac = GROUP[family]
    forger = h2.spawn([traffic.PYTHON, "-c", FORGER, mac, group, TIMES, *FORGED[family]])
    assert traffic.ping(c1, c2.ip4, count=60, interval_s=0.05, check=False) >= 59
    assert forger.wait(30) == 0
    wait_until(lambda: daemon.drops().get("impossible_source", 0) >= TIMES * len(FORGED[family]), 5, "all died in parse")
    assert [vtep["remote"] for vtep in daemon.row("tunnels", "tun0")["vteps"]] == [OWN[family][:-1] + "2"]
    assert not [entry for entry in daemon.ctl("show", "fdb") if entry["mac"].startswith("02:00:00:00:66:")]


def test_ipv4(lab):
    check(lab, 4)


def test_ipv6(lab):
    check(lab, 6)
