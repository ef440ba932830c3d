"""VLANs under the tunnels and inside them, against the kernel's; tshark reads what is on the cable."""

import pytest

from tests.support import traffic
from tests.support.overlay import CONTAINER_MTU, gateway, tunnel, two_hosts
from tests.peers.cable import plain_cable
from tests.peers.transfer import transfer
from tests.peers.uml import UmlPeer
from tests.support.process import wait_until

FILE_BYTES = 20 << 20
SAME_MAC = "02:00:00:00:aa:01"

# Asks for an address once with each of the tags.
SEND_ARP = """
import sys
from scapy.all import ARP, Dot1Q, Ether, get_if_hwaddr, sendp
mac = get_if_hwaddr("eth0")
for tag in sys.argv[2:]:
    head = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
    head = head / Dot1Q(vlan=int(tag)) if tag != "none" else head
    sendp(head / ARP(hwsrc=mac, psrc=sys.argv[1][:-1] + "3", pdst=sys.argv[1]), iface="eth0", verbose=False)
"""


def on_vlan(config, me, id=100):
    """The gateway with its underlay on a VLAN of up0."""
    config["ethernets"]["up0"] = {}
    config["vlans"] = {f"up0.{id}": {"id": id, "link": "up0", "addresses": [f"172.31.0.{me}/24"]}}
    return config


def check_cable(capture, vlan, filter):
    """All that is on the cable has the tag; of what `filter` means there is enough, and all of it is sound."""
    capture.stop()
    frames = capture.frames("", ["vlan.id", "frame.len"])
    assert frames and all(frame["vlan.id"][:1] == [str(vlan)] for frame in frames)
    assert max(int(frame["frame.len"][0]) for frame in frames) <= 1518
    assert capture.count(filter) > 100
    assert capture.broken() == []


