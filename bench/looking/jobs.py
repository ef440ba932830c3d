"""What the gateway does while somebody looks: frames of 60 bytes and 1,000 flows come from a generator and leave by a port that
swallows them. A third port is there for copies."""

import dataclasses

from bench import frames
from bench.features.gateway import sink
from bench.scale_gateway import Job

FLOWS = 1000
FIRST_PORT = 1024   # of UDP: flow f has that many more
ONE_FLOW = f"udp src port {FIRST_PORT}"
DESTINATION = frames.destination_mac(0)
SAMPLING = 1000


def generator(**settings):
    return {"flows": FLOWS, "source-port": {"first": FIRST_PORT, "count": FLOWS}, "destination-mac": DESTINATION, **settings}


def plain(name="plain", source=None, **fields):
    return Job(name, ethernets={"src": {"generator": source or generator()}, "out": sink(0), "probe": sink(1)},
               bridges={"br-int": {"interfaces": ["src", "out"], "static-macs": [{"mac": DESTINATION, "port": "out"}]}}, **fields)


def jobs(metrics, collector):
    """By name. `metrics`: where the gateway is asked for them; `collector`: who gets samples. Both ADDRESS:PORT."""
    system = {"metrics": metrics}
    bare = plain(system=system)
    return {
        "plain": bare,
        "mirror": plain("mirror", system=system, copies=2, sections={
            "mirrors": {"m0": {"select-src-port": ["src"], "output-port": "probe"}}}),
        # Nobody knows the destination: each frame goes to both.
        "flooded": dataclasses.replace(bare, name="flooded", copies=2, bridges={
            "br-int": {"interfaces": ["src", "out", "probe"]}}),
        "sflow": plain("sflow", system=system, sections={
            "sflow": {"targets": [collector], "sampling": SAMPLING, "polling": 0}}),
    }
