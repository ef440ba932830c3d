"""./run demo: two gateways and a container behind each, a tunnel between them, and proof that it carries traffic.

    ./run demo [geneve|vxlan] [--keep]     about half a minute, and in a terminal ten
                                           seconds of causewayctl top; --keep leaves it running
    ./run demo --down                      takes a kept one down
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from tests.demo.shown import Step, heading, indented, paint, run
from tests.support import traffic
from tests.support.causeway import program
from tests.support.lab import Lab, namespaces, take_down
from tests.support.overlay import two_hosts
from tests.support.process import LabError, tail

KEPT_PREFIX = "causeway-demo-"
FILE_BYTES = 32 << 20
IPERF_SECONDS = 4
TOP_SECONDS = 10
IPERF_FRAMES = 20_000  # captured of the iperf3 runs; ping and HTTP are captured whole
TOOLS = {"ip": "iproute2", "ping": "iputils-ping", "curl": "curl", "iperf3": "iperf3", "tcpdump": "tcpdump",
         "tshark": "tshark"}
UDP_PORT = {"geneve": 6081, "vxlan": 4789}

PICTURE = """\
c1  10.1.0.1/24                                c2  10.1.0.2/24
     |                                                  |
+----|----- h1 ----------+          +---------- h2 -----|----+
|    |                   |          |                   |    |
|  br-int --- tun0 ======{name:=^12}====== tun0 --- br-int  |
|             up0 -------------------------- up0             |
|      172.31.0.1        |          |        172.31.0.2      |
+------------------------+          +------------------------+
"""

CONFIG = """\
version: 1
ethernets:
  c{me}: {{}}                                   # the container's cable: an existing interface
  up0: {{addresses: [172.31.0.{me}/24]}}        # has an address: an underlay, tunnels start here
bridges:
  br-int: {{interfaces: [c{me}, tun0]}}
tunnels:
  tun0: {{mode: {mode}, id: 123, local: 172.31.0.{me}, remote: 172.31.0.{peer}}}
