"""Stock ovsdb-server and ovs-vsctl drive a gateway in the place of ovs-vswitchd: the commands of the overlay tutorials, and
what goes wrong in Open vSwitch's own words. The host keeps its address on the underlay."""

import pytest

from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsSwitch
from tests.peers.transfer import transfer
from tests.support import traffic
from tests.support.ovsdb import Vsctl, driven_hosts
from tests.support.process import wait_until


@pytest.fixture
def hosts(lab):
    return driven_hosts(lab)


def pings(source, address="10.1.0.2"):
    return traffic.ping(source, address, count=1, check=False) == 1


def bridge_the_containers(*hosts):
    for number, host in enumerate(hosts, 1):
        host("add-br", "sw")
        host("add-port", "sw", f"c{number}")


def join(one, two, kind, remotes=("172.31.0.2", "172.31.0.1"), **options):
    for host, remote in zip((one, two), remotes):
        host.tunnel("tun0", kind, remote, **options)


TUTORIALS = {"gre-keyless": ("gre", {}), "vxlan": ("vxlan", {"key": 123}), "geneve": ("geneve", {"key": 123}),
             "geneve-keyless": ("geneve", {}), "gre-key": ("gre", {"key": 7})}


def test_the_commands_of_the_tutorials(hosts):
    one, two, c1, c2 = hosts
    bridge_the_containers(one, two)
    for name, (kind, options) in TUTORIALS.items():
        join(one, two, kind, **options)
        wait_until(lambda: pings(c1), 10, f"{name} carries")
        print(f"{name}: {transfer(c2, c1, c2.ip4):.0f} Mbit/s")
        assert one.gateway.row("tunnels", "tun0")["mode"] == ("gretap" if kind == "gre" else kind)
        assert one("get", "interface", "tun0", "ofport").strip().isdigit()
        for host in (one, two):
            host("del-port", "sw", "tun0")
        assert not pings(c1)
    # A running tunnel is changed in place.
    one.tunnel("tun0", "geneve", "172.31.0.2", key=5)
    two.tunnel("tun0", "geneve", "172.31.0.1", key=6)
    assert not pings(c1)
    two("set", "interface", "tun0", "options:key=5")
    wait_until(lambda: pings(c1), 10, "the key is the same")
    one("del-br", "sw")
    assert one.gateway.ctl("show", "bridges") == [] and one.gateway.ctl("show", "tunnels") == []
    assert one.gateway.ctl("show", "ports") == []


def test_tunnels_over_ipv6(hosts):
    one, two, c1, c2 = hosts
    bridge_the_containers(one, two)
    for kind in ("gre", "vxlan", "geneve"):
        join(one, two, kind, ("fd00:31::2", "fd00:31::1"), key=9)
        wait_until(lambda: pings(c1), 10, f"{kind} carries")
        print(f"{kind} over IPv6: {transfer(c2, c1, c2.ip4):.0f} Mbit/s")
        assert one.gateway.row("tunnels", "tun0")["local"] == "fd00:31::1"
        for host in (one, two):
            host("del-port", "sw", "tun0")


def test_the_underlay_is_where_the_hosts_route_leads(hosts):
    one, two, c1, _ = hosts
    bridge_the_containers(one, two)
    two.host.ip("addr", "add", "192.0.2.2/32", "dev", "lo")
    one.tunnel("tun0", "geneve", "192.0.2.2", key=5)
    two.tunnel("tun0", "geneve", "172.31.0.1", key=5, local_ip="192.0.2.2")
    assert one.error("tun0") is None and {row["name"] for row in one.gateway.ctl("show", "ports")} == {"sw", "c1"}
    one.host.ip("route", "add", "192.0.2.2/32", "via", "172.31.0.2")
    wait_until(lambda: pings(c1), 10, "the route is used")
    assert one.gateway.row("tunnels", "tun0")["local"] == "172.31.0.1"
    assert one.get("interface", "tun0", "status")[1][0] == ["tunnel_egress_iface", "up0"]


