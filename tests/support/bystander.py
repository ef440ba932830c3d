"""What those have of an attack on a gateway at whom it isn't aimed: a ping across it, and the gateway's own health."""

import re
import resource
import time

from tests.support.blast import RoundTrips, round_trips
from tests.support.process import LabError

MOST_LOST_PERCENT = 1
MOST_TIMES_SLOWER = 3
QUICK_MS = 15           # below that a noisy machine may be the reason
MOST_GROWTH_MB = 32
LONGEST_SLICE_MS = 200  # by the clock: 50, where nothing else wants the processor
MEMORY_ROOM_MB = 1500   # an attack that works ends the gateway, not the machine


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def buffers_used(daemon):
    """mbufs of the whole pool that are anywhere but in it; None: this gateway doesn't say."""
    return daemon.ctl("show", "workers")[0].get("mbufs_used")


def longest_slice_ms(daemon):
    """The longest time of the last minute that its control thread looked at nothing else; None: it doesn't say."""
    answer = daemon.ctl_run("--json", "show", "control", check=False)
    if answer.returncode != 0:
        return None
    return daemon.ctl("show", "control").get("longest_slice_of_minute_ms")


class Bystander:
    """Before the attack: the constructor; in its midst: endure(); when it is over: unharmed()."""

    def __init__(self, daemon, source, address):
        self.daemon, self.source, self.address = daemon, source, address
        self._limit_memory()
        self.before = round_trips(source, address, 1)
        assert self.before["lost_percent"] == 0, "before any attack"
        self.buffers = buffers_used(daemon)
        self.slice_ms = None
        self.resident_mb = self.most_mb = resident_mb(daemon.pid)
        self.during = None

    def _limit_memory(self):
        with open(f"/proc/{self.daemon.pid}/status") as status:
            now = int(re.search(r"VmSize:\s+(\d+)", status.read()).group(1)) << 10
        most = now + (MEMORY_ROOM_MB << 20)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, (most, most))

    def endure(self, seconds, sample=lambda: None):
        """Pings for so long, and calls `sample` a few times a second."""
        self.slice_ms = longest_slice_ms(self.daemon)  # of an apply before it, say
        pinging = RoundTrips(self.source, self.address, seconds)
        while pinging.ping.poll() is None:
            if self.daemon.process.poll() is not None:
                raise LabError(f"the gateway ended in the midst of it\n{self.daemon.log()}")
            self.most_mb = max(self.most_mb, resident_mb(self.daemon.pid))
            sample()
            time.sleep(0.1)
        self.during = pinging.result()
        return self.during

    def unharmed(self, patience_s=8):
        """Asserts the bounds; buffers have some time to come back."""
        slice_ms = longest_slice_ms(self.daemon)
        growth_mb = self.most_mb - self.resident_mb
        print(f"ping before: {self.before}, during: {self.during}; memory: {self.resident_mb:.0f} MB and {growth_mb:.1f}; "
              f"longest slice: {slice_ms} ms; drops: {self.daemon.drops()}")
        assert self.during["lost_percent"] <= MOST_LOST_PERCENT
        assert self.during["median_ms"] <= max(MOST_TIMES_SLOWER * self.before["median_ms"], QUICK_MS)
        assert growth_mb <= MOST_GROWTH_MB
        if slice_ms is not None:
            assert slice_ms <= max(LONGEST_SLICE_MS, self.slice_ms)
        self._buffers_come_back(patience_s)

    def _buffers_come_back(self, patience_s):
        if self.buffers is None:
            return
        deadline = time.monotonic() + patience_s
        while (used := buffers_used(self.daemon)) > self.buffers + 300:  # a few are always on their way
            assert time.monotonic() < deadline, f"{used} buffers are in use, {self.buffers} were"
            time.sleep(0.2)
