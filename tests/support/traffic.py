"""What containers send each other: ping, files over HTTP, iperf3, a numbered UDP stream."""

import hashlib
import json
import os
import re
import signal

from tests.support.process import LabError, wait_until

PYTHON = "/usr/bin/python3"
FLOWS = 32
_STREAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "udp_stream.py")


def ping(source, address, count=3, payload_bytes=56, dont_fragment=False, interval_s=0.2, check=True):
    """Number of answers; fewer than `count` is an error if `check`. `payload_bytes` + 28 is the IPv4 packet."""
    command = ["ping", "-n", "-c", count, "-i", interval_s, "-W", 1, "-s", payload_bytes]
    if dont_fragment:
        command += ["-M", "do"]
    done = source.run([*command, address], check=False, timeout=count * (1 + interval_s) + 5)
    answer = re.search(r"(\d+) received", done.stdout)
    received = int(answer.group(1)) if answer else 0
    if check and received < count:
        raise LabError(f"{source.name} got {received} of {count} answers from {address}:\n{done.stdout}{done.stderr}")
    return received


def unanswered(output):
    """(pings without an answer, of how many), of what ping printed so far: up to the last that was answered, since those
    behind it may be on their way."""
    answered = set(map(int, re.findall(r"bytes from .* icmp_seq=(\d+) ", output)))
    last = max(answered, default=0)
    return last - len(answered), last


def ways_of_flows(gateway, source, address, each=10, ports=("up1", "up2")):
    """What each of the gateway's ports sent (port -> packets) of FLOWS flows of `each` datagrams from `source` to a closed port
    of `address`, and beside them."""
    def sent():
        return {port: gateway.row("ports", port)["tx_packets"] for port in ports}
    before = sent()
    code = ("import socket\n"
            f"for n in range({FLOWS}):\n"
            "  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 20000 + n))\n"
            f"  [s.sendto(b'x', ('{address}', 9)) for _ in range({each})]\n")
    source.run([PYTHON, "-c", code])
    wait_until(lambda: sum(sent().values()) - sum(before.values()) >= each * FLOWS, 5, "all have left")
    return {port: count - before[port] for port, count in sent().items()}


def sha256(file):
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def fetch(client, server, address, size_bytes, port=8000, timeout=60):
    """The client downloads a file of random bytes from a web server in `server`; both checksums and the rate."""
    lab = server.lab
    folder = lab.path(f"www-{server.name}")
    os.makedirs(folder, exist_ok=True)
    sent, got = os.path.join(folder, "file"), lab.path(f"fetched-{client.name}")
    with open(sent, "wb") as output:
        for _ in range(0, size_bytes, 1 << 20):
            output.write(os.urandom(1 << 20))
        output.truncate(size_bytes)
    web = server.spawn([PYTHON, "-u", "-m", "http.server", port, "--bind", address, "--directory", folder],
                       title=f"http-{server.name}")
    try:
        web.wait_for("Serving HTTP")
        host = f"[{address}]" if ":" in address else address
        done = client.run(["curl", "-sS", "--fail", "--max-time", timeout, "-o", got, "-w", "%{speed_download}",
                           f"http://{host}:{port}/file"], timeout=timeout + 5)
        return {"sent": sha256(sent), "received": sha256(got), "bytes_per_s": float(done.stdout)}
    finally:
        web.stop()
        os.unlink(sent)
        if os.path.exists(got):
            os.unlink(got)


class Iperf3:
    """An iperf3 run between two namespaces, in the background from the constructor's return until result()."""

    def __init__(self, client, server, address, seconds=4, port=5201, arguments=()):
        self.seconds = seconds
        self.server = server.spawn(["iperf3", "-s", "-1", "-p", port, "-B", address, "--forceflush"],
                                   title=f"iperf3-server-{server.name}-{port}")
        self.server.wait_for("Server listening")
        self.client = client.spawn(["iperf3", "-c", address, "-p", port, "-t", seconds, "-J",
                                    "--connect-timeout", 3000, *arguments], title=f"iperf3-{client.name}-{port}")

    def stop(self):
        """Ends it where nobody asks what came of it."""
        self.client.stop(signal.SIGTERM)
        self.server.stop(signal.SIGKILL)

    def result(self):
        """iperf3's own JSON, the part under `end`."""
        try:
            self.client.wait(self.seconds + 15, check=False)
        finally:
            self.server.stop(signal.SIGKILL if self.client.poll() is None else signal.SIGTERM)
        try:
            answer = json.loads(self.client.output())
        except json.JSONDecodeError:
            raise LabError(f"iperf3 printed no JSON\n{self.client.tail()}") from None
        if "error" in answer or self.client.poll() != 0:
            raise LabError(f"iperf3: {answer.get('error', self.client.poll())}\n{self.server.tail()}")
        return answer["end"]


def iperf3(client, server, address, seconds=4, port=5201, arguments=()):
    """Received bits per second of a TCP run from client to server (`arguments` ["-R"]: the other way)."""
    return Iperf3(client, server, address, seconds, port, arguments).result()["sum_received"]["bits_per_second"]


class UdpStream:
    """Numbered datagrams at a constant rate, from the constructor's return until stop(), which says what got lost."""

    def __init__(self, source, target, address, per_second=1000, payload_bytes=200, port=40000):
        arguments = [address, port]
        self.receiver = target.spawn([PYTHON, "-u", _STREAM, "receive", *arguments], title=f"udp-receive-{target.name}-{port}")
        self.receiver.wait_for("ready")
        self.sender = source.spawn([PYTHON, "-u", _STREAM, "send", *arguments, per_second, payload_bytes],
                                   title=f"udp-send-{source.name}-{port}")
        self.sender.wait_for("sending")

    def stop(self, settle_s=0.5):
        """{"sent", "received", "lost", "duplicates", "reordered", "longest_gap_ms"}; `lost` lists sequence numbers."""
        self.sender.stop(signal.SIGTERM)
        sent = json.loads(self.sender.output().splitlines()[-1])["sent"]
        try:
            self.receiver.child.wait(settle_s)  # never ends by itself: lets what is on its way arrive
        except Exception:
            pass
        self.receiver.stop(signal.SIGTERM)
        report = json.loads(self.receiver.output().splitlines()[-1])
        missing = set(range(sent)) - set(_expand(report.pop("ranges")))
        return {"sent": sent, "lost": sorted(missing), **report}


def _expand(ranges):
    for first, last in ranges:
        yield from range(first, last + 1)
