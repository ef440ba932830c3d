"""What a switch under measurement has to do, and one measurement of it."""

import dataclasses
import os
import time

from bench import machine
from tests.support.process import LabError, Process

SETTLED_S = 1.0
SETTLE_LIMIT_S = 30.0


@dataclasses.dataclass(frozen=True)
class Place:
    directory: str      # for this subject's files
    pcap: str           # its frames
    core: int           # of the forwarding thread
    control_core: int   # of everything else
    more_cores: tuple = ()  # of further forwarding threads
    more_pcaps: tuple = ()  # of further receive queues

    @property
    def cores(self):
        return (self.core, *self.more_cores)

    @property
    def pcaps(self):
        return (self.pcap, *self.more_pcaps)


@dataclasses.dataclass(frozen=True)
class Sample:
    when_s: float
    cpu_s: float        # of the forwarding threads together
    packets: int        # sent by the way out
    bytes: int          # None where it isn't known
    extra: dict         # counters of the subject's own


def spawn(place, command, name, **options):
    """A child that dies with the bench, even if that is killed."""
    return Process(["setpriv", "--pdeathsig", "KILL", *command], os.path.join(place.directory, f"{name}.log"), name, **options)


def pcap_device(place):
    """The source, for whoever uses DPDK: a receive queue for each file."""
    return ",".join(["net_pcap0", *(f"rx_pcap={pcap}" for pcap in place.pcaps), "infinite_rx=1"])


class Subject:
    """Sets up on entry, forwards until exit. Subclasses have name, setup(), close(), pid, learned() and read()."""

    def __init__(self, row, place):
        self.row = row
        self.place = place

    def __enter__(self):
        os.makedirs(self.place.directory)
        try:
            self.setup()
            self.threads = [machine.pinned_thread(self.pid, core, self.name) for core in self.place.cores]
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def settle(self):
        """Until what it learns from the frames stays the same for a while."""
        deadline = time.monotonic() + SETTLE_LIMIT_S
        known, since = self.learned(), time.monotonic()
        while time.monotonic() - since < SETTLED_S:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} still learns after {SETTLE_LIMIT_S:.0f} s: {known} and more")
            time.sleep(0.1)
            now = self.learned()
            if now != known:
                known, since = now, time.monotonic()

    def sample(self):
        before = self._clocks()
        packets, sent_bytes, extra = self.read()
        after = self._clocks()
        wall, cpu = ((a + b) / 2 for a, b in zip(before, after))
        return Sample(wall, cpu, packets, sent_bytes, extra)

    def _clocks(self):
        return time.monotonic(), sum(machine.thread_ns(self.pid, thread) for thread in self.threads) / 1e9

    def check(self, first, last):
        """What else must hold; a string says what didn't."""
        return ""

    def details(self, first, last):
        """For the report, beside the figures all have."""
        return {}

    def measure(self, seconds):
        """One run: a dict for the report. `wrong` is in it if the switch did not do the row's job."""
        self.settle()
        return self.measure_now(seconds)

    def measure_now(self, seconds):
        """The same, while it may still learn."""
        first = self.sample()
        time.sleep(seconds)
        last = self.sample()
        packets, cpu_s, wall_s = last.packets - first.packets, last.cpu_s - first.cpu_s, last.when_s - first.when_s
        if packets <= 0 or cpu_s <= 0:
            return {"wrong": f"sent {packets} frames in {cpu_s:.2f} s"}
        share = cpu_s / wall_s / len(self.threads)
        run = {"packets": packets, "wall_s": round(wall_s, 4), "cpu_s": round(cpu_s, 4), "share": round(share, 4),
               "mpps": round(packets / cpu_s / 1e6, 3), "cycles": round(machine.tsc_hz() * cpu_s / packets, 2)}
        run.update(self.details(first, last))
        wrong = self.check(first, last)
        if wrong:
            run["wrong"] = wrong
        return run
