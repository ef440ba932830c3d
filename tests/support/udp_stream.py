"""The two ends of a numbered UDP stream: run inside a namespace by traffic.UdpStream. Both end on SIGTERM.

    udp_stream.py receive ADDRESS PORT
    udp_stream.py send ADDRESS PORT PER_SECOND PAYLOAD_BYTES
"""

import json
import signal
import socket
import struct
import sys
import time

RECEIVE_BUFFER_BYTES = 16 << 20  # seconds of the stream: a receiver that gets no processor time loses nothing
SO_RCVBUFFORCE = 33              # asm-generic/socket.h; not in Python's socket module
running = True


def end(_signum, _frame):
    global running
    running = False


def open_socket(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def send(address, port, per_second, payload_bytes):
    endpoint = open_socket(address)
    filler = bytes(payload_bytes - 8)
    print("sending", flush=True)
    sent, start = 0, time.monotonic()
    while running:
        late = time.monotonic() - start - sent / per_second
        if late < 0:
            time.sleep(min(-late, 0.1))
            continue
        if late > 0.02:  # no catching up in a burst after a pause: the rate is what is promised
            start += late
        try:
            endpoint.sendto(struct.pack("!Q", sent) + filler, (address, port))
            sent += 1
        except OSError as error:  # e.g. an ICMP error came back: not sent, tried again
            print(error, flush=True)
            time.sleep(0.01)
    print(json.dumps({"sent": sent}), flush=True)


def receive(address, port):
    endpoint = open_socket(address)
    endpoint.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    endpoint.bind((address, port))
    endpoint.settimeout(0.1)
    print("ready", flush=True)
    seen, reordered, duplicates, highest = set(), 0, 0, -1
    longest_gap, last = 0.0, None
    while running:
        try:
            data = endpoint.recv(65536)
        except (socket.timeout, InterruptedError):
            continue
        now = time.monotonic()
        if last is not None:
            longest_gap = max(longest_gap, now - last)
        last = now
        number = struct.unpack_from("!Q", data)[0]
        if number in seen:
            duplicates += 1
        elif number < highest:
            reordered += 1
        highest = max(highest, number)
        seen.add(number)
    print(json.dumps({"received": len(seen), "duplicates": duplicates, "reordered": reordered,
                      "longest_gap_ms": round(longest_gap * 1000, 1), "ranges": to_ranges(seen)}), flush=True)


def to_ranges(numbers):
    ranges = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    else:
        receive(sys.argv[2], int(sys.argv[3]))
