"""What is measured: a row is one job, given to every switch in turn with the same frames."""

import dataclasses

FLOWS = (1, 256, 1024, 16384)
# Frame sizes without the FCS. IMIX is the usual 7:4:1 mix.
SIZES = {"60": (60,), "1400": (1400,), "imix": (60,) * 7 + (590,) * 4 + (1514,)}
TUNNEL_PORT = {"geneve": 6081, "vxlan": 4789}
OUTER_BYTES = {4: 14 + 20 + 8 + 8, 6: 14 + 40 + 8 + 8}


@dataclasses.dataclass(frozen=True)
class Row:
    way: str                    # encap, decap, l2
    flows: int
    mode: str = "geneve"        # without meaning where way is l2
    size: str = "60"
    underlay: int = 4           # IP version of the tunnel
    checksum: bool = False      # UDP checksum in the tunnel, both ways
    option: bool = False        # a GENEVE option of 8 bytes in each frame sent

    @property
    def name(self):
        words = [self.way] if self.way == "l2" else [self.mode, self.way]
        words += [word for word, said in ((f"ipv{self.underlay}", self.underlay != 4), ("checksum", self.checksum),
                                          ("option", self.option),
                                          (self.size, self.size != "60")) if said]
        return "-".join([*words, str(self.flows)])

    @property
    def stream(self):
        """Rows with equal streams get the same frames, and so have the same ceiling."""
        plain = self.way != "decap"
        tunnel = ("plain",) if plain else (self.mode, f"ipv{self.underlay}", *(["checksum"] if self.sums else []))
        return "-".join([*tunnel, self.size, str(self.flows)])

    @property
    def sums(self):
        """Whether the tunnel's UDP checksum is filled: RFC 8200 section 8.1 wants it over IPv6."""
        return self.checksum or self.underlay == 6

    @property
    def plain(self):
        """Name of the row that has the same job without what is special to this one; its own if nothing is."""
        return dataclasses.replace(self, underlay=4, checksum=False, option=False).name

    @property
    def sent_bytes(self):
        """Mean size of a frame on the way out, if all goes right."""
        sizes = SIZES[self.size]
        outer = OUTER_BYTES[self.underlay] + 8 * self.option if self.way == "encap" else 0
        return sum(sizes) / len(sizes) + outer


QUICK = [Row("encap", 256), Row("decap", 256), Row("l2", 256)]

FULL = [
    *(Row(way, flows, mode) for mode in ("geneve", "vxlan") for way in ("encap", "decap") for flows in FLOWS),
    *(Row("l2", flows) for flows in FLOWS),
    Row("encap", 256, underlay=6), Row("decap", 256, underlay=6),
    Row("encap", 256, checksum=True), Row("decap", 256, checksum=True),
    Row("encap", 256, option=True),
    Row("encap", 256, size="imix"), Row("decap", 256, size="imix"),
    Row("encap", 256, size="1400"), Row("decap", 256, size="1400"),
]
