"""Broadcasts into many tunnels: causewayd beside Open vSwitch, on the devices of the pipeline bench."""

from bench import frames
from bench.rows import Row
from bench.scale_gateway import LOCAL, Job
from bench.switch_ovs import SKEW, OvsSwitch, SmcOvsSwitch

STREAM = Row("encap", 256)  # its frames, all to the broadcast address


def remotes(tunnels):
    return [f"172.31.0.{2 + number}" for number in range(tunnels)]


def write_pcap(path):
    return frames.write_frames((b"\xff" * 6 + frame[6:] for frame in frames.frames_of(STREAM)), path)


def job(tunnels):
    ends = {f"tun{i}": {"mode": "geneve", "id": frames.VNI, "local": LOCAL, "remote": remote}
            for i, remote in enumerate(remotes(tunnels))}
    out = {"dpdk": {"devargs": "net_null0,no-rx=1"}, "mtu": 2000, "macaddress": frames.LOCAL_MAC, "addresses": [f"{LOCAL}/24"],
           "neighbors": [{"to": remote, "macaddress": frames.REMOTE_MAC} for remote in remotes(tunnels)]}
    return Job(f"flood-{tunnels}", copies=tunnels, tunnels=ends,
               ethernets={"src": {"dpdk": {"devargs": "net_pcap0,rx_pcap={pcap},infinite_rx=1"}}, "out": out},
               bridges={"br-int": {"interfaces": ["src", *ends]}})


class FloodingOvs(OvsSwitch):
    """`row` is the number of tunnels."""

    def _configure(self):
        tunnels, self.row = self.row, STREAM
        self.copies = tunnels
        self._add_bridge("br-int")
        self._add_underlay()  # with the first one
        for number, remote in enumerate(remotes(tunnels)[1:], 1):
            name = f"tun{number}"
            self._vsctl("add-port", "br-int", name, "--", "set", "interface", name, f"type={STREAM.mode}",
                        f"options:remote_ip={remote}", f"options:local_ip={LOCAL}", f"options:key={frames.VNI}",
                        "options:csum=false")
            self._appctl("tnl/neigh/set", "br-phy", remote, frames.REMOTE_MAC)
        self._add_port("br-phy", "out", "net_null0,no-rx=1", "mtu_request=2000")
        self._appctl("fdb/add", "br-phy", "out", "0", frames.REMOTE_MAC)
        self._add_port("br-int", "src", f"net_pcap0,rx_pcap={self.place.pcap},infinite_rx=1")

    def check(self, first, last):
        came, went = last.extra["rx"] - first.extra["rx"], last.packets - first.packets
        if abs(came * self.copies - went) > went * SKEW:
            return f"{came} frames came in, {went} copies went out"
        return ""


class FloodingSmcOvs(FloodingOvs):
    caches = SmcOvsSwitch.caches


def flood_row(tunnels):
    def measure(bench):
        ours = bench.measure(job(tunnels), write_pcap)
        theirs = max((bench.measure_subject(kind, tunnels, write_pcap) for kind in (FloodingOvs, FloodingSmcOvs)),
                     key=lambda run: run["mpps"])
        copies = ours["mpps"] * tunnels
        return {"value": copies / theirs["mpps"], "copies_mpps": round(copies, 2), "ovs_copies_mpps": theirs["mpps"]}
    return measure
