#!/usr/bin/python3
"""One TCP transfer with its checksum: transfer() for tests, and the program that it runs at both ends.

    transfer.py receive PORT
    transfer.py send ADDRESS PORT BYTES

Each prints one line of JSON: bytes, sha256, seconds. The sender's data is random; the receiver closes
when it has read to the end, and the sender waits for that, so a result means that all of it arrived.
"""

import hashlib
import json
import os
import socket
import sys
import time

CHUNK_BYTES = 1 << 20
STALL_S = 20  # no progress for so long: the path is dead
DATA_BYTES = 100_000_000


def transfer(receiver, sender, address, total=DATA_BYTES, port=5001, timeout=90):
    """Sends `total` bytes between two ends (anything with spawn()) and compares the checksums; Mbit/s."""
    program = f"/usr/bin/python3 {os.path.abspath(__file__)}"
    receiving = receiver.spawn(f"{program} receive {port}").wait_for("listening", 30)
    sending = sender.spawn(f"{program} send {address} {port} {total}")
    sending.wait(timeout)
    receiving.wait(timeout)
    sent, received = (json.loads(end.output().splitlines()[-1]) for end in (sending, receiving))
    assert received["bytes"] == total
    assert received["sha256"] == sent["sha256"]
    return total * 8 / received["seconds"] / 1e6


def receive(port):
    with socket.create_server(("", port), reuse_port=True) as server:
        print("listening", flush=True)
        server.settimeout(STALL_S)
        connection, _ = server.accept()
    digest, total, start = hashlib.sha256(), 0, time.monotonic()
    with connection:
        connection.settimeout(STALL_S)
        while data := connection.recv(CHUNK_BYTES):
            digest.update(data)
            total += len(data)
    return total, digest, time.monotonic() - start


def send(address, port, total):
    digest, left, start = hashlib.sha256(), total, time.monotonic()
    with socket.create_connection((address, port), timeout=STALL_S) as connection:
        while left:
            data = os.urandom(min(left, CHUNK_BYTES))
            digest.update(data)
            connection.sendall(data)
            left -= len(data)
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1):
            raise SystemExit("the receiver sent data")
    return total, digest, time.monotonic() - start


def main(argv):
    if argv[1] == "receive":
        total, digest, seconds = receive(int(argv[2]))
    else:
        total, digest, seconds = send(argv[2], int(argv[3]), int(argv[4]))
    print(json.dumps({"bytes": total, "sha256": digest.hexdigest(), "seconds": round(seconds, 3)}), flush=True)


if __name__ == "__main__":
    main(sys.argv)
