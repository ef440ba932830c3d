"""Hosts, remotes and tunnels of the pipeline tests' topologies, as scapy layers. tests/pipeline/bed/bed.cpp has the
same addresses in YAML."""

import random

from scapy.all import GRE, IP, UDP, VXLAN, Ether, IPv6, raw
from scapy.contrib.geneve import GENEVE

OUR_MAC = "02:00:00:00:00:01"
OUR_IP = {4: "172.31.0.1", 6: "fd00:31::1"}
# Of remote 2, 3, ...; 9 is no remote of any tunnel.
REMOTE_MAC = {number: f"02:00:00:00:00:{number:02x}" for number in range(2, 10)}
REMOTE_IP = {4: {number: f"172.31.0.{number}" for number in range(2, 10)},
             6: {number: f"fd00:31::{number}" for number in range(2, 10)}}
PORT = {"geneve": 6081, "vxlan": 4789}

rng = random.Random(7348)


def some_bytes(count):
    return bytes(rng.getrandbits(8) for _ in range(count))


def host_mac(number):
    return f"02:00:00:00:01:{number:02x}"


def outer_ip(family, remote=2, incoming=True, **fields):
    """Ether / IP between a remote and us; `fields` are the IP layer's."""
    us, them = (OUR_MAC, OUR_IP[family]), (REMOTE_MAC[remote], REMOTE_IP[family][remote])
    source, destination = (them, us) if incoming else (us, them)
    layer = IP if family == 4 else IPv6
    # id 0 and DF, as tunnels of hosts have them; ttl 64 is the tests' default.
    defaults = dict(id=0, flags="DF", ttl=64) if family == 4 else dict(hlim=64)
    fields = {"src": source[1], "dst": destination[1], **defaults, **fields}
    return Ether(src=source[0], dst=destination[0]) / layer(**fields)


def udp(mode, checksum, sport=40000, port=None, **fields):
    """`checksum` False: none. Otherwise scapy fills it."""
    sums = {} if checksum else {"chksum": 0}
    return UDP(sport=sport, dport=port or PORT[mode], **{**sums, **fields})


def tunnel_header(mode, number, **fields):
    if mode == "vxlan":
        return VXLAN(**{"flags": 8, "vni": number, **fields})
    if mode == "geneve":
        return GENEVE(**{"vni": number, "proto": 0x6558, **fields})
    if mode == "nvgre":  # RFC 7637 section 3.2; the lowest 8 bits are the FlowID
        return GRE(**{"proto": 0x6558, "key_present": 1, "key": number << 8 | fields.pop("flow", 0), **fields})
    keyed = {} if number is None else {"key_present": 1, "key": number}
    return GRE(**{"proto": 0x6558, **keyed, **fields})


def encapsulated(mode, number, inner, family=4, checksum=None, remote=2, incoming=True, ip=None, port=None, **fields):
    """`inner` (bytes or layers) inside a tunnel; `ip` are fields of the outer IP layer, `fields` of the tunnel's."""
    if checksum is None:
        checksum = family == 6 and mode not in ("gretap", "nvgre")
    frame = outer_ip(family, remote, incoming, **(ip or {}))
    if mode in ("gretap", "nvgre"):
        if checksum:
            fields["chksum_present"] = 1
    else:
        frame = frame / udp(mode, checksum, port=port)
    # The inner frame as bytes: scapy would put padding of layers behind everything else.
    return raw(frame / tunnel_header(mode, number, **fields) / raw(inner))


class Output:
    """Lines as tests/support/frames.h reads them."""

    def __init__(self, file):
        self.file = file
        self.names = set()

    def write(self, name, frame, **numbers):
        assert name not in self.names, name
        self.names.add(name)
        self.write_next(name, frame, **numbers)

    def write_next(self, name, frame, **numbers):
        """One more of a sequence."""
        extra = "".join(f" {key}={value}" for key, value in numbers.items())
        self.file.write(f"{name} {raw(frame).hex()}{extra}\n")
