"""What the dashboard is drawn of: two gateways with containers behind them, traffic that rises and falls, and a few things that
go wrong."""

import math
import time

from tests.support import traffic
from tests.support.prometheus import Prometheus

PIECE_S = 8  # of traffic at one rate
# Beside the lab's underlay, for Prometheus.
MANAGEMENT = {1: "10.99.0.1", 2: "10.99.0.2"}
METRICS_PORT = 9111


def gateway(me):
    """web1 and web2 are behind the first, db1 and db2 behind the second one."""
    peer = 3 - me
    kind = "web" if me == 1 else "db"
    ends = {"local": f"172.31.0.{me}", "remote": f"172.31.0.{peer}"}
    config = {"version": 1,
              "system": {"name": f"gw{me}", "hugepages": "off", "metrics": f"{MANAGEMENT[me]}:{METRICS_PORT}"},
              "ethernets": {f"{kind}1": {}, f"{kind}2": {}, f"up{me}": {"addresses": [f"172.31.0.{me}/24"]}},
              "tunnels": {f"to-gw{peer}": {"mode": "geneve", "id": 123, **ends}},
              "bridges": {"br-int": {"interfaces": [f"{kind}1", f"{kind}2", f"to-gw{peer}"]}}}
    if me == 1:
        # A branch whose gateway is off, and one whose other end has another VNI.
        config["tunnels"]["to-branch"] = {"mode": "vxlan", "id": 7, "local": "172.31.0.1", "remote": "172.31.0.9"}
        config["tunnels"]["to-lab"] = {"mode": "vxlan", "id": 8, **ends}
        config["ethernets"]["lab1"] = {"generator": {"flows": 20, "rate": 40, "frame-bytes": 300}}
        config["bridges"]["br-branch"] = {"interfaces": ["lab1", "to-branch", "to-lab"]}
    else:
        config["tunnels"]["to-lab"] = {"mode": "vxlan", "id": 9, **ends}
        config["ethernets"]["lab2"] = {"tap": {}}
        config["bridges"]["br-branch"] = {"interfaces": ["lab2", "to-lab"]}
    return config


class Scene:
    def __init__(self, lab):
        hosts = [lab.host("h1"), lab.host("h2")]
        lab.link(hosts[0], "up1", hosts[1], "up2")
        lab.link(hosts[0], "manage", hosts[1], "manage")
        self.containers = {}
        for me, host in enumerate(hosts, 1):
            host.address("manage", f"{MANAGEMENT[me]}/24")
            for number in (1, 2):
                name = f"{'web' if me == 1 else 'db'}{number}"
                self.containers[name] = host.container(name, address=f"10.1.0.{10 * me + number}/24", mtu=1450)
        self.gateways = [host.causeway(gateway(me)) for me, host in enumerate(hosts, 1)]
        self.prometheus = Prometheus(hosts[0], targets=[f"{address}:{METRICS_PORT}" for address in MANAGEMENT.values()])

    def play(self, seconds):
        """Traffic for so long; (start, end) as Prometheus counts, without the first seconds, which have no rates yet."""
        web1, web2, db1, db2 = (self.containers[name] for name in ("web1", "web2", "db1", "db2"))
        for source, target in ((web1, db1), (web2, db2)):
            traffic.ping(source, target.ip4)
        pings = [source.spawn(["ping", "-n", "-i", 0.02, "-s", 1000, target.ip4]) for source, target in ((web1, db2), (db1, web2))]
        # Larger than the tunnel takes.
        pings.append(web2.spawn(["sh", "-c", f"ip link set eth0 mtu 1500; ping -n -M do -i 0.5 -s 1472 {db2.ip4}"]))
        began = time.time()
        piece = 0
        while time.time() - began < seconds:
            place = (time.time() - began) / seconds
            megabits = 90 + 70 * math.sin(2 * math.pi * (1.4 * place - 0.2)) + 12 * (piece % 3)
            runs = [traffic.Iperf3(db1, web1, web1.ip4, PIECE_S, 5201, ["-b", f"{megabits:.0f}M"]),
                    traffic.Iperf3(web2, db2, db2.ip4, PIECE_S, 5202, ["-u", "-l", 400, "-b", f"{4 + 8 * place * (piece % 2):.1f}M"])]
            for run in runs:
                run.result()
            piece += 1
            if piece == 5:
                config = gateway(2)
                config["tunnels"]["to-gw1"]["mss-clamp"] = "auto"
                self.gateways[1].apply(config)
        for ping in pings:
            ping.stop()
        return began + 15, time.time()
