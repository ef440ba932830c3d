"""Which features there are to measure. The bars are those a release is held to, with frames of 60 bytes."""

import dataclasses

from bench.features.feature import VLAN, Feature

ACCESS = {"mode": "access", "tag": VLAN}
TRUNK = {"mode": "trunk", "trunks": [VLAN, 20]}
NATIVE = {"mode": "native", "tag": VLAN, "trunks": [20]}
BINDINGS = {4: 1.3, 256: 1.4, 4096: 1.6}   # number: bar
WAYS = {1: 0, 2: 1.2, 8: 1.2}              # next hops: bar


def plain(way, size):
    return [Feature(way, size=size)] if way == "l2" else [Feature(way, size=size, mode=mode) for mode in ("geneve", "vxlan")]


def checksums(way, size, bars):
    """As Linux' VXLAN, OVN's GENEVE and everybody over IPv6 sends them; received ones are to verify."""
    return [Feature(way, label, mode=mode, size=size, checksum=True, underlay=underlay, bar=bars[underlay])
            for label, underlay in (("checksum", 4), ("ipv6", 6)) for mode in ("geneve", "vxlan")]


def verified(mode, size):
    """Checksums that the device has looked at. No pcap device says so: a generator does, and is its own plain row."""
    generated = Feature("decap", "generated", mode=mode, size=size, generator="none")
    generated = dataclasses.replace(generated, beside=generated.name)
    return [generated, dataclasses.replace(generated, label="verified", beside=generated.name, checksum=True,
                                           generator="verified", bar=1.05 if size == 60 else 0)]


def gre(way, size):
    bars = {"decap": (1.15, 1.15, 0, 1.15, 1.15), "encap": (0, 0, 1.2, 1.2, 0)}[way] if size == 60 else (0,) * 5
    return [Feature(way, "unkeyed", mode="gretap", size=size, keyed=False, bar=bars[0]),
            Feature(way, mode="gretap", size=size, bar=bars[1]),
            Feature(way, "checksum", mode="gretap", size=size, checksum=True, bar=bars[2]),
            Feature(way, "sequence", mode="gretap", size=size, sequence=True, bar=bars[3]),
            Feature(way, mode="nvgre", size=size, bar=bars[4])]


def options(way):
    if way == "encap":
        return [Feature(way, "option", option="sent")]
    return [Feature(way, "unknown-option", option="unknown", bar=1.15), Feature(way, "matched-option", option="matched", bar=1.15)]


def vlans(way):
    """What becomes of the tag: none there, pushed, popped, left alone."""
    untouched = [Feature(way, "access", vlan_in=ACCESS, vlan_out=ACCESS, bar=1.2),
                 Feature(way, "trunk", vlan_in=TRUNK, vlan_out=TRUNK, tag_in=VLAN, tag_out=VLAN, bar=1.2),
                 Feature(way, "native", vlan_in=NATIVE, vlan_out=NATIVE, bar=1.2)]
    if way == "decap":
        return [*untouched, Feature(way, "trunk-to-access", vlan_in=TRUNK, vlan_out=ACCESS, tag_in=VLAN, bar=1.2),
                Feature(way, "trunk-to-native", vlan_in=TRUNK, vlan_out=NATIVE, tag_in=VLAN, bar=1.2)]
    return [*untouched, Feature(way, "access-to-trunk", vlan_in=ACCESS, vlan_out=TRUNK, tag_out=VLAN, bar=1.2),
            Feature(way, "native-to-trunk", vlan_in=NATIVE, vlan_out=TRUNK, tag_out=VLAN, bar=1.2)]


def bindings(way):
    return [Feature(way, f"bindings-{count}", bindings=count, bar=bar) for count, bar in BINDINGS.items()]


def floods():
    """A row's cycles are those of a copy."""
    return [Feature("l2", "flood-8", broadcast=True, ports_out=8),
            Feature("l2", "flood-8-limited", "l2-flood-8", broadcast=True, ports_out=8, limits={"flood-rate": 4_000_000_000}),
            Feature("encap", "flood-8-tunnels", broadcast=True, tunnels=8),
            Feature("encap", "flood-8-remotes", broadcast=True, remotes=8)]


def of_way(way):
    return [*plain(way, 60), *checksums(way, 60, {4: 1.35, 6: 1.4} if way == "decap" else {4: 0, 6: 0}), *gre(way, 60),
            *options(way), Feature(way, "underlay-vlan", underlay_vlan=100, bar=1.15 if way == "decap" else 0),
            Feature(way, "mss-clamp", mss_clamp=True, tcp=True, bar=1.2 if way == "encap" else 0), *vlans(way)]


def of_way_1400(way):
    return [*plain(way, 1400), *checksums(way, 1400, {4: 0, 6: 0}), *gre(way, 1400),
            Feature(way, "access-to-trunk", size=1400, vlan_in=ACCESS, vlan_out=TRUNK, tag_out=VLAN) if way == "encap"
            else Feature(way, "trunk-to-access", size=1400, vlan_in=TRUNK, vlan_out=ACCESS, tag_in=VLAN)]


ROWS = [
    *of_way("encap"),
    *(Feature("encap", f"ways-{count}", next_hops=count, bar=bar) for count, bar in WAYS.items()),
    *bindings("encap"),
    *of_way("decap"), *verified("geneve", 60), *verified("vxlan", 60),
    *plain("l2", 60), *vlans("l2"), *bindings("l2"), Feature("l2", "max-macs", limits={"max-macs": 1024}),
    *floods(),
    *of_way_1400("encap"), *of_way_1400("decap"), *verified("geneve", 1400), *plain("l2", 1400),
]
