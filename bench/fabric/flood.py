"""What floods cost: of frames for everybody, and of frames for the host's own address."""

import statistics
import time

from bench import frames
from tests.support import traffic
from tests.support.blast import Blast, blast
from tests.support.fabric import HOLD_S, Fabric, vtep
from tests.support.plain_frames import BROADCAST, UDP, ethernet, ipv4, mac_bytes, udp
from tests.support.process import wait_until

SECONDS = 3
ROUNDS = 5
FLOOD_PER_SECOND = 1_000_000
HOST_ADDRESS, HOST_MAC = "172.30.0.1", "02:00:00:00:30:01"
DISCARD = 9


def sent(gateway, port):
    return gateway.row("ports", port)["tx_packets"]


def rate(gateway, port, seconds=SECONDS):
    """Frames a second that leave by it."""
    before, started = sent(gateway, port), time.monotonic()
    time.sleep(seconds)
    return (sent(gateway, port) - before) / (time.monotonic() - started)


def copies_per_second(member):
    """Of frames of 60 bytes for everybody, as fast as the container sends them."""
    frame = (mac_bytes(BROADCAST) + mac_bytes(member.container.mac("eth0")) + b"\x88\xb5").ljust(60, b"\0")
    with Blast(member.container, "eth0", [frame]):
        time.sleep(0.5)
        return round(rate(member.gateway, "up0"))


def generators(flooded):
    """A gateway whose ports are generators: `in0` has tunnels' frames, which leave by `out0`, and `host0` those for the host."""
    tunnel = {"mode": "vxlan", "id": frames.VNI, "source-address": "172.31.0.2", "destination-address": "172.31.0.1"}
    flood = {"flows": 1000 if flooded else 0, "rate": FLOOD_PER_SECOND, "destination-mac": HOST_MAC,
             "destination-address": HOST_ADDRESS, "destination-port": DISCARD}
    inner = frames.destination_mac(0)
    return {
        "version": 1, "system": {"workers": [1], "control-core": 0, "idle": "busy", "hugepages": "off"},
        "ethernets": {
            "in0": {"generator": {"flows": 1000, "destination-mac": inner, "tunnel": tunnel}, "mtu": 2000,
                    "macaddress": frames.LOCAL_MAC, "addresses": ["172.31.0.1/24"],
                    "neighbors": [{"to": "172.31.0.2", "macaddress": frames.REMOTE_MAC}]},
            "host0": {"generator": flood, "mtu": 1500, "macaddress": HOST_MAC, "addresses": [f"{HOST_ADDRESS}/24"],
                      "host": {"interface": "host0-path"}},
            "out0": {"generator": {"flows": 0}}},
        "bridges": {"br-int": {"interfaces": ["out0", "tun0"], "static-macs": [{"mac": inner, "port": "out0"}]}},
        "tunnels": {"tun0": {"mode": "vxlan", "id": frames.VNI, "local": "172.31.0.1", "remote": "172.31.0.2"}}}


def tunnels_share(lab):
    """One worker at full load, without and with the flood, in turn; the median of the rounds."""
    rates = {False: [], True: []}
    for flooded in [False, True] * ROUNDS + [False]:
        host = lab.host(f"gw{len(lab.hosts)}")
        gateway = host.causeway(generators(flooded))
        time.sleep(1)
        rates[flooded].append(rate(gateway, "out0"))
        if flooded:
            came = gateway.row("ports", "host0")["rx_packets"]
            drops = gateway.drops()
        gateway.stop()
    alone = [(before + behind) / 2 for before, behind in zip(rates[False], rates[False][1:])]
    shares = sorted(flooded / without for flooded, without in zip(rates[True], alone))
    return statistics.median(shares), {
        "shares": [round(share, 2) for share in shares], "tunnels alone, Mpps": statistics.median(alone) / 1e6,
        "frames for the host": came, "dropped": drops}


def sessions_share(lab):
    """Two gateways and a neighbor on their cable who sends as much as he can to the first one's address."""
    fabric = Fabric(lab, gateways=2, kernels=1)
    one, two = fabric.gateways
    neighbor = fabric.members[-1]
    fabric.meet()
    before = fabric.sessions()
    mac = one.host.mac("host-up0")
    flood = [ethernet(mac, neighbor.host.mac("up0"), 0x0800, ipv4(neighbor.vtep, vtep(one.number), UDP, udp(port, DISCARD, bytes(18))))
             for port in range(1024, 2024)]
    stream = traffic.UdpStream(one.container, two.container, two.container.ip4)
    result = blast(neighbor.host, "up0", flood, seconds=HOLD_S + 5)
    report = stream.stop()
    after = fabric.sessions()
    wait_until(lambda: traffic.ping(one.container, two.container.ip4, count=1, check=False), 30, "they still reach each other")
    stayed = sum(after.get(peer, 0) > uptime for peer, uptime in before.items())
    return stayed / len(before), {"frames a second for the host": round(result["per_second"]),
                                  "lost between containers": f"{len(report['lost'])} of {report['sent']}",
                                  "longest gap, ms": report["longest_gap_ms"], "dropped": one.gateway.drops()}
