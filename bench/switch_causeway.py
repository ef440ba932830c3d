"""causewayd, as anybody would run it: a YAML file, one worker."""

import os

from bench import frames
from bench.json_socket import JsonSocket
from bench.subject import Subject, pcap_device, spawn
from tests.support.causeway import program
from tests.support.process import LabError, wait_until

READY_S = 30
# Some bursts lie between the first counter of a reading and the last one.
SKEW_FRAMES = 4096
READINGS = 10
OPTION = ', options: [{class: 0x0102, type: 3, data: "00000001"}]'


def port(name, devargs, queues, underlay, row):
    lines = [f'  {name}:', f'    dpdk: {{devargs: "{devargs}"{f", rx-queues: {queues}" if queues > 1 else ""}}}']
    if name == "out":
        lines.append("    mtu: 2000")
    if underlay:
        version = row.underlay
        lines += [f"    macaddress: {frames.LOCAL_MAC}",
                  f'    addresses: ["{frames.LOCAL[version]}/{frames.PREFIX[version]}"]',
                  f'    neighbors: [{{to: "{frames.REMOTE[version]}", macaddress: "{frames.REMOTE_MAC}"}}]']
    return lines


def config(row, place):
    memory = "512M"
    lines = ["version: 1", "system:", f"  workers: {list(place.cores)}", f"  control-core: {place.control_core}", "  idle: busy",
             "  hugepages: on", f"  memory: {memory}", "ethernets:",
             *port("src", pcap_device(place), len(place.pcaps), row.way == "decap", row),
             *port("out", "net_null0,no-rx=1", 1, row.way == "encap", row)]
    ends = {"encap": ("src", "tun"), "decap": ("tun", "out"), "l2": ("src", "out")}[row.way]
    if row.way != "l2":
        lines += ["tunnels:", f"  tun: {{mode: {row.mode}, id: {frames.VNI}, local: \"{frames.LOCAL[row.underlay]}\", "
                  f"remote: \"{frames.REMOTE[row.underlay]}\"{', checksum: true' if row.checksum else ''}"
                  f"{OPTION if row.option else ''}}}"]
    lines += ["bridges:", "  br-int:", f"    interfaces: [{', '.join(ends)}]", "    static-macs:"]
    lines += [f'    - {{mac: "{frames.destination_mac(flow)}", port: {ends[1]}}}' for flow in range(row.flows)]
    return "\n".join(lines) + "\n"


def unaccounted(sent, extra):
    """Frames that came in, less those that are known to have gone somewhere."""
    return (extra["rx"] + extra["from_control"] - sent - sum(extra["drops"].values()) - extra["coalesced"]
            - extra["to_control"])


class CausewaySwitch(Subject):
    name = "causeway"

    def setup(self):
        file = os.path.join(self.place.directory, "bench.yaml")
        socket = os.path.join(self.place.directory, "causeway.sock")
        with open(file, "w") as output:
            output.write(self.configuration())
        self.process = spawn(self.place, [self.program(), "-c", file, "--socket", socket], "causewayd")
        self.pid = self.process.pid

        def ready():
            if self.process.poll() is not None:
                raise LabError(f"causewayd exited with {self.process.poll()}\n{self.process.tail()}")
            return JsonSocket.listening(socket)
        self.control = wait_until(ready, READY_S, lambda: f"causewayd is ready\n{self.process.tail()}")
        # The socket listens before the workers run; who asks is answered when they do.
        self.control.ask({"verb": "stats"})

    def program(self):
        return program("causewayd")

    def configuration(self):
        return config(self.row, self.place)

    def close(self):
        if hasattr(self, "control"):
            self.control.close()
        if hasattr(self, "process"):
            self.process.stop()

    def _ask(self, *verbs):
        questions = [{"verb": "stats"} if verb == "stats" else {"verb": "show", "what": verb} for verb in verbs]
        answers = self.control.ask(*questions)
        wrong = [answer for answer in answers if not answer["ok"]]
        if wrong:
            raise LabError(f"causewayd said {wrong[0]['errors']}")
        return [answer["result"] for answer in answers]

    def learned(self):
        return sum(bridge["macs"] for bridge in self._ask("bridges")[0])

    def read(self):
        """The counters are read one after the other while the worker runs on. If the control thread lost its core in
        between, they don't belong together: then again."""
        readings = []
        while not readings or (len(readings) < READINGS and min(reading[0] for reading in readings) > SKEW_FRAMES):
            packets, sent_bytes, extra = self._read()
            readings.append((abs(unaccounted(packets, extra)), packets, sent_bytes, extra))
        return min(readings, key=lambda reading: reading[0])[1:]

    def _counters(self):
        """Ports by name, and what all frames came to."""
        ports, stats, workers = self._ask("ports", "stats", "workers")
        ports = {port["name"]: port for port in ports}
        extra = {"rx": sum(port["rx_packets"] for port in ports.values()), "drops": stats["drops"],
                 "to_control": sum(worker["to_control"] for worker in workers),
                 "from_control": sum(worker["from_control"] for worker in workers),
                 "coalesced": sum(worker["gro_in"] - worker["gro_out"] for worker in workers),
                 **{what: sum(worker["flow_cache"][what] for worker in workers) for what in ("hits", "misses")}}
        return ports, extra

    def _read(self):
        ports, extra = self._counters()
        return ports["out"]["tx_packets"], ports["out"]["tx_bytes"], extra

    def check(self, first, last):
        """Nothing vanishes: what came in went out, was dropped for a counted reason, or is the control thread's. And
        what went out is of the right size."""
        lost = unaccounted(last.packets, last.extra) - unaccounted(first.packets, first.extra)
        if abs(lost) > 2 * SKEW_FRAMES:
            return f"{last.extra['rx'] - first.extra['rx']} frames came in, {lost} of them vanished"
        drops = {reason: count - first.extra["drops"][reason] for reason, count in last.extra["drops"].items()}
        dropped = {reason: count for reason, count in drops.items() if count}
        if dropped:
            return f"drops: {dropped}"
        mean = (last.bytes - first.bytes) / (last.packets - first.packets)
        if abs(mean - self.row.sent_bytes) > self.row.sent_bytes * 1e-3:
            return f"sent frames of {mean:.1f} bytes, not {self.row.sent_bytes:.1f}"
        return ""

    def details(self, first, last):
        lookups = last.extra["hits"] + last.extra["misses"] - first.extra["hits"] - first.extra["misses"]
        return {"cache_misses": round((last.extra["misses"] - first.extra["misses"]) / max(lookups, 1), 5)}