def test_tags_are_vlans(hosts):
    one, two, c1, _ = hosts
    for number, host in ((1, one), (2, two)):
        host("add-br", "sw")
        host("add-port", "sw", f"c{number}", "tag=10")
    join(one, two, "vxlan", key=9)
    wait_until(lambda: pings(c1), 10, "both are in VLAN 10")
    two("set", "port", "c2", "tag=11")
    assert not pings(c1)
    two("set", "port", "c2", "tag=10")
    wait_until(lambda: pings(c1), 10, "both are in VLAN 10 again")


def test_trunks_and_a_fake_bridge(hosts):
    """c2 is behind a second bridge, at the far end of a trunk."""
    one, two, c1, _ = hosts
    one("add-br", "sw")
    one("add-br", "fb", "sw", "10")
    one("add-port", "fb", "c1")
    two.host.ip("link", "add", "trunk0", "type", "veth", "peer", "name", "trunk1")
    for words in ("add-br sw", "add-port sw trunk0 trunks=10,20", "add-br far", "add-port far trunk1", "add-port far c2 tag=10"):
        two(*words.split())
    for end in ("trunk0", "trunk1"):
        two.host.ip("link", "set", end, "up")
    join(one, two, "geneve", key=5)
    assert one("br-to-parent", "fb") == "sw\n" and one("br-to-vlan", "fb") == "10\n"
    assert one("list-ports", "fb") == "c1\n" and one("get", "port", "c1", "tag") == "10\n"
    wait_until(lambda: pings(c1), 10, "the fake bridge's port is in VLAN 10")
    one.host.ip("addr", "add", "10.1.0.9/24", "dev", "fb")
    one.host.ip("link", "set", "fb", "up")
    wait_until(lambda: pings(one.host), 10, "and its own interface")
    one("set", "port", "c1", "tag=20")
    assert not pings(c1)
    two("set", "port", "c2", "tag=20")
    wait_until(lambda: pings(c1), 10, "the trunk carries VLAN 20")
    for host, port in ((one, "c1"), (two, "c2")):
        host("set", "port", port, "tag=30")
    assert not pings(c1)
    two("set", "port", "trunk0", "trunks=30")
    wait_until(lambda: pings(c1), 10, "the trunk carries VLAN 30")
    two("set", "port", "trunk0", "vlan_mode=native-untagged", "tag=30")
    two("clear", "port", "c2", "tag")
    wait_until(lambda: pings(c1), 10, "VLAN 30 has no tag on the trunk")
    one("del-br", "fb")  # c1 has left its VLAN
    assert {row["name"] for row in one.gateway.ctl("show", "ports")} == {"up0", "sw", "c1"}


# What is wrong in here is to be said in the same words.
SHOWN = """
    add-br sw -- set bridge sw datapath_type=netdev
    add-port sw veth1
    add-port sw tun0 -- set interface tun0 type=gre options:remote_ip=172.31.0.9
    add-port sw tun1 -- set interface tun1 type=vxlan options:remote_ip=172.31.0.9 options:key=123
    add-port sw tun2 -- set interface tun2 type=geneve options:remote_ip=172.31.0.9 options:key=123
    add-port sw tun3 -- set interface tun3 type=geneve options:remote_ip=fd00:31::9
    add-port sw int0 -- set interface int0 type=internal
    set port veth1 tag=10
    set port int0 trunks=10,20 vlan_mode=trunk
    add-br fb sw 10
    del-port sw tun0
    set interface tun1 options:key=124
    add-port sw veth9
    add-port sw tun4 -- set interface tun4 type=geneve options:key=5
    add-port sw tun5 -- set interface tun5 type=geneve options:remote_ip=172.31.0.9 options:key=123
    add-port sw tun6 -- set interface tun6 type=nonsense
    add-port sw veth1
    --may-exist add-port sw veth1
    del-port sw veth8
    --if-exists del-port sw veth8
    add-br other -- set bridge other datapath_type=netdev
    list-br
    list-ports sw
    port-to-br tun2
    iface-to-br tun2
    get interface sw ofport
    get interface veth9 ofport
    get interface tun2 error
"""


