"""causewayd at a feature: the file for it, and what its counters must say."""

import dataclasses

from bench import frames
from bench.features.feature import FLOWS, OPTION_CLASS, OPTION_DATA, OPTION_TYPE
from bench.features.frames import sent_bytes, source_address
from bench.scale_gateway import Gateway, Job
from bench.switch_causeway import SKEW_FRAMES

SOURCE = {"dpdk": {"devargs": "net_pcap0,rx_pcap={pcap},infinite_rx=1"}, "mtu": 2000}
# Of what next hops and exits get, the least share of an even one.
LEAST_SHARE = 0.5


@dataclasses.dataclass
class FeatureJob(Job):
    exits: tuple = ()
    sent_bytes: int = 0


def source(feature):
    if not feature.generator:
        return dict(SOURCE)
    tunnel = {"mode": feature.mode, "id": feature.id, "source-address": frames.REMOTE[4], "destination-address": frames.LOCAL[4],
              "checksum": feature.generator}
    return {"generator": {"flows": FLOWS, "frame-bytes": feature.size, "tunnel": tunnel,
                          "destination-mac": {"first": frames.destination_mac(0)}}, "mtu": 2000}


def sink(number):
    return {"dpdk": {"devargs": f"net_null{number},no-rx=1"}, "mtu": 2000}


def remotes(feature):
    """Each tunnel's."""
    if feature.tunnels * feature.remotes == 1:
        return [[frames.REMOTE[feature.underlay]]]
    numbers = iter(range(2, 255))
    return [[f"172.31.0.{next(numbers)}" for _ in range(feature.remotes)] for _ in range(feature.tunnels)]


def underlay(feature):
    return {"addresses": [f"{frames.LOCAL[feature.underlay]}/{frames.PREFIX[feature.underlay]}"],
            "neighbors": [{"to": remote, "macaddress": frames.REMOTE_MAC} for group in remotes(feature) for remote in group]}


def put_underlay(feature, name, port, job):
    """The port that tunnels leave and come in by. Returns the one that counts their frames."""
    port["macaddress"] = frames.LOCAL_MAC
    job.ethernets[name] = port
    if not feature.underlay_vlan:
        port.update(underlay(feature))
        return name
    vlan = f"{name}.{feature.underlay_vlan}"
    job.vlans[vlan] = {"id": feature.underlay_vlan, "link": name, **underlay(feature)}
    return vlan


def put_next_hops(feature, job):
    """Each behind an underlay of its own."""
    local, remote = frames.LOCAL[4], frames.REMOTE[4]
    for number in range(feature.next_hops):
        own, next_hop = f"172.30.{number}.1/24", f"172.30.{number}.2"
        job.ethernets[f"out{number}"] = {
            **sink(number), "addresses": [own, *([f"{local}/32"] if number == 0 else [])],
            "routes": [{"to": f"{remote}/32", "via": next_hop}],
            "neighbors": [{"to": next_hop, "macaddress": frames.REMOTE_MAC}]}
    return tuple(job.ethernets)


def tunnel(feature, number, to):
    keys = {"mode": feature.mode, "local": frames.LOCAL[feature.underlay], "remote": to[0] if len(to) == 1 else to}
    if feature.keyed:
        keys["id"] = feature.id
    if feature.checksum:
        keys["checksum"] = True
    if feature.sequence:
        keys["sequence"] = True
    if feature.mss_clamp:
        keys["mss-clamp"] = "auto"
    if feature.option in ("sent", "matched"):
        keys["options"] = [{"class": OPTION_CLASS, "type": OPTION_TYPE, "data": OPTION_DATA.hex()}]
        keys["match-options"] = feature.option == "matched"
    return {f"tun{number}": keys}


def bindings(feature):
    return [{"mac": frames.source_mac(number), "addresses": [source_address(number)]} for number in range(feature.bindings)]


def job_of(feature):
    job = FeatureJob(feature.name, {}, copies=feature.copies, sent_bytes=sent_bytes(feature))
    if feature.way != "l2":
        for number, to in enumerate(remotes(feature)):
            job.tunnels.update(tunnel(feature, number, to))
    ports_out = {f"out{number}": sink(number) for number in range(feature.ports_out)}
    if feature.way == "encap":
        job.exits = put_next_hops(feature, job) if feature.next_hops else (put_underlay(feature, "out0", sink(0), job),)
        job.ethernets["src"] = dict(SOURCE)
        way_in, ways_out = {"src": job.ethernets["src"]}, job.tunnels
    elif feature.way == "decap":
        put_underlay(feature, "src", source(feature), job)
        job.ethernets.update(ports_out)
        way_in, ways_out = job.tunnels, ports_out
    else:
        job.ethernets.update({"src": dict(SOURCE), **ports_out})
        way_in, ways_out = {"src": job.ethernets["src"]}, ports_out
    job.exits = job.exits or tuple(ports_out)
    settings = {"vlan": feature.vlan_in, "bindings": bindings(feature), **(feature.limits or {})}
    for end in way_in.values():
        end.update({key: value for key, value in settings.items() if value})
    for end in ways_out.values():
        end.update({"vlan": feature.vlan_out} if feature.vlan_out else {})
    vlan = {"vlan": feature.vlan} if feature.vlan else {}
    known = [{"mac": frames.destination_mac(flow), "port": next(iter(ways_out)), **vlan} for flow in range(FLOWS)]
    job.bridges["br-int"] = {"interfaces": [*way_in, *ways_out], "static-macs": known}
    return job


class FeatureGateway(Gateway):
    """`row` is a FeatureJob."""

    def _read(self):
        """Frames and bytes sent by the ways out."""
        _, _, extra = super()._read()
        exits = [extra["ports"][name] for name in self.row.exits]
        return sum(port["tx_packets"] for port in exits), sum(port["tx_bytes"] for port in exits), extra

    def check(self, first, last):
        """Every frame that came in went out by the ways out, as often and as long as it should."""
        wrong = super().check(first, last)
        if wrong:
            return wrong
        came, went = last.extra["rx"] - first.extra["rx"], last.packets - first.packets
        if abs(came - went / self.row.copies) > 2 * SKEW_FRAMES:
            return f"{came} frames came in, {went} went out by {', '.join(self.row.exits)}"
        mean = (last.bytes - first.bytes) / went
        if abs(mean - self.row.sent_bytes) > self.row.sent_bytes * 1e-3:
            return f"sent frames of {mean:.1f} bytes, not {self.row.sent_bytes}"
        for name in self.row.exits:
            share = (last.extra["ports"][name]["tx_packets"] - first.extra["ports"][name]["tx_packets"]) / went
            if share < LEAST_SHARE / len(self.row.exits):
                return f"{name} got {share:.1%} of the frames"
        return ""
