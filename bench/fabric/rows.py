"""What is measured of a fabric: each row makes one of its own, in namespaces, and says what it has found."""

import copy
import dataclasses
import time
import typing

from bench.fabric import flood, simulated
from tests.peers.frr_vtep import FrrVtep
from tests.support import traffic
from tests.support.blast import Blast
from tests.support.fabric import Fabric
from tests.support.lab import Host
from tests.support.plain_frames import ethernet
from tests.support.process import LabError, run, wait_until

PATIENCE_S = 300
NOTHING = 0x88B5    # IEEE Std 802: an EtherType for local experiments
LEARN_PER_SECOND = 200_000
MANY_VNIS = 300
FIRST_VLAN = 1      # VLAN v is VNI FIRST_VNI + v
FIRST_VNI = 1000


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    what: str
    unit: str
    bar: float
    measure: typing.Callable    # of a Lab: (value, {what else: figure})
    at_least: bool = False      # the bar; else at most
    large: bool = False         # not for --quick

    def verdict(self, value):
        return "met" if (value >= self.bar if self.at_least else value <= self.bar) else "not met"


def mac_of(number):
    return f"02:10:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def memory(fabric):
    """Resident megabytes of who carries the fabric's state."""
    sizes = {}
    for member in fabric.members:
        if member.gateway:
            sizes[f"causewayd {member.name}, MB"] = member.gateway.rss_mb()
        for daemon in ("zebra", "bgpd"):
            sizes[f"{daemon} {member.name}, MB"] = member.frr.memory_mb(daemon)
    sizes["bgpd of the reflector, MB"] = fabric.reflector.memory_mb("bgpd")
    return sizes


def room_for(count):
    def change(config, _number):
        config["bridges"]["br-int"]["parameters"]["max-macs"] = 4 * count
        config["system"]["memory"] = "128M"
    return change


def known(member):
    return member.gateway.row("bridges", "br-int")["macs"]


def macs(count):
    """From the first frame at one gateway until the other's workers find all of them."""
    def measure(lab):
        fabric = Fabric(lab, gateways=2, kernels=0, change=room_for(count))
        one, two = fabric.gateways
        fabric.meet()
        before = known(two)
        to = two.container.mac("eth0")
        frames = [ethernet(to, mac_of(number), NOTHING, b"") for number in range(count)]
        started = time.monotonic()
        with Blast(one.container, "eth0", frames, LEARN_PER_SECOND):
            wait_until(lambda: known(one) >= count, PATIENCE_S, lambda: f"gw1 has learnt all: {known(one)}")
            learnt_s = time.monotonic() - started
            wait_until(lambda: known(two) >= before + count, PATIENCE_S, lambda: f"gw2 has all: {known(two)} of {count}")
            value = time.monotonic() - started
        [row] = two.gateway.ctl("show", "evpn")
        return value, {"learnt at the first after, s": learnt_s, "show evpn": row, **memory(fabric)}
    return measure


def kernel_macs(count):
    """FRR's own share: from the first of `count` entries put into one kernel's bridge until another one's bridge has all."""
    def measure(lab):
        fabric = Fabric(lab, gateways=0, kernels=2)
        one, two = fabric.members
        fabric.meet()
        batch = lab.path("macs")
        with open(batch, "w") as file:
            file.writelines(f"fdb replace {mac_of(number)} dev c1 master dynamic extern_learn\n" for number in range(count))

        def seen():
            return int(two.host.run(f"bridge fdb show dev {two.kernel.vxlan} | grep -c ' dst '", quiet=True).stdout)
        before, started = seen(), time.monotonic()
        run(["bridge", "-n", one.host.netns, "-batch", batch], timeout=PATIENCE_S)
        injected_s = time.monotonic() - started
        wait_until(lambda: seen() >= before + count, PATIENCE_S, lambda: f"the other kernel has all: {seen()} of {count}", interval=0.1)
        return time.monotonic() - started, {"put into the first kernel after, s": injected_s, **memory(fabric)}
    return measure


def evpn(number, count):
    return [{"vni": FIRST_VNI + vlan, "vlan": vlan, "local": f"172.31.0.{number}"} for vlan in range(FIRST_VLAN, FIRST_VLAN + count)]


