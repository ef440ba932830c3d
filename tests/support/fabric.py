"""A fabric on one cable: gateways with FRR beside them, an FRR route reflector, a VTEP of the kernel's; a container behind each.

The gateways' FRR speaks BGP over the host path. IPv4: a VTEP has its address on the cable. IPv6: the cable has IPv6 alone; VTEPs
keep IPv4 addresses, since FRR 8.4 knows no others, and FRR makes routes to them with IPv6 next hops (RFC 8950).
"""

import copy
import dataclasses

from tests.peers.frr import Frr
from tests.peers.frr_vtep import FrrVtep
from tests.support import traffic
from tests.support.causeway import Causeway
from tests.support.lab import Container, Host
from tests.support.overlay import CONTAINER_MTU
from tests.support.process import LabError, run, wait_until

VNI = 100
REFLECTOR = 100     # its number on the cable; gateways count from 1
HOLD_S = 30         # of BGP: longer than a gateway's restart on a loaded machine
CONVERGED_S = 45    # generous: BGP and everybody on a loaded machine
UDP_PORT = {"vxlan": 4789, "geneve": 6081}


def cable_address(number, family=4):
    return f"172.31.0.{number}" if family == 4 else f"fd00:31::{number}"


def vtep(number, family=4):
    return cable_address(number) if family == 4 else f"192.0.2.{number}"


def addresses(number, family=4):
    """Of a VTEP, with prefix lengths."""
    return [f"{cable_address(number)}/24"] if family == 4 else [f"{vtep(number, 6)}/32", f"{cable_address(number, 6)}/64"]


def leaf_conf(number, family=4):
    """frr.conf of a VTEP."""
    reflector = cable_address(REFLECTOR, family)
    reach = "" if family == 4 else f"""
 neighbor {reflector} capability extended-nexthop
 address-family ipv4 unicast
  network {vtep(number, family)}/32
  neighbor {reflector} activate
 exit-address-family"""
    return f"""frr defaults datacenter
router bgp 65000
 bgp router-id 172.31.0.{number}
 no bgp default ipv4-unicast
 timers bgp 3 {HOLD_S}
 neighbor {reflector} remote-as 65000
 neighbor {reflector} timers connect 1{reach}
 address-family l2vpn evpn
  neighbor {reflector} activate
  advertise-all-vni
 exit-address-family
"""


def reflector_conf(family=4):
    network = "172.31.0.0/24" if family == 4 else "fd00:31::/64"
    reach = "" if family == 4 else """
 neighbor fabric capability extended-nexthop
 address-family ipv4 unicast
  neighbor fabric activate
  neighbor fabric route-reflector-client
 exit-address-family"""
    return f"""frr defaults datacenter
router bgp 65000
 bgp router-id 172.31.0.{REFLECTOR}
 no bgp default ipv4-unicast
 timers bgp 3 {HOLD_S}
 neighbor fabric peer-group
 neighbor fabric remote-as 65000
 bgp listen range {network} peer-group fabric{reach}
 address-family l2vpn evpn
  neighbor fabric activate
  neighbor fabric route-reflector-client
 exit-address-family
"""


def gateway_config(number, family=4, mode="vxlan"):
    """As a dict, to be changed at will: bridge br-int with the container's port, in the fabric by VNI 100."""
    port = f"c{number}"
    up0 = {"addresses": addresses(number, family), "host": True}
    if family == 6:
        up0["routes"] = "host"
    return {"version": 1, "system": {"name": f"gw{number}", "hugepages": "off"},
            "ethernets": {port: {}, "up0": up0},
            "bridges": {"br-int": {"interfaces": [port], "parameters": {"arp-nd-suppress": True},
                                   "evpn": {"vni": VNI, "local": vtep(number, family), "mode": mode}}}}


@dataclasses.dataclass
class Member:
    """A VTEP with a container behind it. One of `gateway` and `kernel` is None."""
    number: int
    vtep: str
    host: Host
    frr: Frr
    container: Container
    gateway: Causeway = None
    kernel: FrrVtep = None

    @property
    def name(self):
        return self.host.name

    def known_macs(self, vni=VNI):
        """MAC -> the VTEP it is behind, None: it is here, as FRR has it."""
        macs = self.frr.json(f"show evpn mac vni {vni}").get("macs", {})
        return {mac: row.get("remoteVtep") if row["type"] == "remote" else None for mac, row in macs.items()}

    def known_hosts(self, vni=VNI):
        """Address -> MAC, as FRR has it."""
        table = self.frr.json(f"show evpn arp-cache vni {vni}")
        return {address: row["mac"] for address, row in table.items() if isinstance(row, dict)}

    def flood_list(self, vni=VNI):
        if self.kernel:
            return self.kernel.flood_list()
        return set(self.frr.json("show evpn vni").get(str(vni), {}).get("remoteVteps", []))

    def fdb(self):
        """MAC -> the VTEP that the gateway sends to; None: one of its ports. Of the kernel's, what its bridge does."""
        if self.gateway:
            return {row["mac"]: row["remote"] if row["type"] == "evpn" else None for row in self.gateway.ctl("show", "fdb")}
        lines = self.host.run(["bridge", "fdb", "show"], quiet=True).stdout.splitlines()
        rows = [line.split() for line in lines if "permanent" not in line]
        ways = {row[0]: None for row in rows}
        ways.update({row[0]: row[row.index("dst") + 1] for row in rows if "dst" in row})
        return ways