def test_it_says_what_open_vswitch_says(lab):
    """The same commands, word for word: exit status, output, errors, and what `show` prints in the end."""
    h1, h2 = lab.host("h1"), lab.host("h2")
    lab.link(h1, "up0", h2, "up0")
    ours, theirs = Vsctl(h1), OvsSwitch(h2)
    for switch in (ours, theirs):
        plain_cable(switch.host.container(f"{switch.host}-c", port="veth1"), "eth0")
    for line in SHOWN.strip().splitlines():
        assert (line, ours.said(*line.split())) == (line, theirs.said(*line.split()))
    assert ours.show() == theirs.show()


def test_what_goes_wrong_is_said_in_the_database(hosts):
    one, two, c1, _ = hosts
    bridge_the_containers(one, two)
    join(one, two, "geneve", key=5)
    wait_until(lambda: pings(c1), 10, "the tunnel carries")
    one.run("add-port", "sw", "veth9")
    for name, settings in {"tun1": ["type=geneve", "options:key=5"],
                           "tun2": ["type=geneve", "options:key=5", "options:remote_ip=172.31.0.2"],
                           "tun3": ["type=gre", "options:psk=secret", "options:remote_ip=172.31.0.2"],
                           "tun4": ["type=nonsense"],
                           "tun5": ["type=vxlan", "options:key=flow", "options:remote_ip=172.31.0.2"]}.items():
        one("add-port", "sw", name, "--", "set", "interface", name, *settings)
        assert one.error(name)
    assert "psk" in one.error("tun3") and "OpenFlow" in one.error("tun5")
    assert pings(c1)
    assert [row["name"] for row in one.gateway.ctl("show", "tunnels")] == ["tun0"]
    # It heals when the device comes.
    one.host.ip("link", "add", "veth9", "type", "veth", "peer", "name", "veth9p")
    wait_until(lambda: one.error("veth9") is None, 2, "veth9 has no error any more")
    assert "veth9" in one.gateway.row("bridges", "sw")["interfaces"]


def test_the_file_and_the_database_stand_beside_each_other(hosts):
    one, _, _, _ = hosts
    one("add-br", "sw")
    one.tunnel("tun0", "geneve", "172.31.0.2", key=5)
    file = {**one.gateway.config, "ethernets": {"lan9": {"tap": {}}}}
    planned = one.gateway.apply(file).stdout
    assert "+ ethernet lan9 tap" in planned and "tun0" not in planned
    assert [row["name"] for row in one.gateway.ctl("show", "tunnels")] == ["tun0"]
    assert {"lan9", "sw", "up0"} == {row["name"] for row in one.gateway.ctl("show", "ports")}


def test_mirrors(lab, hosts):
    one, two, c1, _ = hosts
    bridge_the_containers(one, two)
    join(one, two, "geneve", key=123)
    wait_until(lambda: pings(c1), 10, "the tunnel carries")
    probe = lab.host("probe")
    lab.link(one.gateway.host, "probe0", probe, "eth0")
    mirror = ["--id=@c1", "get", "port", "c1", "--", "--id=@probe", "get", "port", "probe0", "--", "--id=@m", "create", "mirror",
              "name=m0", "select-src-port=@c1", "select-dst-port=@c1", "output-port=@probe", "--", "set", "bridge", "sw", "mirrors=@m"]
    one("add-port", "sw", "probe0", "--", *mirror)
    assert one.gateway.row("mirrors", "m0")["output"] == "probe0"
    assert "probe0" not in one.gateway.row("bridges", "sw")["interfaces"]
    assert one("get", "interface", "probe0", "ofport").strip().isdigit()
    capture = probe.capture("eth0", filter="icmp")
    traffic.ping(c1, "10.1.0.2", count=3)
    wait_until(lambda: one.gateway.row("mirrors", "m0")["copies"] >= 6, 20, "pings are copied")
    assert capture.stop().count() == 6
    one("clear", "bridge", "sw", "mirrors")
    assert one.gateway.ctl("show", "mirrors") == []
    assert "probe0" in one.gateway.row("bridges", "sw")["interfaces"]
