"""One queue that carries everything: keyed GRE, which a NIC doesn't look into, on a way that costs something. Frames of 1,400 bytes
come in such a tunnel from a generator, get a VLAN tag, and leave in GENEVE with a checksum over all of them. One worker does it
alone; two share it by `spread: software`."""

import dataclasses

from bench import frames
from bench.features.feature import FLOWS, VLAN
from bench.features.gateway import FeatureJob, sink

FRAME_BYTES = 1400
TAG_BYTES, OUTER_BYTES = 4, 50
OUT_LOCAL, OUT_REMOTE = "172.30.0.1", "172.30.0.2"


@dataclasses.dataclass(frozen=True)
class SpreadRow:
    name: str = "spread-gretap-1400"
    bar: float = 1.5    # at least: what two workers do over what one does


def end(mode, local, remote, vlan, **keys):
    return {"mode": mode, "id": frames.VNI, "local": local, "remote": remote, "vlan": vlan, **keys}


def job(row, spread):
    local, remote = frames.LOCAL[4], frames.REMOTE[4]
    generator = {"flows": FLOWS, "frame-bytes": FRAME_BYTES, "destination-mac": {"first": frames.destination_mac(0)},
                 "tunnel": {"mode": "gretap", "id": frames.VNI, "source-address": remote, "destination-address": local}}
    source = {"generator": generator, "mtu": 2000, "macaddress": frames.LOCAL_MAC, "addresses": [f"{local}/24"],
              **({"spread": "software"} if spread else {})}
    out = {**sink(0), "macaddress": "02:00:00:00:00:03", "addresses": [f"{OUT_LOCAL}/24"],
           "neighbors": [{"to": OUT_REMOTE, "macaddress": frames.REMOTE_MAC}]}
    known = [{"mac": frames.destination_mac(flow), "port": "gnv0", "vlan": VLAN} for flow in range(FLOWS)]
    return FeatureJob(row.name, {"src": source, "out": out}, exits=("out",), sent_bytes=FRAME_BYTES + TAG_BYTES + OUTER_BYTES,
                      tunnels={"gre0": end("gretap", local, remote, {"mode": "access", "tag": VLAN}),
                               "gnv0": end("geneve", OUT_LOCAL, OUT_REMOTE, {"mode": "trunk", "trunks": [VLAN]}, checksum=True,
                                           isolated=False)},
                      bridges={"br-int": {"interfaces": ["gre0", "gnv0"], "static-macs": known}})