def with_vnis(count):
    """A VLAN each; room for one more."""
    def change(config, number):
        config["bridges"]["br-int"]["evpn"] = evpn(number, count)
        config["ethernets"][f"c{number}"] = {"vlan": {"mode": "trunk", "trunks": [*range(FIRST_VLAN, FIRST_VLAN + count + 1)]}}
    return change


def with_vnis_and_others(config, number):
    """Beside the VNIs a bridge that shows whether forwarding goes on while they come and go: d1 and d2 by GENEVE."""
    with_vnis(MANY_VNIS)(config, number)
    config["ethernets"][f"d{number}"] = {}
    config["bridges"]["beside"] = {"interfaces": [f"d{number}", "gnv0"]}
    config["tunnels"] = {"gnv0": {"mode": "geneve", "id": 7, "local": f"172.31.0.{number}", "remote": f"172.31.0.{3 - number}"}}


def start_patiently(host, config):
    return Host.causeway(host, config, ready_s=PATIENCE_S)


def vnis_of(member, peer):
    """VNIs in which FRR on `member` floods to `peer`."""
    table = member.frr.json("show evpn vni")
    return sum(peer.vtep in row.get("remoteVteps", []) for row in table.values())


def many_vnis(lab):
    """Start of a gateway with 300 VNIs until the other one has it in 300 flood lists."""
    beside = {}

    def start(host, config):
        number = int(host.name[2:])
        beside[number] = host.container(f"d{number}", address=f"10.9.0.{number}/24", mtu=1400)
        return start_patiently(host, config)

    fabric = Fabric(lab, gateways=2, kernels=0, change=with_vnis_and_others, start=start)
    one, two = fabric.gateways
    wait_until(lambda: vnis_of(one, two) == MANY_VNIS, PATIENCE_S, "both have all VNIs")
    two.gateway.stop(timeout=PATIENCE_S)
    wait_until(lambda: vnis_of(one, two) == 0, PATIENCE_S, "the one that has stopped is in no flood list")
    started = time.monotonic()
    two.gateway = start_patiently(two.host, two.gateway.config)
    ready_s = time.monotonic() - started
    wait_until(lambda: vnis_of(one, two) == MANY_VNIS, PATIENCE_S, "it is in all of them", interval=0.1)
    value = time.monotonic() - started
    wait_until(lambda: traffic.ping(beside[1], beside[2].ip4, count=1, check=False), 30, "d1 reaches d2")

    stream = traffic.UdpStream(beside[1], beside[2], beside[2].ip4)
    more = {}
    for member in (one, two):
        config = copy.deepcopy(member.gateway.config)
        config["bridges"]["br-int"]["evpn"] = evpn(member.number, MANY_VNIS + 1)
        started = time.monotonic()
        member.gateway.apply(config, timeout=PATIENCE_S)
        more["apply of one more, ms"] = 1000 * (time.monotonic() - started)
    wait_until(lambda: vnis_of(one, two) == MANY_VNIS + 1, PATIENCE_S, "one more")
    more["one more, until it is in the other's flood list, ms"] = 1000 * (time.monotonic() - started)
    config = copy.deepcopy(two.gateway.config)
    del config["bridges"]["br-int"]["evpn"]
    started = time.monotonic()
    two.gateway.apply(config, timeout=PATIENCE_S)
    more["apply without any, s"] = time.monotonic() - started
    wait_until(lambda: vnis_of(one, two) == 0, PATIENCE_S, "none is left", interval=0.1)
    more["until none is left, s"] = time.monotonic() - started
    report = stream.stop()
    return value, {"control socket answers after, s": ready_s, **more, "lost beside it": f"{len(report['lost'])} of {report['sent']}",
                   "longest gap, ms": report["longest_gap_ms"]}


