"""Open vSwitch with DPDK as Debian ships it: private daemons in a network namespace of their own, which lasts as long as
they do. br-int and, for tunnels, br-phy with the underlay's address, as its manual has it."""

import os
import re

from bench import frames
from bench.json_socket import JsonSocket
from bench.subject import Subject, pcap_device, spawn
from tests.support.process import LabError, run, wait_until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
START_S = 60
MEMORY_MB = 1024
# The counters are read while the thread runs on: they may be some bursts apart, or a slice of another process's time.
SKEW = 5e-3


class OvsSwitch(Subject):
    """With its defaults: an exact match cache (EMC) of 8,192 flows in front of the classifier."""

    name = "ovs"
    caches = ()

    def setup(self):
        self.children = []
        database, socket = self._file("conf.db"), self._file("db.sock")
        self.database = f"--db=unix:{socket}"
        run(["ovsdb-tool", "create", database, SCHEMA])
        _, unused = self._spawn(["ovsdb-server", database, f"--remote=punix:{socket}",
                                 f"--unixctl={self._file('ovsdb.ctl')}", f"--pidfile={self._file('ovsdb.pid')}"],
                                "ovsdb-server", socket)
        unused.close()
        self._vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                    "other_config:dpdk-extra=\"--no-pci --in-memory\"", f"other_config:dpdk-socket-mem={MEMORY_MB}",
                    f"other_config:dpdk-lcore-mask={1 << self.place.control_core:#x}",
                    f"other_config:pmd-cpu-mask={1 << self.place.core:#x}", *self.caches)
        control = self._file("vswitchd.ctl")
        self.pid, self.control = self._spawn(["unshare", "--net", VSWITCHD, f"unix:{socket}", f"--unixctl={control}",
                                              f"--pidfile={self._file('vswitchd.pid')}"], "ovs-vswitchd", control)
        self._configure()
        self._check_devices()

    def close(self):
        if hasattr(self, "control"):
            self.control.close()
        for process in reversed(self.children):
            process.stop()

    def _file(self, name):
        return os.path.join(self.place.directory, name)

    def _spawn(self, command, name, until):
        """Its pid, and a connection to the socket that it opens when it is ready."""
        environment = dict(os.environ, OVS_RUNDIR=self.place.directory, OVS_LOGDIR=self.place.directory,
                           OVS_DBDIR=self.place.directory)
        process = spawn(self.place, command, name, env=environment)
        self.children.append(process)

        def up():
            if process.poll() is not None:
                raise LabError(f"{name} exited with {process.poll()}\n{process.tail()}")
            return JsonSocket.listening(until)
        return process.pid, wait_until(up, START_S, lambda: f"{name} listens at {until}\n{process.tail()}")

    def _vsctl(self, *arguments):
        try:
            return run(["ovs-vsctl", self.database, f"--timeout={START_S}", *arguments], timeout=START_S + 5).stdout
        except LabError as error:
            raise LabError("\n".join([str(error), *(child.tail() for child in self.children)])) from None

    def _ip(self, *arguments):
        run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", *arguments])

    def _appctl(self, verb, *arguments):
        answer = self.control.ask({"method": verb, "params": list(arguments), "id": 0})[0]
        if answer.get("error"):
            raise LabError(f"ovs-appctl {verb} {' '.join(arguments)}: {answer['error']}")
        return answer["result"]

    def _add_bridge(self, name, *others):
        self._vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                    "other-config:mac-table-size=100000", *others)

    def _add_port(self, bridge, name, devargs, *others):
        self._vsctl("add-port", bridge, name, "--", "set", "interface", name, "type=dpdk",
                    f"options:dpdk-devargs=\"{devargs}\"", *others)

    def _configure(self):
        row = self.row
        self._add_bridge("br-int")
        if row.way != "l2":
            self._add_underlay()
        self._add_port("br-phy" if row.way == "encap" else "br-int", "out", "net_null0,no-rx=1", "mtu_request=2000")
        if row.way == "encap":
            self._appctl("fdb/add", "br-phy", "out", "0", frames.REMOTE_MAC)
        end = "tun" if row.way == "encap" else "out"
        for flow in range(row.flows):
            self._appctl("fdb/add", "br-int", end, "0", frames.destination_mac(flow))
        # Last, because frames come from here at once.
        self._add_port("br-phy" if row.way == "decap" else "br-int", "src",
                       pcap_device(self.place))

    def _add_underlay(self):
        row = self.row
        local, remote = frames.LOCAL[row.underlay], frames.REMOTE[row.underlay]
        self._add_bridge("br-phy", f"other-config:hwaddr={frames.LOCAL_MAC}")
        self._ip("addr", "add", f"{local}/{frames.PREFIX[row.underlay]}", "dev", "br-phy",
                 *(["nodad"] if row.underlay == 6 else []))
        self._ip("link", "set", "br-phy", "up")
        self._vsctl("add-port", "br-int", "tun", "--", "set", "interface", "tun", f"type={row.mode}",
                    f"options:remote_ip={remote}", f"options:local_ip={local}", f"options:key={frames.VNI}",
                    f"options:csum={'true' if row.sums else 'false'}")
        wait_until(lambda: "dev br-phy" in self._appctl("ovs/route/show"), START_S, "Open vSwitch has a route to the remote")
        self._appctl("tnl/neigh/set", "br-phy", remote, frames.REMOTE_MAC)

    def _check_devices(self):
        errors = self._vsctl("--format=csv", "--no-headings", "--columns=name,error", "list", "interface")
        wrong = [line for line in errors.splitlines() if not line.endswith(",[]") and not line.endswith(',""')]
        if wrong:
            raise LabError("Open vSwitch could not open " + "; ".join(wrong))

    def _show(self):
        """name -> (received, sent), straight from the devices; and the number of flows in the datapath."""
        text = self._appctl("dpctl/show", "--statistics", "netdev@ovs-netdev")
        ports = {}
        for part in re.split(r"^ {2}port \d+: ", text, flags=re.MULTILINE)[1:]:
            counts = (int(re.search(rf"{way} packets:(\d+)", part).group(1)) for way in ("RX", "TX"))
            ports[part.split()[0]] = tuple(counts)
        return ports, int(re.search(r"^ {2}flows: (\d+)", text, re.MULTILINE).group(1))

    def learned(self):
        return self._show()[1]

    def read(self):
        ports, flows = self._show()
        return ports["out"][1], None, {"rx": ports["src"][0], "flows": flows}

    def check(self, first, last):
        came, went = last.extra["rx"] - first.extra["rx"], last.packets - first.packets
        if abs(came - went) > came * SKEW:
            return f"{came} frames came in, {went} went out"
        action = {"encap": "tnl_push(", "decap": "tnl_pop("}.get(self.row.way, "actions:")
        flows = self._appctl("dpctl/dump-flows", "netdev@ovs-netdev")
        if action not in flows:
            return f"no datapath flow has {action}\n{flows[:2000]}"
        return ""

    def details(self, first, last):
        """Which share of the frames each cache knew, since the start."""
        text = self._appctl("dpif-netdev/pmd-stats-show")
        counts = {name: sum(map(int, re.findall(rf"^ *{text_name}: (\d+)", text, re.MULTILINE)))
                  for name, text_name in (("received", "packets received"), ("emc", "emc hits"), ("smc", "smc hits"))}
        return {"datapath_flows": last.extra["flows"],
                **{f"{cache}_hits": round(counts[cache] / max(counts["received"], 1), 3) for cache in ("emc", "smc")}}


class SmcOvsSwitch(OvsSwitch):
    """With the signature match cache (SMC), of a million flows, in place of the EMC, which many flows thrash: the two
    settings that its manual has for that (Documentation/topics/dpdk/bridge.rst)."""

    name = "ovs-smc"
    caches = ("other_config:emc-insert-inv-prob=0", "other_config:smc-enable=true")
