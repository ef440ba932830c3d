"""A modelled NIC as underlay: it cuts, sums, marks and counts in a real network; its peer is a gateway without one,
or the kernel."""

import json
import re

import pytest

from tests.support import traffic
from tests.support.overlay import gateway, two_hosts
from tests.peers.cable import plain_cable
from tests.support.process import wait_until

TRANSFER_BYTES = 20 << 20


def config(me, mode, model):
    text = gateway(me, mode)
    if model is not None:
        text["ethernets"]["up0"]["nic-model"] = model
    return text


class Bed:
    def __init__(self, lab, mode, model, other=None):
        self.h1, self.h2, self.c1, self.c2 = two_hosts(lab)
        for host in (self.h1, self.h2):
            plain_cable(host, "up0")
        self.g1 = self.h1.causeway(config(1, mode, model))
        self.g2 = self.h2.causeway(config(2, mode, other))
        wait_until(lambda: traffic.ping(self.c1, self.c2.ip4, count=1, check=False), 10, "the tunnel carries")

    def offload(self, name):
        return next(row for row in self.g1.ctl("show", "offloads") if (row["port"], row["offload"]) == ("up0", name))

    def fetch(self, client, server):
        fetched = traffic.fetch(client, server, server.ip4, TRANSFER_BYTES)
        assert fetched["sent"] == fetched["received"]
        assert self.g1.drops() == {} and self.g2.drops() == {}


@pytest.mark.parametrize("mode", ["geneve", "vxlan", "gretap"])
def test_what_it_sends_is_sound(lab, mode):
    bed = Bed(lab, mode, {})
    assert bed.offload("gre-tso-ipv4")["state"] == "hardware"
    capture = bed.h2.capture("up0", max_frames=2000)
    bed.fetch(bed.c2, bed.c1)
    assert capture.stop().broken() == []
    bed.fetch(bed.c1, bed.c2)
    before = bed.g1.row("ports", "up0")
    bed.fetch(bed.c2, bed.c1)
    after = bed.g1.row("ports", "up0")
    frames = after["tx_packets"] - before["tx_packets"]
    assert frames < TRANSFER_BYTES / 5000, "super-packets reach the port whole"
    assert after["tx_drops"] == 0


def frames_seen(bed):
    return int(re.fullmatch(r".* installed, (\d+) frames", bed.offload("flow")["reason"]).group(1))


def test_rules_mark_what_comes_in(lab):
    bed = Bed(lab, "vxlan", {"rx-queues": 2}, {"without": ["flow-mark"]})
    wait_until(lambda: bed.offload("flow")["reason"].startswith("1 of 1 rules installed, "), 5, "the rule is there")
    assert bed.offload("flow")["state"] == "hardware"
    before = frames_seen(bed)
    bed.fetch(bed.c1, bed.c2)
    assert frames_seen(bed) - before > TRANSFER_BYTES / 65536
    other = next(row for row in bed.g2.ctl("show", "offloads") if (row["port"], row["offload"]) == ("up0", "flow"))
    assert (other["state"], other["reason"]) == ("software", "the device takes no rules")
    gone = config(1, "vxlan", {"rx-queues": 2})
    gone["bridges"]["br-int"]["interfaces"].remove("tun0")
    bed.g1.apply(gone)
    wait_until(lambda: bed.offload("flow")["reason"] == "0 of 0 rules installed", 5, "the rule is gone")


def test_what_it_merges_arrives(lab):
    """LRO of a bridge port: segments of a container without offloads cross the gateway as super-packets."""
    h1, h2, c1, c2 = two_hosts(lab)
    plain_cable(c1, "eth0")
    text = gateway(1, "geneve")
    text["ethernets"]["c1"] = {"nic-model": {}, "offloads": {"lro": "on"}}
    g1, g2 = h1.causeway(text), h2.causeway(gateway(2, "geneve"))
    wait_until(lambda: traffic.ping(c1, c2.ip4, count=1, check=False), 10, "the tunnel carries")
    row = next(row for row in g1.ctl("show", "offloads") if (row["port"], row["offload"]) == ("c1", "lro"))
    assert (row["state"], row["reason"]) == ("hardware", "the device")
    for address in (c1.ip4, c1.ip6):
        before = g1.row("ports", "c1")["rx_packets"]
        fetched = traffic.fetch(c2, c1, address, TRANSFER_BYTES)
        assert fetched["sent"] == fetched["received"]
        frames = g1.row("ports", "c1")["rx_packets"] - before
        print(f"{frames} frames for {TRANSFER_BYTES // 1398} segments")
        assert frames < TRANSFER_BYTES / 1450 / 2
    assert g1.drops() == {} and g2.drops() == {}


def test_one_that_misreports_is_caught(lab):
    lies = ["geneve-tso-ipv4", "rx-checksum", "flow-mark"]
    bed = Bed(lab, "geneve", {"misreport": lies})
    assert "the device misreports geneve-ipv4 tso (TCP over IPv4)" in bed.g1.log()
    assert bed.offload("geneve-tso-ipv4")["state"] == "software"
    bed.fetch(bed.c2, bed.c1)
    bed.fetch(bed.c1, bed.c2)
    test = bed.g1.ctl_run("--json", "offloads", "test", "up0", check=False)
    assert test.returncode == 1
    wrong = {row["offload"] for row in json.loads(test.stdout) if row["state"] == "wrong"}
    assert wrong == {"geneve-ipv4 tso (TCP over IPv4)", "geneve-ipv4 tso (TCP over IPv6)",
                     "geneve-ipv4 udp-segmentation (IPv4)", "geneve-ipv4 udp-segmentation (IPv6)", "rx-checksum", "flow"}
    bed.g1.apply(config(1, "geneve", {}))
    assert bed.offload("geneve-tso-ipv4")["state"] == "hardware"
    assert "good" in bed.g1.ctl_run("offloads", "test", "up0").stdout
    bed.fetch(bed.c2, bed.c1)
    nothing = bed.g1.ctl_run("offloads", "test", "c1", check=False)
    assert nothing.returncode == 1
    assert "does not give its frames back" in nothing.stdout + nothing.stderr