class Fabric:
    """Returns when the gateways run and every VTEP has a BGP session. `change(config, number)`: of a gateway's file before
    it starts; `start(host, config)`: something other than host.causeway()."""

    def __init__(self, lab, mode="vxlan", family=4, gateways=3, kernels=1, mover=None, change=None, start=Host.causeway):
        self.lab, self.mode, self.family, self.mover = lab, mode, family, mover
        numbers = range(1, gateways + kernels + 1)
        hosts = {number: lab.host(f"{'gw' if number <= gateways else 'kernel'}{number}") for number in numbers}
        reflecting = lab.host("rr")
        self.switch = lab.switch("sw", [(host, "up0") for host in (*hosts.values(), reflecting)])
        reflecting.address("up0", f"{cable_address(REFLECTOR, family)}/{24 if family == 4 else 64}")
        self.reflector = Frr(reflecting).start(reflector_conf(family))
        self.members = [self._gateway(number, host, change, start) if number <= gateways
                        else self._kernel(number, host) for number, host in hosts.items()]
        self.drops_before = {}
        self.await_sessions()

    def _gateway(self, number, host, change, start):
        container = self._container(number, host)
        config = gateway_config(number, self.family, self.mode)
        if self.mover:
            self.mover.cable(config, number)
        if change:
            change(config, number)
        # As hosts have it, for the host path's interface; on those that causewayd owns the kernel stays silent.
        host.sysctl("net.ipv6.conf.default.disable_ipv6", 0)
        gateway = start(host, copy.deepcopy(config))
        frr = Frr(host).start(leaf_conf(number, self.family))
        return Member(number, vtep(number, self.family), host, frr, container, gateway=gateway)

    def _kernel(self, number, host):
        container = self._container(number, host)
        host.address("up0", *(address for address in addresses(number, self.family) if address.endswith(("/24", "/64"))))
        if self.family == 6:
            host.ip("addr", "add", f"{vtep(number, 6)}/32", "dev", "lo")
        kernel = FrrVtep(host, vtep(number, self.family), [f"c{number}"], VNI, UDP_PORT[self.mode], CONTAINER_MTU)
        for address in (container.ip4, container.ip6):
            kernel.add_host(address, container.mac("eth0"))
        frr = Frr(host).start(leaf_conf(number, self.family))
        return Member(number, vtep(number, self.family), host, frr, container, kernel=kernel)

    def _container(self, number, host):
        mac = f"02:00:00:00:01:{number:02x}"
        return host.container(f"c{number}", address=[f"10.1.0.{number}/24", f"fd00:1::{number}/64"], mtu=CONTAINER_MTU, mac=mac)

    @property
    def gateways(self):
        return [member for member in self.members if member.gateway]

    def pairs(self):
        """Each of two members, once."""
        return [(one, other) for one in self.members for other in self.members if one.number < other.number]

    def sessions(self):
        """Addresses of those whose session with the reflector is up -> milliseconds since."""
        peers = self.reflector.json("show bgp l2vpn evpn summary").get("peers", {})
        return {peer: row["peerUptimeMsec"] for peer, row in peers.items() if row["state"] == "Established"}

    def await_sessions(self):
        wait_until(lambda: len(self.sessions()) == len(self.members), CONVERGED_S,
                   lambda: f"each VTEP has a BGP session; these have: {sorted(self.sessions())}", interval=0.1)

    def await_flood_lists(self):
        """Until everybody floods to all others, so that nobody's first frame is missed."""
        everybody = {member.vtep for member in self.members}
        for member in self.members:
            wait_until(lambda: member.flood_list() == everybody - {member.vtep}, CONVERGED_S,
                       lambda: f"the flood list of {member.name} is whole: {sorted(member.flood_list())}", interval=0.1)

    def meet(self):
        """Everybody has heard everybody else once."""
        self.await_flood_lists()
        for one, other in self.pairs():
            for address in (other.container.ip4, other.container.ip6):
                wait_until(lambda: traffic.ping(one.container, address, count=1, check=False), CONVERGED_S,
                           f"{one.container.name} reaches {other.container.name} at {address}")
        self.drops_before = self.drops()

    def forget_neighbors(self):
        """Containers ask again for each other's addresses."""
        for member in self.members:
            member.container.ip("neigh", "flush", "dev", "eth0")

    def where(self, member):
        """MAC of each container, and of the mover -> its VTEP as seen from `member`; None: here."""
        places = {other.container.mac("eth0"): None if other is member else other.vtep for other in self.members}
        if self.mover and self.mover.at:
            places[self.mover.mac] = self.mover.seen_from(member)
        return places

    def await_complete(self):
        """Until FRR, and what forwards, have every container at its place, with its addresses, and nothing else."""
        self.await_flood_lists()
        hosts = {address: other.container.mac("eth0") for other in self.members
                 for address in (other.container.ip4, other.container.ip6)}
        for member in self.members:
            expected = self.where(member)
            for what, seen in (("MACs of FRR", member.known_macs), ("FDB", member.fdb)):
                wait_until(lambda: seen() == expected, CONVERGED_S,
                           lambda: f"{what} on {member.name} is complete: {seen()} is to be {expected}", interval=0.1)
            wait_until(lambda: hosts.items() <= member.known_hosts().items(), CONVERGED_S,
                       lambda: f"the hosts that FRR on {member.name} knows are all: {member.known_hosts()}", interval=0.1)

    def drops(self):
        return {(member.name, reason): count for member in self.gateways for reason, count in member.gateway.lost().items()}

    def lost(self):
        """Drops by (gateway, reason) since meet(): what hosts say before the VTEPs know each other dies, and may."""
        return {place: count - before for place, count in self.drops().items()
                if count > (before := self.drops_before.get(place, 0))}