@pytest.mark.parametrize("mode", ["vxlan", "geneve"])
def test_tunnel_over_a_vlan_to_the_kernel(lab, mode):
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    c1 = h1.container("c1", address="10.1.0.1/24", mtu=CONTAINER_MTU)
    peer = UmlPeer(h2, "up0", tap=True)
    peer.run(f"modprobe -d /run/root 8021q && modprobe -d /run/root {mode} && "
             "sysctl -qew net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    ends = "local 172.31.0.2 dstport 4789 dev vec0.100" if mode == "vxlan" else "dstport 6081 ttl 64"
    peer.run("ip link set vec0 up && ip link add link vec0 name vec0.100 type vlan id 100 && "
             "ip link set vec0.100 up && ip addr add 172.31.0.2/24 dev vec0.100 && "
             f"ip link add tun0 type {mode} id 123 remote 172.31.0.1 {ends} && "
             f"ip link set tun0 mtu {CONTAINER_MTU} up && ip addr add 10.1.0.2/24 dev tun0")
    g1 = h1.causeway(on_vlan(gateway(1, mode), 1))
    capture = h1.capture("up0", max_frames=3000)
    wait_until(lambda: traffic.ping(c1, "10.1.0.2", count=1, check=False), 20, "the kernel's end answers")
    for payload_bytes in (56, CONTAINER_MTU - 28):
        assert traffic.ping(c1, "10.1.0.2", payload_bytes=payload_bytes, dont_fragment=True) == 3
        assert traffic.ping(peer, "10.1.0.1", payload_bytes=payload_bytes, dont_fragment=True) == 3
    assert traffic.ping(peer, "172.31.0.1") == 3  # the underlay's own address
    # A tenant's own tag goes through: the kernel's VLAN 7 is above its tunnel, scapy's in front of ours.
    peer.run("ip link add link tun0 name tun0.7 type vlan id 7 && ip link set tun0.7 up && "
             "ip addr add 10.1.7.2/24 dev tun0.7")
    inside = c1.capture("eth0", filter="vlan and arp")
    c1.run([traffic.PYTHON, "-c", SEND_ARP, "10.1.7.2", "7"])
    inside.stop(settle_s=1)
    assert [frame["vlan.id"] for frame in inside.frames("arp.opcode == 2", ["vlan.id"])] == [["7"]]
    rates = [transfer(c1, peer, "10.1.0.1", FILE_BYTES), transfer(peer, c1, "10.1.0.2", FILE_BYTES)]
    print(f"{rates[0]:.0f} and {rates[1]:.0f} Mbit/s")
    check_cable(capture, 100, mode)
    port = g1.row("ports", "up0.100")
    assert (port["kind"], port["link"], port["vlan_id"], port["state"]) == ("vlan", "up0", 100, "up")
    assert port["rx_packets"] > 0 and port["tx_packets"] > 0
    peer.stop()


def test_peer_that_tags_everything_with_a_priority(lab):
    """As Cisco UCS does: VLAN ID 0, in front of ARP, ICMP and tunnels alike (IEEE 802.1Q 6.9.1: none)."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    c1 = h1.container("c1", address="10.1.0.1/24", mtu=CONTAINER_MTU)
    peer = UmlPeer(h2, "up0", tap=True)
    peer.run("for module in vxlan sch_ingress cls_matchall act_vlan; do modprobe -d /run/root $module || exit 1; done; "
             "sysctl -qew net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    peer.run("ip link set vec0 up && ip addr add 172.31.0.2/24 dev vec0 && tc qdisc add dev vec0 clsact && "
             "tc filter add dev vec0 egress matchall action vlan push id 0 priority 5 && "
             "ip link add tun0 type vxlan id 123 remote 172.31.0.1 local 172.31.0.2 dstport 4789 dev vec0 && "
             f"ip link set tun0 mtu {CONTAINER_MTU} up && ip addr add 10.1.0.2/24 dev tun0")
    capture = h1.capture("up0", max_frames=3000)
    g1 = h1.causeway(gateway(1, "vxlan"))
    wait_until(lambda: traffic.ping(c1, "10.1.0.2", count=1, check=False), 20, "the kernel's end answers")
    assert traffic.ping(peer, "172.31.0.1") == 3
    for payload_bytes in (56, CONTAINER_MTU - 28):
        assert traffic.ping(c1, "10.1.0.2", payload_bytes=payload_bytes, dont_fragment=True) == 3
    print(f"{transfer(c1, peer, '10.1.0.1', FILE_BYTES):.0f} Mbit/s")
    capture.stop()
    for kind in ("arp && !vxlan", "icmp && !vxlan", "vxlan"):
        seen = {tuple(frame["vlan.id"][:1]) for frame in capture.frames(kind, ["vlan.id"])}
        assert seen == {(), ("0",)}, kind  # ours, and theirs
    assert g1.drops().keys() <= {"control_ignored", "no_flood_target"}, g1.drops()
    peer.stop()


def test_tunnel_over_a_vlan_between_gateways(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    capture = h1.capture("up0", max_frames=3000)
    g1 = h1.causeway(on_vlan(gateway(1, "geneve"), 1))
    h2.causeway(on_vlan(gateway(2, "geneve"), 2))
    assert traffic.ping(c1, c2.ip4, payload_bytes=CONTAINER_MTU - 28, dont_fragment=True) == 3
    for client, server in ((c1, c2), (c2, c1)):
        fetched = traffic.fetch(client, server, server.ip4, FILE_BYTES)
        assert fetched["sent"] == fetched["received"]
    check_cable(capture, 100, "geneve")
    # The underlay moves to another VLAN while the daemon runs: nobody is there.
    g1.reload(on_vlan(gateway(1, "geneve"), 1, id=101))
    wait_until(lambda: "up0.101" in [row["name"] for row in g1.ctl("show", "ports")], 5, "up0.101 is there")
    assert traffic.ping(c1, c2.ip4, count=1, check=False) == 0
    g1.reload(on_vlan(gateway(1, "geneve"), 1))
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 20, "the tunnel is back")


def test_vlan_as_a_bridge_port(lab):
    """Two bridges joined by VLAN 200 of the cable, without a tunnel, beside another pair without a tag."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    containers = {}
    for number, host in ((1, h1), (2, h2)):
        for kind in ("tagged", "plain"):
            containers[kind, number] = host.container(f"{kind}{number}", address=f"10.1.0.{number}/24", port=kind)
        host.causeway({
            "version": 1, "system": {"hugepages": "off"},
            "ethernets": {"tagged": {}, "plain": {}, "up0": {}},
            "vlans": {"up0.200": {"id": 200, "link": "up0"}},
            "bridges": {"br-tagged": {"interfaces": ["tagged", "up0.200"]},
                        "br-plain": {"interfaces": ["plain", "up0"]}}})
    capture = h1.capture("up0", max_frames=3000, snap_bytes=128)
    for kind in ("tagged", "plain"):
        near, far = containers[kind, 1], containers[kind, 2]
        assert traffic.ping(near, far.ip4, payload_bytes=1472, dont_fragment=True) == 3
        for client, server in ((near, far), (far, near)):
            fetched = traffic.fetch(client, server, server.ip4, FILE_BYTES)
            assert fetched["sent"] == fetched["received"]
    capture.stop()
    mac_of = {kind: {containers[kind, number].mac("eth0") for number in (1, 2)} for kind in ("tagged", "plain")}
    for frame in capture.frames("", ["eth.src", "vlan.id"]):
        tag = [] if frame["eth.src"][0] in mac_of["plain"] else ["200"]
        assert frame["vlan.id"] == tag


@pytest.fixture
def mapping(lab):
    """VLANs 10 and 20 as VNIs 10 and 20 to two bridges of the kernel's; a trunk beside the access ports."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    plain_cable(h2, "up0")
    h2.address("up0", "172.31.0.2/24")
    near, far = {}, {}
    for vlan in (10, 20):
        near[vlan] = h1.container(f"a{vlan}", address="10.1.0.1/24", mtu=CONTAINER_MTU, mac=SAME_MAC)
        far[vlan] = h2.container(f"b{vlan}", address="10.1.0.2/24", mtu=CONTAINER_MTU, mac=f"02:00:00:00:bb:{vlan}")
        h2.ip("link", "add", f"vx{vlan}", "mtu", CONTAINER_MTU, "type", "vxlan", "id", vlan, "local", "172.31.0.2",
              "remote", "172.31.0.1", "dstport", 4789, "dev", "up0")
        h2.ip("link", "add", f"br{vlan}", "type", "bridge")
        for interface in (f"br{vlan}", f"vx{vlan}", f"b{vlan}"):
            h2.ip("link", "set", interface, "up")
            if interface != f"br{vlan}":
                h2.ip("link", "set", interface, "master", f"br{vlan}")
    trunk = h1.container("trunk", address="10.9.0.1/24", mtu=CONTAINER_MTU)
    for container in (*near.values(), *far.values(), trunk):  # silent unless asked
        container.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    ports = {f"a{vlan}": {"vlan": {"mode": "access", "tag": vlan}} for vlan in (10, 20)}
    config = gateway(1, "vxlan", ports={**ports, "trunk": {"vlan": {"mode": "trunk", "trunks": [10, 20]}}})
    config["tunnels"] = {f"tun{vlan}": {**tunnel(1, "vxlan", vlan), "vlan": {"mode": "access", "tag": vlan}}
                         for vlan in (10, 20)}
    config["bridges"]["br-int"]["interfaces"] = [*ports, "trunk", "tun10", "tun20"]
    return lab, h1, h1.causeway(config), near, far, trunk


def test_vlans_as_vnis_do_not_leak(mapping):
    lab, h1, daemon, near, far, trunk = mapping
    cable = h1.capture("up0", max_frames=3000)
    others = {vlan: [near[vlan].capture("eth0"), far[vlan].capture("eth0")] for vlan in (10, 20)}
    size_of = {10: 100, 20: 200}
    for vlan, payload_bytes in size_of.items():
        assert traffic.ping(near[vlan], "10.1.0.2", payload_bytes=payload_bytes) == 3
        assert traffic.ping(far[vlan], "10.1.0.1", payload_bytes=payload_bytes) == 3
    cable.stop()
    frames = cable.frames("icmp", ["vxlan.vni", "frame.len", "vlan.id"])
    assert {frame["vxlan.vni"][0] for frame in frames} == {"10", "20"}
    for frame in frames:
        assert int(frame["frame.len"][0]) == size_of[int(frame["vxlan.vni"][0])] + 92  # all headers
        assert frame["vlan.id"] == []
    assert cable.broken() == []
    for vlan, captures in others.items():
        for capture in captures:
            capture.stop()
            lengths = {int(frame["frame.len"][0]) for frame in capture.frames("icmp", ["frame.len"])}
            assert lengths == {size_of[vlan] + 42}
    # One MAC, twice.
    fdb = {(row["vlan"], row["mac"]): row["port"] for row in daemon.ctl("show", "fdb")}
    assert (fdb[10, SAME_MAC], fdb[20, SAME_MAC]) == ("a10", "a20")
    assert (fdb[10, far[10].mac("eth0")], fdb[20, far[20].mac("eth0")]) == ("tun10", "tun20")
    assert (10, far[20].mac("eth0")) not in fdb and (20, far[10].mac("eth0")) not in fdb
    assert daemon.row("ports", "trunk")["vlan"] == "trunk 10,20"
    assert daemon.ctl("fdb", "flush", "--vlan", "10")["removed"] == len([key for key in fdb if key[0] == 10])
    assert {row["vlan"] for row in daemon.ctl("show", "fdb")} == {20}
    daemon.ctl("fdb", "add", "br-int", "02:00:00:00:cc:01", "a10")
    assert (10, "02:00:00:00:cc:01") in {(row["vlan"], row["mac"]) for row in daemon.ctl("show", "fdb")}
    daemon.ctl("fdb", "del", "br-int", "02:00:00:00:cc:01", "--vlan", "10")
    for vlan in (10, 20):
        bits = traffic.iperf3(near[vlan], far[vlan], "10.1.0.2", seconds=2)
        print(f"VLAN {vlan}: {bits / 1e9:.2f} Gbit/s")
        assert bits > 50e6


def test_a_trunk_reaches_each_vlan_by_its_tag(mapping):
    lab, h1, daemon, near, far, trunk = mapping
    capture = trunk.capture("eth0", filter="arp or (vlan and arp)")
    before = daemon.drops().get("vlan_not_member", 0)
    trunk.run([traffic.PYTHON, "-c", SEND_ARP, "10.1.0.2", "10", "20", "30", "none"])
    mac = trunk.mac("eth0")
    wait_until(lambda: daemon.drops().get("vlan_not_member", 0) - before == 2, 5, "VLAN 30 and no tag were refused")
    capture.stop()
    answers = capture.frames(f"arp.opcode == 2 && eth.dst == {mac}", ["vlan.id", "arp.src.hw_mac"])
    assert sorted((answer["vlan.id"], answer["arp.src.hw_mac"]) for answer in answers) == [
        (["10"], [far[10].mac("eth0")]), (["20"], [far[20].mac("eth0")])]
