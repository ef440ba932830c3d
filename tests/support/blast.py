"""Frames by the ten thousand from one namespace (blast.c), beside a ping that says what others have of it.

    frames = [ethernet(...), ...]                                # bytes: see tests/support/plain_frames.py
    with Blast(attacker, "eth0", frames, per_second=50000):      # from now on, until the block ends
        during = round_trips(c1, c2.ip4)
"""

import json
import os
import re
import struct

from tests.support.process import LabError, run

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "blast.c")


def _program(lab):
    """The sender, compiled when a lab needs it first."""
    output = lab.path("blast")
    if not os.path.exists(output):
        run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", output, SOURCE])
    return output


class Blast:
    """`frames` one after the other, again and again, from the constructor's return until result() or `seconds`.

    `per_second` 0: as fast as it goes. `vnet`: each frame begins with a virtio-net header of 10 bytes.
    """

    def __init__(self, namespace, interface, frames, per_second=0, seconds=60, vnet=False):
        lab = namespace.lab
        file = lab.path(f"blast-{next(lab.log_numbers)}.frames")
        with open(file, "wb") as output:
            for frame in frames:
                output.write(struct.pack("<I", len(frame)) + frame)
        self.sender = namespace.spawn([_program(lab), interface, file, seconds, per_second, int(vnet)],
                                      title=f"blast-{namespace.name}")
        self.sender.wait_for("sending")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sender.stop()

    def running(self):
        return self.sender.poll() is None

    def result(self):
        """Ends it: {"sent", "seconds", "refused", "last_error", "per_second"}."""
        self.sender.stop()
        try:
            result = json.loads(self.sender.output().splitlines()[-1])
        except (IndexError, json.JSONDecodeError):
            raise LabError(f"the sender has no result\n{self.sender.tail()}") from None
        return {**result, "per_second": result["sent"] / max(result["seconds"], 0.001)}


def blast(namespace, interface, frames, seconds, per_second=0, vnet=False):
    """The same to its end: its result()."""
    sender = Blast(namespace, interface, frames, per_second, seconds, vnet)
    sender.sender.wait(seconds + 10)
    return sender.result()


class RoundTrips:
    """A ping in the background, from the constructor's return until result()."""

    def __init__(self, source, address, seconds, interval_s=0.02):
        self.seconds = seconds
        self.count = int(seconds / interval_s)
        self.ping = source.spawn(["ping", "-n", "-i", interval_s, "-c", self.count, "-W", 1, address],
                                 title=f"ping-{source.name}")

    def result(self):
        """{"sent", "lost_percent", "median_ms", "longest_ms"}; the times are None where nothing came back."""
        self.ping.wait(self.seconds * 3 + 10, check=False)
        output = self.ping.output()
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", output)
        if not counts:
            raise LabError(f"ping said nothing of packets\n{self.ping.tail()}")
        sent, received = int(counts.group(1)), int(counts.group(2))
        times = sorted(float(time) for time in re.findall(r"time=([\d.]+) ms", output))
        return {"sent": sent, "lost_percent": 100 * (sent - received) / max(sent, 1),
                "median_ms": times[len(times) // 2] if times else None, "longest_ms": times[-1] if times else None}


def round_trips(source, address, seconds=2, interval_s=0.02):
    """The same to its end: its result()."""
    return RoundTrips(source, address, seconds, interval_s).result()