def simulated_vnis(lab):
    """A peer that has 1,000 VNIs with a MAC each, of which the gateway has 300: until it has those."""
    fabric = Fabric(lab, gateways=1, kernels=0, change=with_vnis(MANY_VNIS), start=start_patiently)
    [one] = fabric.gateways
    wait_until(lambda: len(one.frr.json("show evpn vni")) == MANY_VNIS, PATIENCE_S, "it has its VNIs")
    speaker = simulated.Speaker(fabric, vteps=1, vnis=1000, vnis_each=1000, macs=1000, first_vni=FIRST_VNI + FIRST_VLAN)
    started = speaker.started()
    wait_until(lambda: known(one) >= MANY_VNIS, PATIENCE_S, lambda: f"it has a MAC in each: {known(one)}", interval=0.1)
    return time.monotonic() - started, {"routes": speaker.sent(), **memory(fabric)}


VTEPS, VNIS, VNIS_EACH, MACS = 1000, 100, 10, 100_000


def large_fabric(lab):
    """1,000 VTEPs, 100,000 MACs, 100 VNIs; beside them the gateway and a VTEP of the kernel's that has one of the VNIs."""
    def change(config, number):
        room_for(MACS)(config, number)
        with_vnis(VNIS)(config, number)
        config["ethernets"][f"c{number}"]["vlan"].update(mode="native", tag=FIRST_VLAN)
        # Whoever is simulated is behind a router, who swallows.
        config["ethernets"]["up0"]["routes"] = [{"to": simulated.NETWORK, "via": "172.31.0.100"}]

    fabric = Fabric(lab, gateways=1, kernels=1, change=change, start=start_patiently)
    one, other = fabric.members
    vni = FIRST_VNI + FIRST_VLAN
    wait_until(lambda: len(one.frr.json("show evpn vni")) == VNIS, PATIENCE_S, "it has its VNIs")
    other.host.ip("link", "set", f"c{other.number}", "nomaster")
    FrrVtep(other.host, other.vtep, [f"c{other.number}"], vni)
    container = one.container
    wait_until(lambda: traffic.ping(container, other.container.ip4, count=1, check=False), 60, "the two real ones reach each other")

    stream = traffic.UdpStream(container, other.container, other.container.ip4)
    before = {f"{what}, before": size for what, size in memory(fabric).items()}
    speaker = simulated.Speaker(fabric, VTEPS, VNIS, VNIS_EACH, MACS, first_vni=vni)
    started = speaker.started()
    wait_until(lambda: known(one) >= MACS, PATIENCE_S, lambda: f"the gateway has all MACs: {known(one)}", interval=0.2)
    value = time.monotonic() - started
    report = stream.stop()
    lists = [len(row.get("remoteVteps", [])) for row in one.frr.json("show evpn vni").values()]
    copies = flood.copies_per_second(one)
    return value, {"routes": speaker.sent(), "VTEPs in a flood list": max(lists), "copies of floods a second": copies,
                   "lost between the real ones": f"{len(report['lost'])} of {report['sent']}",
                   "longest gap, ms": report["longest_gap_ms"], **before, **memory(fabric)}


ROWS = (
    Row("macs-10000", "10,000 MACs learnt at one gateway, until another one uses them", "s", 1, macs(10_000)),
    Row("macs-10000-frr", "the same between two kernels' bridges: FRR's own share", "s", 1, kernel_macs(10_000)),
    Row("macs-100000", "100,000 MACs", "s", 15, macs(100_000), large=True),
    Row("macs-100000-frr", "the same between two kernels' bridges", "s", 15, kernel_macs(100_000), large=True),
    Row("vnis-300", "start with 300 VNIs, until they are in the other's flood lists", "s", 10, many_vnis),
    Row("vnis-1000", "300 of a simulated peer's 1,000 VNIs", "s", 10, simulated_vnis),
    Row("fabric-1000", "1,000 VTEPs, 100,000 MACs, 100 VNIs", "s", 30, large_fabric, large=True),
    Row("host-path", "rate of tunnels while 1 Mpps comes for the host, of that without", "share", 0.95, flood.tunnels_share, at_least=True),
    Row("host-path-bgp", "sessions that stay up while a neighbor floods the host's address", "share", 1, flood.sessions_share, at_least=True),
)


def measure(row, lab):
    try:
        value, beside = row.measure(lab)
    except (LabError, OSError) as error:
        return {"wrong": str(error)}
    return {"value": value, "beside": beside}