class Mover:
    """A host with a cable to each of two gateways, of which one counts at a time; it keeps its MAC and its address."""

    ip4, mac = "10.1.0.50", "02:00:00:00:01:50"
    numbers = (1, 2)

    def __init__(self, lab):
        self.host = lab.host("mover")
        for scope in ("all", "default"):
            self.host.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 1)  # its interfaces say nothing of their own,
            self.host.sysctl(f"net.ipv4.conf.{scope}.arp_ignore", 1)    # nor for the bridge
        self.host.ip("link", "add", "name", "br0", "mtu", CONTAINER_MTU, "address", self.mac, "type", "bridge")
        # A port that stays: without any the bridge has no carrier, which the kernel gives back a second later.
        self.host.ip("link", "add", "stays", "type", "veth", "peer", "name", "end")
        for interface in ("stays", "end"):
            self.host.ip("link", "set", interface, "up")
        self.host.ip("link", "set", "stays", "master", "br0")
        self.host.ip("link", "set", "br0", "up")
        self.host.address("br0", f"{self.ip4}/24")
        self.at = None

    def cable(self, config, number):
        """To the gateway of this number, as its port `mv`."""
        if number in self.numbers:
            lab = self.host.lab
            lab.link(self.host, f"e{number}", lab.hosts[f"gw{number}"], "mv", CONTAINER_MTU)
            config["ethernets"]["mv"] = {}
            config["bridges"]["br-int"]["interfaces"].append("mv")

    def move(self, number):
        steps = [f"link set e{self.at} nomaster"] if self.at else []
        run(["ip", "-n", self.host.netns, "-batch", "-"], input="\n".join([*steps, f"link set e{number} master br0", ""]))
        self.at = number

    def seen_from(self, member):
        """The VTEP that it is behind; None: it is here."""
        return None if member.number == self.at else vtep(self.at)

    def is_seen_by(self, members):
        return all(member.fdb().get(self.mac, "nowhere") == self.seen_from(member) for member in members)


class Watch:
    """What VTEPs send each other while the `with` block lasts: misdirected(), requests()."""

    FIELDS = ("eth.dst", "ip.dst", "arp.opcode", "icmpv6.type")

    def __init__(self, fabric, max_frames=20_000):
        self.fabric = fabric
        port = UDP_PORT[fabric.mode]
        self.captures = [fabric.switch.capture(member.name, filter=f"udp dst port {port} and src host {member.vtep}",
                                               snap_bytes=160, max_frames=max_frames) for member in fabric.members]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for capture in self.captures:
            capture.stop()
        if kind is not None:
            return
        self.frames = [frame for capture in self.captures for frame in capture.frames(self.fabric.mode, self.FIELDS)]
        if not self.frames:
            raise LabError("nothing passed between VTEPs")

    def misdirected(self):
        """Unicast frames that went to another VTEP than the one their MAC is behind: (MAC, VTEP)."""
        place = {other.container.mac("eth0"): other.vtep for other in self.fabric.members}
        ends = [(frame["eth.dst"][1], frame["ip.dst"][0]) for frame in self.frames]
        return [(mac, remote) for mac, remote in ends if not int(mac[:2], 16) & 1 and place.get(mac) != remote]

    def requests(self):
        """ARP requests and neighbor solicitations to everybody."""
        return [frame for frame in self.frames if int(frame["eth.dst"][1][:2], 16) & 1
                and ("1" in frame["arp.opcode"] or "135" in frame["icmpv6.type"])]
