"""The ceiling: the same devices, core and frames, and no work between receive and transmit (io), or only the two MACs
exchanged (macswap). DPDK's own dpdk-testpmd, as Debian ships it, with bursts of 64."""

import os
import re
import subprocess
import time

from bench.subject import Subject, pcap_device
from tests.support.process import LabError, tail

ANSWER_S = 30
PROMPT = "testpmd> "


class Testpmd(Subject):
    forward = None

    def setup(self):
        place = self.place
        # The prompt's thread shares its core with a forwarding one if it must: it sleeps.
        lcores = ",".join(f"{number}@{core}" for number, core in enumerate((place.control_core, *place.cores)))
        queues = len(place.pcaps)
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "stdbuf", "-oL", "dpdk-testpmd", f"--lcores={lcores}", "--main-lcore=0",
             "--in-memory", "--no-pci", "--no-telemetry", "-m", "512", *(f"--vdev={device}" for device in self.devices()), "--",
             "--interactive", f"--nb-cores={len(place.cores)}", f"--rxq={queues}", f"--txq={queues}",
             f"--forward-mode={self.forward}", "--burst=64",
             "--total-num-mbufs=65536", "--no-lsc-interrupt"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.pid = self.child.pid
        self._until_prompt()
        self._ask("start")

    def devices(self):
        return pcap_device(self.place), "net_null0,no-rx=1"

    def close(self):
        if not hasattr(self, "child"):
            return
        try:
            self.child.communicate(b"quit\n", timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.child.kill()
            self.child.wait(10)

    def _ask(self, command):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        return self._until_prompt()

    def _until_prompt(self):
        text, deadline = "", time.monotonic() + ANSWER_S
        while not text.endswith(PROMPT):
            data = self.child.stdout.read()
            if data:
                text += data.decode(errors="replace")
            elif self.child.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"dpdk-testpmd does not answer\n{tail(text)}")
            else:
                time.sleep(0.0005)
        return text

    def learned(self):
        return 0

    def read(self):
        text = self._ask("show port stats 1")
        return int(re.search(r"TX-packets:\s*(\d+)", text).group(1)), None, {}


class IoCeiling(Testpmd):
    name = "io"
    forward = "io"


class MacswapCeiling(Testpmd):
    name = "macswap"
    forward = "macswap"
