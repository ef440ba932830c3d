"""causewayd at a job of the scale bench: its own generators send, its own counters say what became of the frames."""

import dataclasses
import json
import re
import time

from bench import frames, machine
from bench.switch_causeway import READINGS, SKEW_FRAMES, CausewaySwitch, unaccounted
from tests.support.process import LabError

LOCAL, REMOTE = frames.LOCAL[4], frames.REMOTE[4]
SETTLE_LIMIT_S = 60
# While it learns: less than this share more in a second.
SETTLED_GROWTH = 0.001


@dataclasses.dataclass
class Job:
    name: str
    ethernets: dict
    bridges: dict = dataclasses.field(default_factory=dict)
    tunnels: dict = dataclasses.field(default_factory=dict)
    vlans: dict = dataclasses.field(default_factory=dict)
    system: dict = dataclasses.field(default_factory=dict)  # what a user of that size sets
    copies: int = 1             # that a frame makes
    drops: tuple = ()           # reasons for which frames die here, as they should
    sections: dict = dataclasses.field(default_factory=dict)  # what else stands in the file

    def configuration(self, place):
        system = {"workers": list(place.cores), "control-core": place.control_core, "idle": "busy", "hugepages": "on",
                  "memory": "512M", **self.system}
        # JSON is YAML, and a hundred times as fast to write from here.
        text = json.dumps({"version": 1, "system": system, "ethernets": self.ethernets, "vlans": self.vlans,
                           "bridges": self.bridges, "tunnels": self.tunnels, **self.sections}, indent=0)
        return text.replace("{pcap}", place.pcap or "").replace("{directory}", place.directory)


def underlay(generator, name_settings=None, remotes=(REMOTE,)):
    """A port that tunnels leave by, at whose other end nobody is but a generator."""
    return {"generator": generator, "mtu": 2000, "macaddress": frames.LOCAL_MAC, "addresses": [f"{LOCAL}/16"],
            "neighbors": [{"to": remote, "macaddress": frames.REMOTE_MAC} for remote in remotes], **(name_settings or {})}


class Gateway(CausewaySwitch):
    """`row` is a Job."""

    def configuration(self):
        return self.row.configuration(self.place)

    def settle(self):
        deadline = time.monotonic() + SETTLE_LIMIT_S
        known = self.learned()
        while True:
            time.sleep(1)
            now = self.learned()
            if abs(now - known) <= now * SETTLED_GROWTH:
                return
            if time.monotonic() > deadline:
                raise LabError(f"still learns after {SETTLE_LIMIT_S} s: {known} MACs, then {now}")
            known = now

    def _read(self):
        """Frames that came in: a row may kill or multiply them."""
        ports, extra = self._counters()
        extra.update(ports=ports, sent=sum(port["tx_packets"] for port in ports.values()))
        return extra["rx"], None, extra

    def _lost(self, extra):
        return unaccounted(extra["sent"] / self.row.copies, extra)

    def read(self):
        """As the parent does, until the counters belong together."""
        readings = [self._read()]
        while abs(self._lost(readings[-1][2])) > SKEW_FRAMES and len(readings) < READINGS:
            readings.append(self._read())
        return min(readings, key=lambda reading: abs(self._lost(reading[2])))

    def check(self, first, last):
        """Nothing vanishes, and nothing dies but for the row's reasons."""
        lost = self._lost(last.extra) - self._lost(first.extra)
        if abs(lost) > 2 * SKEW_FRAMES:
            return f"{last.packets - first.packets} frames came in, {lost:.0f} of them vanished"
        drops = {reason: count - first.extra["drops"][reason] for reason, count in last.extra["drops"].items()
                 if reason not in self.row.drops}
        dropped = {reason: count for reason, count in drops.items() if count}
        return f"drops: {dropped}" if dropped else ""

    def details(self, first, last):
        wall = last.when_s - first.when_s
        ports = {name: {field: round((port[field] - first.extra["ports"][name][field]) / wall) for field in
                        ("rx_packets", "tx_packets", "rx_drops")}
                 for name, port in last.extra["ports"].items()}
        return {**super().details(first, last), "ports_per_second": ports}

    def waited_ms(self):
        """That its core was somebody else's while the worker wanted it."""
        return machine.waited_ns(self.pid, self.threads[0]) / 1e6

    def apply(self, job):
        """Seconds that it took."""
        started = time.monotonic()
        answer = self.control.ask({"verb": "apply", "file": "bench.yaml", "text": job.configuration(self.place)})[0]
        if not answer["ok"]:
            raise LabError(f"apply: {answer['errors'][:3]}")
        return time.monotonic() - started

    def resident_mb(self):
        """(VmRSS, hugepages): the first does not include the second (Documentation/filesystems/proc.rst)."""
        status = machine.read(f"/proc/{self.pid}/status")
        return tuple(int(re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE).group(1)) / 1024
                     for name in ("VmRSS", "HugetlbPages"))