"""


def missing_tools():
    return sorted(package for tool, package in TOOLS.items() if not shutil.which(tool))


class Demo:
    def __init__(self, mode, keep):
        self.mode = mode
        self.keep = keep
        self.lab = Lab(prefix=KEPT_PREFIX if keep else None, echo=False)

    def show(self):
        """The whole demo; raises LabError where something is not as it should be."""
        self.build()
        whole = self.h2.capture("up0")
        self.first_packets()
        whole.stop()
        begin = self.h2.capture("up0", max_frames=IPERF_FRAMES)
        self.throughput()
        begin.stop()
        self.on_the_wire(whole)
        self.state()
        self.verdict([("ping and HTTP, whole", whole), ("iperf3, its beginning", begin)])
        self.live()

    def build(self):
        heading("Two hosts, a container each")
        indented(PICTURE.format(name=f" {self.mode.upper()} 123 "), "bold")
        step = Step("network namespaces and cables")
        self.h1, self.h2, self.c1, self.c2 = two_hosts(self.lab, underlay_mtu=1500, container_mtu=1450)
        step.done("containers' MTU 1450, underlay's 1500")
        heading("One file each")
        configs = [CONFIG.format(me=me, peer=3 - me, mode=self.mode) for me in (1, 2)]
        for name, config in zip(("h1.yaml", "h2.yaml"), configs):
            print(f"  {paint(name, 'bold')}")
            indented(config)
        self.gateways = []
        for host, config in zip((self.h1, self.h2), configs):
            step = Step(f"{host.name}: causewayd -c {host.name}.yaml")
            before = time.monotonic()
            self.gateways.append(host.causeway(config))
            step.done(f"ready in {time.monotonic() - before:.1f} s")

    def first_packets(self):
        heading("Traffic")
        step = Step("ping c1 -> c2, 3 times")
        done = self.c1.run(["ping", "-n", "-c", 3, "-i", "0.3", "-W", 2, self.c2.ip4], check=False)
        if " 0% packet loss" not in done.stdout:
            raise LabError(f"ping lost packets:\n{tail(done.stdout + done.stderr)}")
        step.done(re.search(r"rtt.*", done.stdout).group(0))
        step = Step("ping with the largest packet, DF set")
        traffic.ping(self.c1, self.c2.ip4, payload_bytes=1450 - 28, dont_fragment=True)
        step.done("1450 bytes whole")
        step = Step(f"HTTP c1 -> c2, {FILE_BYTES >> 20} MB")
        fetched = traffic.fetch(self.c2, self.c1, self.c1.ip4, FILE_BYTES)
        if fetched["sent"] != fetched["received"]:
            raise LabError(f"the file changed on the way: sent sha256 {fetched['sent']}, received {fetched['received']}")
        step.done(f"sha256 {fetched['received'][:16]}... on both sides")

    def throughput(self):
        for source, target in ((self.c1, self.c2), (self.c2, self.c1)):
            step = Step(f"iperf3 {source.name} -> {target.name}, {IPERF_SECONDS} s")
            bits = traffic.iperf3(source, target, target.ip4, seconds=IPERF_SECONDS)
            step.done(paint(f"{bits / 1e9:.2f} Gbit/s", "bold"))

    def on_the_wire(self, capture):
        heading("The first echo request between the hosts, as tshark reads it")
        echoes = capture.frames(f"{self.mode} && icmp.type == 8", options=["-c", "100"])
        if not echoes:
            raise LabError(f"no {self.mode} frame with an echo request was seen between the hosts")
        number = echoes[0]["frame.number"][0]
        indented(capture.decode(number=number, protocols=self.mode, options=["-c", number]))

    def state(self):
        heading("What the gateways know")
        for verb in (["show", "fdb"], ["show", "tunnels"], ["stats"]):
            for gateway in self.gateways:
                print(f"  {gateway.host.name}$ causewayctl {' '.join(verb)}")
                indented(gateway.ctl_run(*verb).stdout or "(nothing)")
        for gateway, container in zip(self.gateways, (self.c2, self.c1)):
            mac = container.mac("eth0")
            if not [row for row in gateway.ctl("show", "fdb") if row["mac"] == mac and row["port"] == "tun0"]:
                raise LabError(f"{gateway.host.name} did not learn {container.name}'s MAC {mac} behind tun0")

    def verdict(self, captures):
        heading("Every captured frame, checked by tshark: headers, lengths, checksums inside and outside")
        for name, capture in captures:
            step = Step(name)
            tunnelled, broken = capture.count_bpf(f"udp port {UDP_PORT[self.mode]}"), capture.broken()
            if not tunnelled:
                raise LabError(f"no {self.mode} frame in the capture")
            if broken:
                kept = shutil.copy(capture.file, os.path.join(tempfile.gettempdir(), "causeway-demo-broken.pcap"))
                raise LabError(f"{len(broken)} broken frames, kept in {kept}:\n{tail(chr(10).join(broken[:10]))}")
            step.done(f"{tunnelled} {self.mode} frames, none broken")

    def live(self):
        """A while of `causewayctl top` with iperf3 running, where somebody looks at a terminal."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return
        gateway = self.gateways[0]
        step = Step(f"iperf3 {self.c1.name} -> {self.c2.name}, and causewayctl top")
        running = traffic.Iperf3(self.c1, self.c2, self.c2.ip4, seconds=TOP_SECONDS + 2)
        top = subprocess.Popen([program("causewayctl"), "--socket", gateway.socket, "top"])
        try:
            top.wait(TOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            top.terminate()  # it puts the terminal back
        if top.wait() != 0:
            raise LabError(f"causewayctl top: exit {top.returncode}")
        running.stop()
        step.done(f"{TOP_SECONDS} s of it; q ends it")

    def close(self):
        if not self.keep:
            step = Step("both gateways stop")
            for gateway in self.gateways:
                gateway.stop()
            step.done("exit 0")
        heading("Next")
        if self.keep:
            self.lab.detach()
            print("  It keeps running. In it:")
            for container, peer in ((self.c1, self.c2), (self.c2, self.c1)):
                print(f"    ip netns exec {container.netns} ping {peer.ip4}")
            ctl = program("causewayctl")
            for gateway in self.gateways:
                print(f"    {ctl} --socket {gateway.socket} show")
            print(f"    edit {self.gateways[0].file}, then: {ctl} --socket {self.gateways[0].socket} reload")
            print("    ./run demo --down         take it down")
            return
        other = "vxlan" if self.mode == "geneve" else "geneve"
        print(f"    ./run demo {other:<14} the same with {other.upper()}")
        print("    ./run demo podman         Podman networks on two hosts, joined")
        print("    ./run demo --keep         leave it running, to play with")
        print("    ./run test                all tests")
        print("    conf/                     more topologies; ARCHITECTURE.md follows a packet through the code")


def main():
    parser = argparse.ArgumentParser(prog="./run demo", description="Two gateways, a container each, a tunnel between.")
    parser.add_argument("mode", nargs="?", choices=["geneve", "vxlan"], default="geneve")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument("--down", action="store_true", help="take down what --keep left")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("./run demo makes network namespaces: it has to run as root")
    if arguments.down:
        print("\n".join(f"removed {netns}" for netns in take_down(KEPT_PREFIX)) or "nothing to take down")
        return
    if missing := missing_tools():
        sys.exit(f"./run demo needs: apt install {' '.join(missing)}")
    if arguments.keep and [netns for netns in namespaces() if netns.startswith(KEPT_PREFIX)]:
        sys.exit("a kept demo is still running: ./run demo --down")
    started = time.monotonic()
    demo = Demo(arguments.mode, arguments.keep)
    with contextlib.closing(demo.lab):
        demo.show()
        demo.close()
    print(f"\n{paint('The demo ran through', 'green', 'bold')} in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    run(main)
