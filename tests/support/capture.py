"""A capture on an interface of the lab, and tshark's opinion of it."""

import os
import signal
import time

from tests.support.process import LabError, run

CHECKSUMS_ON = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
                "-o", "tcp.desegment_tcp_streams:FALSE",  # each frame for itself: no reassembly of whole downloads
                "--disable-protocol", "http"]  # finds a segment of random bytes malformed that begins with CR LF
# tcp.checksum.ffff: the kernel writes 0xffff for 0x0000, which means the same; tshark calls it bad.
BROKEN = ('_ws.malformed || ip.checksum.status == "Bad" || udp.checksum.status == "Bad" || '
          '(tcp.checksum.status == "Bad" && !tcp.checksum.ffff) || '
          'icmp.checksum.status == "Bad" || icmpv6.checksum.status == "Bad"')


def tshark(file, *arguments, timeout=60):
    done = run(["tshark", "-n", "-r", file, *arguments], timeout=timeout)
    return done.stdout


def frames(file, filter=None, fields=(), options=(), timeout=60):
    """One dict per frame that matches the display filter: field -> its values, outermost header first."""
    fields = ["frame.number", *fields]
    arguments = [*options, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]
    for field in fields:
        arguments += ["-e", field]
    if filter:
        arguments += ["-Y", filter]
    rows = []
    for line in tshark(file, *arguments, timeout=timeout).splitlines():
        values = line.split("\t") + [""] * len(fields)
        rows.append({field: value.split("|") if value else [] for field, value in zip(fields, values)})
    return rows


def broken_frames(file, timeout=120):
    """Frames that are malformed or carry a wrong checksum, at any depth, as tshark's one-line summaries."""
    return tshark(file, *CHECKSUMS_ON, "-Y", BROKEN, timeout=timeout).splitlines()


class Capture:
    """tcpdump on `interface` of `namespace`, running from the constructor's return until stop()."""

    def __init__(self, namespace, interface, file, filter=None, snap_bytes=0, max_frames=None):
        self.file = file
        self.max_frames = max_frames
        command = ["tcpdump", "--immediate-mode", "-n", "-U", "-Z", "root", "-B", 16384, "-s", snap_bytes,
                   "-i", interface, "-w", file]
        if max_frames:
            command += ["-c", max_frames]
        if filter:
            command.append(filter)
        self.process = namespace.spawn(command, title=f"tcpdump-{namespace.name}-{interface}")
        self.process.wait_for("listening on")

    def stop(self, settle_s=0.3):
        """`settle_s`: what is still on its way through the socket gets written."""
        if self.process.poll() is None:
            time.sleep(settle_s)
            self.process.stop(signal.SIGINT)
        if self.process.poll() != 0:
            raise LabError(f"tcpdump exited with {self.process.poll()}\n{self.process.tail()}")
        return self

    def size_bytes(self):
        return os.path.getsize(self.file)

    def frames(self, filter=None, fields=(), options=(), timeout=60):
        return frames(self.file, filter, fields, options, timeout)

    def count(self, filter=None, timeout=60):
        return len(self.frames(filter, timeout=timeout))

    def count_bpf(self, filter):
        """Frames that match a capture filter: does without tshark, which takes a second for 5,000 frames at best."""
        said = run(["tcpdump", "-n", "-r", self.file, "--count", filter]).stdout
        return int(said.split()[0])

    def broken(self, timeout=120):
        return broken_frames(self.file, timeout)

    def decode(self, number=None, filter=None, protocols=None, options=(), timeout=60):
        """tshark's detail of one frame, or of all that match: `protocols` ("geneve,ip") leaves the others folded."""
        arguments = ["-O", protocols] if protocols else ["-V"]
        wanted = f"frame.number == {number}" if number else filter
        if wanted:
            arguments += ["-Y", wanted]
        return tshark(self.file, *options, *arguments, timeout=timeout)
