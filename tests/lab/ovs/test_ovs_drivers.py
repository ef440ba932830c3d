"""What drives Open vSwitch, against Causeway in the place of ovs-vswitchd and beside it against ovs-vswitchd itself: the
commands of libvirt and of Ansible's modules, os-vif's calls of ovsdbapp, the transactions of ovs-cni, all as in their sources."""

import json

import pytest
from ovs.db import idl
from ovsdbapp.backend.ovs_idl import connection, idlutils
from ovsdbapp.schema.open_vswitch import impl_idl

from tests.peers.cable import plain_cable
from tests.peers.ovs import OvsSwitch
from tests.support import traffic
from tests.support.ovsdb import BARE_FILE, Vsctl
from tests.support.process import wait_until

PORTS = ("vnet0", "vnet1")
STATISTICS_S = 8  # told every five seconds
COUNTERS = {f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")}  # libvirt's


class Site:
    """A switch with the bridge br0, and on its host the interfaces vnet0 and vnet1, a guest behind each."""

    def __init__(self, switch):
        self.switch = switch
        self.guests = [self.guest(port, number) for number, port in enumerate(PORTS, 1)]
        switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")

    def guest(self, port, number):
        guest = self.switch.host.container(f"{self.switch.host}-{port}", address=f"10.1.0.{number}/24", port=port)
        plain_cable(guest, "eth0")
        return guest

    def guests_meet(self):
        first, second = self.guests
        return traffic.ping(first, second.ip4, count=1, check=False) == 1

    def counters(self, interface):
        return dict(self.switch.get("interface", interface, "statistics")[1])


@pytest.fixture
def sites(lab):
    return Site(Vsctl(lab.host("h1"), file=BARE_FILE)), Site(OvsSwitch(lab.host("h2")))


def assert_they_say_the_same(sites, commands):
    for words in commands:
        ours, theirs = (site.switch.said(*words) for site in sites)
        assert (words, ours) == (words, theirs)


# --- libvirt: src/util/virnetdevopenvswitch.c ------------------------------------------------------------------

VM = 'external-ids:vm-id="6a9cf0ab-2f9c-4d36-9d29-5a1c2b0d3c11"'


def set_ids(interface):
    ids = ['attached-mac="52:54:00:6b:3c:58"', 'iface-id="4c5e1d26-7c53-4a43-8c4e-d4c1e2b7a901"']
    words = [f"external-ids:{each}" for each in ids] + [VM, "external-ids:iface-status=active"]
    return [word for each in words for word in ("--", "set", "Interface", interface, each)]


def libvirt_add(interface, *vlan):
    return ["--", "--may-exist", "add-port", "br0", interface, *vlan, *set_ids(interface)]


def libvirt_readd(interface, *vlan):
    """Older versions."""
    return ["--", "--if-exists", "del-port", interface, "--", "add-port", "br0", interface, *vlan, *set_ids(interface)]


def libvirt_update(interface, *vlan):
    cleared = [word for column in ("tag", "trunk", "vlan_mode")
               for word in ("--", "--if-exists", "clear", "Port", interface, column)]
    return [*cleared, "--", "--if-exists", "set", "Port", interface, *vlan] if vlan else cleared


def libvirt_bandwidth(interface):
    owner = [VM, f'external-ids:ifname="{interface}"']
    rates = ["other_config:min-rate=8000000", "other_config:burst=8388608", "other_config:max-rate=16000000"]
    return [["--no-heading", "--columns=_uuid", "find", "queue", *owner],
            ["set", "port", interface, "qos=@qos1", *owner, "--", "--id=@qos1", "create", "qos", "type=linux-htb", *rates,
             "queues:0=@queue0", *owner, "--", "--id=@queue0", "create", "queue", *rates, *owner],
            ["set", "Interface", interface, "ingress_policing_rate=8000", "ingress_policing_burst=1024"],
            ["--no-heading", "--columns=_uuid", "--if-exists", "list", "port", interface, "qos"],
            ["clear", "port", interface, "qos"],
            ["set", "Interface", interface, "ingress_policing_rate=0", "ingress_policing_burst=0"]]


LIBVIRT_STATISTICS = ["--if-exists", "--format=list", "--data=json", "--no-headings", "--columns=statistics", "list",
                      "Interface"]


def test_libvirt(sites):
    assert_they_say_the_same(sites, [libvirt_add("vnet0"), libvirt_add("vnet0"), libvirt_readd("vnet1"),
                                     ["iface-to-br", "vnet1"]])
    for site in sites:
        # A domain's statistics are there as soon as it runs.
        shown = json.loads(site.switch.vsctl(*LIBVIRT_STATISTICS, "vnet1"))
        assert shown[0] == "map" and COUNTERS <= dict(shown[1]).keys(), site.switch.host
        wait_until(site.guests_meet, 5, f"the guests on {site.switch.host} meet")
        traffic.ping(site.guests[0], "10.1.0.2", count=10, interval_s=0.02)
        wait_until(lambda: site.counters("vnet0")["rx_packets"] >= 10, STATISTICS_S, "the counters are told")
        # Older versions ask for each by name, in this order.
        counted = site.switch.vsctl("get", "Interface", "vnet0", "statistics:rx_bytes", "statistics:rx_packets",
                                    "statistics:tx_bytes", "statistics:tx_packets").split()
        assert all(int(count) >= least for count, least in zip(counted, (840, 10, 840, 10), strict=True)), counted
        lost = site.switch.vsctl("get", "Interface", "vnet0", "statistics:rx_errors", "statistics:rx_dropped",
                                 "statistics:tx_errors", "statistics:tx_dropped").splitlines()
        assert len(lost) == 4 and all(count.isdigit() for count in lost), lost
    assert_they_say_the_same(sites, [
        libvirt_update("vnet1", "tag=42"),
        ["--if-exists", "get", "Interface", "vnet0", "external_ids:PortData"],
        ["set", "Interface", "vnet0", "external_ids:PortData=abc"],
        ["--if-exists", "get", "Interface", "vnet0", "external_ids:PortData"],
        [*LIBVIRT_STATISTICS, "vnet7"],
        *libvirt_bandwidth("vnet1")])
    for site in sites:
        assert not site.guests_meet()
    assert_they_say_the_same(sites, [libvirt_update("vnet1", "vlan_mode=native-untagged", "tag=10", "trunk=10,20"),
                                     libvirt_update("vnet0", "tag=10"),
                                     ["--columns=name,tag,trunks,vlan_mode", "list", "port", *PORTS]])
    for site in sites:
        wait_until(site.guests_meet, 5, f"both guests on {site.switch.host} are in VLAN 10")
    assert_they_say_the_same(sites, [libvirt_update("vnet1"), ["--", "--if-exists", "del-port", "vnet0"],
                                     ["--", "--if-exists", "del-port", "vnet0"], ["list-ports", "br0"], ["iface-to-br", "vnet0"]])
    for site in sites:
        assert not site.guests_meet()


# --- Ansible: openvswitch.openvswitch, plugins/modules ---------------------------------------------------------

def ansible_port(port, *settings):
    return [["list-ports", "br0"], ["add-port", "br0", port, *settings],
            ["set", "port", port, f"external_ids:iface-id=server1-{port}"],
            ["list-ports", "br0"], ["get", "Port", port, "tag"], ["get", "Port", port, "external_ids"]]


def ansible_bridge(bridge):
    return [["br-to-parent", bridge], ["br-to-vlan", bridge], ["get-fail-mode", bridge], ["br-get-external-id", bridge]]


def test_ansible(sites):
    assert_they_say_the_same(sites, [
        *ansible_port("vnet0", "tag=10"),
        *ansible_port("vnet1", "tag=10", "--", "set", "Interface", "vnet1", "external_ids:attached-mac=00:00:5E:00:53:23"),
        ["list-br"], *ansible_bridge("br0"),
        ["br-set-external-id", "br0", "bridge-id", "br0"], ["set-fail-mode", "br0", "standalone"],
        ["add-br", "br405", "br0", "405"], *ansible_bridge("br405"),
        ["list", "Port", "vnet0", "--", "get", "Bridge", "br0", "external_ids"],
        ["set", "open_vswitch", ".", "other_config:max-idle=50000"],
        ["set", "Bridge", "br0", "other_config:disable-in-band=true"],
        ["remove", "Bridge", "br0", "other_config", "disable-in-band"]])
    for site in sites:
        wait_until(site.guests_meet, 5, f"both guests on {site.switch.host} are in VLAN 10")
    assert_they_say_the_same(sites, [["set", "port", "vnet1", "tag=11"], ["get", "Port", "vnet1", "tag"]])
    assert not any(site.guests_meet() for site in sites)
    assert_they_say_the_same(sites, [["del-port", "br0", "vnet1"], ["del-br", "br405"], ["del-br", "br0"], ["list-br"]])


# --- os-vif: vif_plug_ovs/ovsdb/ovsdb_lib.py, by ovsdbapp ------------------------------------------------------

class OsVif:
    def __init__(self, switch):
        class Api(impl_idl.OvsdbIdl):
            """Of a class of its own: a class keeps its first connection."""

        remote = f"unix:{switch.socket}"
        helper = idlutils.get_schema_helper(remote, "Open_vSwitch")
        helper.register_all()
        self.connection = connection.Connection(idl.Idl(remote, helper), timeout=5)
        self.ovsdb = Api(self.connection)

    def create_port(self, device, tag=None, vlan_mode=None, trunks=None, mtu_request=None):
        ids = {"iface-id": "e65867e0-9340-4a7f-a256-09af6eb7a3aa", "iface-status": "active",
               "attached-mac": "ca:fe:de:ad:be:ef", "vm-uuid": "b679325f-ca89-4ee0-a8be-6db1409b69ea"}
        qos = {"id": "68da264a-847f-42a8-8ab0-5e774aee3d95", "_type": "linux-noop"}
        self.ovsdb.add_br("br0", may_exist=True, datapath_type="netdev").execute()
        self.ovsdb.db_create("QoS", type="linux-noop", external_ids=qos).execute(check_error=True)
        record = self.ovsdb.db_find("QoS", ("external_ids", "=", qos), columns=["_uuid"]).execute()
        with self.ovsdb.transaction() as transaction:
            transaction.add(self.ovsdb.add_br("br0", may_exist=True, datapath_type="netdev"))
            transaction.add(self.ovsdb.add_port("br0", device))
            for column, value in (("tag", tag), ("vlan_mode", vlan_mode), ("trunks", trunks), ("qos", record[0]["_uuid"])):
                if value:
                    transaction.add(self.ovsdb.db_set("Port", device, (column, value)))
            transaction.add(self.ovsdb.db_set("Interface", device, ("external_ids", ids)))
            if mtu_request:
                transaction.add(self.ovsdb.db_set("Interface", device, ("mtu_request", mtu_request)))

    def delete_port(self, device):
        self.ovsdb.del_port(device, bridge="br0", if_exists=True).execute()

    def close(self):
        self.connection.stop(5)


def test_os_vif(sites, caplog):
    for site in sites:
        os_vif = OsVif(site.switch)
        caplog.clear()
        os_vif.create_port("vnet0", tag=10, vlan_mode="access", mtu_request=1400)
        os_vif.create_port("vnet1", vlan_mode="trunk", trunks=[10, 20])
        assert not [record for record in caplog.records if record.levelname == "ERROR"]  # it raises nothing
        assert sorted(os_vif.ovsdb.list_ports("br0").execute()) == ["vnet0", "vnet1"]
        assert not site.guests_meet()
        os_vif.ovsdb.db_set("Port", "vnet1", ("vlan_mode", "access"), ("tag", 10)).execute()
        wait_until(site.guests_meet, 5, f"both guests on {site.switch.host} are in VLAN 10")
        os_vif.create_port("vnet9")
        assert site.switch.error("vnet9") == "could not open network device vnet9 (No such device)"
        for port in ("vnet0", "vnet9"):
            os_vif.delete_port(port)
        assert os_vif.ovsdb.list_ports("br0").execute() == ["vnet1"]
        assert not site.guests_meet()
        os_vif.close()


# --- ovs-cni: pkg/ovsdb/ovsdb.go, pkg/plugin/plugin.go ---------------------------------------------------------

OWNER = "ovs-cni.network.kubevirt.io"


class OvsCni:
    """Transactions as they are: none adds to next_cfg, and none waits for anybody."""

    def __init__(self, switch):
        self.switch = switch

    def transact(self, *operations):
        """The operations' results."""
        done = self.switch.host.run(["ovsdb-client", "--timeout=5", "transact", f"unix:{self.switch.socket}",
                                     json.dumps(["Open_vSwitch", *operations])])
        results = json.loads(done.stdout)
        assert len(results) == len(operations) and not [each for each in results if "error" in each], results
        return results

    def select(self, table, *where, columns):
        return self.transact({"op": "select", "table": table, "where": list(where), "columns": columns})[0]["rows"]

    def mutate_ports(self, how, uuid):
        return {"op": "mutate", "table": "Bridge", "where": [["name", "==", "br0"]],
                "mutations": [["ports", how, ["set", [uuid]]]]}

    def create_port(self, interface, namespace, settings):
        ids = [["contNetns", namespace], ["contIface", "eth0"], ["owner", OWNER], ["contPodUid", ""]]
        self.transact(
            {"op": "insert", "table": "Interface", "uuid-name": f"Intf{interface}", "row": {"name": interface}},
            {"op": "insert", "table": "Port", "uuid-name": f"Port{interface}", "row": {
                "name": interface, "interfaces": ["set", [["named-uuid", f"Intf{interface}"]]],
                "external_ids": ["map", ids], **settings}},
            self.mutate_ports("insert", ["named-uuid", f"Port{interface}"]))

    def link_state(self, interface):
        return self.select("Interface", ["name", "==", interface], columns=["link_state"])[0]["link_state"]

    def interfaces_with_error(self):
        return [row["name"] for row in self.select("Interface", columns=["name", "error"]) if isinstance(row["error"], str)]

    def port_of(self, namespace):
        owned = ["map", [["contNetns", namespace], ["contIface", "eth0"], ["owner", OWNER]]]
        return self.select("Port", ["external_ids", "includes", owned], columns=["name"])[0]["name"]

    def delete_port(self, interface):
        port = self.select("Port", ["name", "==", interface], columns=["_uuid"])[0]["_uuid"]
        self.transact({"op": "delete", "table": "Interface", "where": [["name", "==", interface]]},
                      {"op": "delete", "table": "Port", "where": [["name", "==", interface]]},
                      self.mutate_ports("delete", port))


def test_ovs_cni(sites):
    for site in sites:
        cni, host = OvsCni(site.switch), site.switch.host
        for port, settings in zip(PORTS, ({"vlan_mode": "access", "tag": 10}, {"vlan_mode": "trunk"})):
            host.ip("link", "set", port, "down")
            cni.create_port(port, f"/proc/1/ns/{port}", settings)
            host.ip("link", "set", port, "up")
            # Five looks, 600 ms apart.
            wait_until(lambda: cni.link_state(port) == "up", 3, f"{port} on {host} is up")
        assert cni.interfaces_with_error() == []
        assert not site.guests_meet()
        cni.delete_port("vnet1")
        cni.create_port("vnet1", "/proc/1/ns/vnet1", {"vlan_mode": "access", "tag": 10})
        wait_until(site.guests_meet, 5, f"both guests on {host} are in VLAN 10")
        # What has an error is swept away.
        cni.create_port("vnet9", "/proc/1/ns/vnet9", {"vlan_mode": "trunk"})
        wait_until(lambda: cni.interfaces_with_error() == ["vnet9"], 5, f"vnet9 on {host} has an error")
        assert cni.port_of("/proc/1/ns/vnet9") == "vnet9"
        cni.delete_port("vnet9")
        assert cni.interfaces_with_error() == []
        site.guests[0].ip("link", "del", "eth0")
        wait_until(lambda: cni.link_state("vnet0") != "up", 5, f"vnet0 on {host} is gone")
        cni.delete_port("vnet0")
        assert site.switch.vsctl("list-ports", "br0") == "vnet1\n"
