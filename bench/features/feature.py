"""A feature of the gateway as the bench sees it: a job with one thing special, beside the same job without."""

import dataclasses

from bench import frames

FLOWS = 256
OPTION_CLASS, OPTION_TYPE, OPTION_DATA = 0x0102, 3, bytes((0, 0, 0, 1))
UNKNOWN_CLASS = 0x0199
VLAN = 10


@dataclasses.dataclass(frozen=True)
class Feature:
    way: str                    # encap, decap, l2
    label: str = ""             # what is special; nothing: a plain row
    beside: str = ""            # name of the row to compare with, where `plain` isn't it
    bar: float = 0              # most cycles over that row's; 0: none
    size: int = 60              # bytes of the inner frame, without FCS and tags
    mode: str = "geneve"        # the tunnel's; without meaning where way is l2
    underlay: int = 4           # its IP version
    keyed: bool = True          # of gretap
    checksum: bool = False      # of UDP or GRE, both ways
    sequence: bool = False      # of gretap
    generator: str = ""         # frames are a generator port's, with such UDP checksums; nothing: a pcap file's
    option: str = ""            # GENEVE: one that is sent, one that is to match, or an unknown one that comes in
    underlay_vlan: int = 0
    tcp: bool = False           # segments of established connections; else UDP
    vlan_in: dict = None        # `vlan` of the port or tunnel that frames come in by, and of the other one
    vlan_out: dict = None
    tag_in: int = 0             # VLAN tag of the inner frame as it comes in, and as it goes out; 0: none
    tag_out: int = 0
    bindings: int = 0           # on the port that frames come in by; their sources are among them
    mss_clamp: bool = False     # on the tunnel
    limits: dict = None         # on the port that frames come in by
    next_hops: int = 0          # the remote is behind so many; 0: on the underlay's network
    broadcast: bool = False
    ports_out: int = 1          # bridge ports
    tunnels: int = 1
    remotes: int = 1            # of each tunnel

    @property
    def name(self):
        words = [self.way] if self.way == "l2" else [self.way, self.mode]
        return "-".join([*words, *([self.label] if self.label else []), *([str(self.size)] if self.size != 60 else [])])

    @property
    def plain(self):
        """Name of the row without what is special; its own if nothing is. GRE has GENEVE beside it, as there is no
        other way to be plain."""
        mode = self.mode if self.mode == "vxlan" else "geneve"
        return self.beside or Feature(self.way, size=self.size, mode=mode).name

    @property
    def id(self):
        """VNI, key or VSID; those below 4,096 are no VSIDs (RFC 7637 section 3.2)."""
        return 0x1000 + frames.VNI if self.mode == "nvgre" else frames.VNI

    @property
    def sums(self):
        """Whether the tunnel's UDP checksum is filled: RFC 8200 section 8.1 wants it over IPv6."""
        return self.checksum or self.underlay == 6

    @property
    def verifies(self):
        """Whether the gateway sums what comes in."""
        return self.way == "decap" and self.sums and not self.generator

    @property
    def copies(self):
        return self.tunnels * self.remotes if self.way == "encap" else self.ports_out

    @property
    def vlan(self):
        """The bridge's VLAN that frames are in; 0: it has none."""
        return VLAN if self.vlan_in else 0
