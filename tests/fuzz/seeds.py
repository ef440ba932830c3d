"""Inputs to start from: seeds.py PIPELINE_FRAMES FOLDER writes FOLDER/TARGET/* for each target."""

import glob
import json
import os
import re
import struct
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNDERLAY, CHECKSUMS_GOOD, CHAIN, BIG_FRAMES, BOUND = 1, 4, 8, 16, 32  # tests/fuzz/frames.cpp
MAX_FRAME = 9000  # bytes


def frame_input(name, frames):
    """One input: the frames of a name, whence they come in the tests of the pipeline."""
    from_underlay = not name.startswith(("encap.", "bridge.", "big.", "stream", "told.", "silent.", "super.", "syn.", "bound.",
                                        "hosts."))
    flags = UNDERLAY if from_underlay else 0
    parts = [bytes([BIG_FRAMES if name.startswith("rx.") else BOUND if name.startswith(("bound.", "hosts.")) else 0])]
    for number, frame in enumerate(frames[:32]):
        chain = CHAIN if number % 5 == 4 else 0
        parts.append(bytes([flags | chain]) + len(frame).to_bytes(2, "little") + (b"\x40" if chain else b"") + frame)
    return b"".join(parts)


def read_frames(path):
    names = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words and not line.startswith("#"):
                names.setdefault(words[0], []).append(bytes.fromhex(words[1]))
    return {name: frames for name, frames in names.items() if max(map(len, frames)) <= MAX_FRAME}


SHORT_HEADER, TAG, LINEAR, RIGHT_LENGTHS = 1, 2, 4, 8  # tests/fuzz/segments.cpp
VNET_TYPE = {0: 0, 1: 1, 2: 4, 3: 5, 4: 5}  # of a GsoType


def vnet_header(gso_type, gso_size, csum_start, csum_offset, flags=1):
    return struct.pack("<BBHHHH", flags, gso_type, csum_start, gso_size, csum_start, csum_offset).ljust(24, b"\0")


def segment_inputs(path):
    """Frames that a kernel left unfinished, as they are, with other sizes of segments, and longer."""
    frames = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            name, *words = line.split() or ["#"]
            numbers = dict(word.split("=") for word in words[1:])
            if "gso_size" not in numbers or int(numbers.get("csum_start", 0)) == 0:
                continue
            key = (numbers["csum_start"], numbers["gso_type"], numbers["gso_size"], len(words[0]) > 2 * MAX_FRAME)
            frames.setdefault(key, (bytes.fromhex(words[0]), {key: int(number) for key, number in numbers.items()}))
    for frame, numbers in frames.values():
        head, kind = frame[:MAX_FRAME], VNET_TYPE[numbers["gso_type"]]
        whole = RIGHT_LENGTHS if len(head) < len(frame) else 0
        for flags in (0, LINEAR, TAG | SHORT_HEADER):
            yield bytes([flags | whole, 0]) + vnet_header(kind, numbers["gso_size"], numbers["csum_start"], numbers["csum_offset"]) + head
        if kind == 0:
            continue
        for gso_size, repetitions in ((1, 0), (87, 20), (88, 31), (100, 200), (600, 30), (1400, 31), (1400, 255), (9000, 255)):
            yield bytes([RIGHT_LENGTHS | (LINEAR if gso_size == 1400 else 0), repetitions]) + vnet_header(
                kind, gso_size, numbers["csum_start"], numbers["csum_offset"]) + head[:2000]
        # UDP in the place of TCP.
        for gso_size, repetitions in ((10, 0), (100, 6), (600, 30), (7, 1)):
            udp_frame = bytearray(head[:numbers["csum_start"] + 8 + 100])
            at = numbers["csum_start"] - (11 if numbers["gso_type"] == 1 else 34)
            udp_frame[at] = 17
            yield bytes([RIGHT_LENGTHS, repetitions]) + vnet_header(5, gso_size, numbers["csum_start"], 6) + bytes(udp_frame)


def configurations():
    for path in sorted(set(glob.glob(os.path.join(TOP, "conf", "*.yaml"))) - {os.path.join(TOP, "conf", "alerts.yaml")}):
        with open(path, encoding="utf-8") as file:
            yield file.read()
    with open(os.path.join(TOP, "tests", "unit", "config", "errors.txt"), encoding="utf-8") as file:
        for case in re.split(r"(?m)^=== .*\n", file.read())[1:]:
            yield case.split("~~~\n")[0].replace("TAB", "\t")


def requests():
    for what in ("ports", "bridges", "tunnels", "fdb", "routes", "hosts", "neighbors", "flows", "workers", "offloads", "multicast", "mirrors", "evpn", "control"):
        yield {"verb": "show", "what": what}
    yield {"verb": "stats", "per_worker": True}
    yield {"verb": "reload"}
    yield {"verb": "log", "level": "info"}
    for action in ("add", "del", "flush"):
        yield {"verb": "fdb", "action": action, "bridge": "br0", "mac": "02:00:00:00:02:01", "port": "gnv4", "vlan": 5}
    for text in configurations():
        yield {"verb": "plan", "file": "a.yaml", "text": text}
        yield {"verb": "apply", "file": "a.yaml", "text": text}


def appctl():
    """What ovs-appctl sends (control/unixctl)."""
    for method, *params in (
            ["list-commands"], ["version"], ["fdb/show", "br0"], ["fdb/show", "none"], ["fdb/show"], ["fdb/flush"],
            ["fdb/flush", "br0"], ["fdb/stats-show", "br0"], ["fdb/add", "br0", "gnv4", "5", "02:00:00:00:00:99"],
            ["fdb/del", "br0", "5", "02:00:00:00:02:01"], ["dpif/show"], ["dpctl/show", "-s"], ["tnl/neigh/show"],
            ["ovs/route/show"], ["dpif-netdev/pmd-rxq-show", "-pmd", "1", "-secs", "5"], ["dpif-netdev/pmd-stats-show"],
            ["coverage/show"], ["memory/show"], ["vlog/set", "console:info"], ["exit"], ["fdb/show", 7]):
        yield json.dumps({"id": 0, "method": method, "params": params}).encode()
    yield b'{"id":0,"method":"version","params":[]}' * 100
    yield b'{"id":"a","method":"fdb/show","params":["br0"]}{"id":1,"method":"dpif/show","params":[]}{"method":"exit"}'


def large_requests():
    """Head, a part and how often it stands there, tail (tests/fuzz/large_requests.cpp)."""
    for repetitions, head, part, tail in (
            (0xffff, b'{"verb":"x","a":[', b"{}," * 5, b"0]}"), (0xffff, b'{"verb":"x","a":[', b"[" * 15, b""),
            (0xffff, b'{"verb":"x","a":"', b"x" * 16, b'"}'), (0xffff, b'{"verb":"x"', b',"a":1', b"}"),
            (0xffff, b"", b'{"verb":"x"}\n', b""), (0xffff, b"x", b"x" * 16, b""),
            (400, b"", b'{"verb":"show","what":"ports"}\n', b""), (400, b"", b'{"verb":"apply","file":"a","text":"version: 1"}\n', b""),
            (20_000, b'{"verb":"plan","file":"a.yaml","text":"version: 1\\nethernets:\\n', b"  x: {zap: {}}\\n", b'"}'),
            (20_000, b'{"file":"a.yaml","text":"version: 1\\nbridges: {br: {interfaces: [', b"lan0,", b']}}","verb":"apply"}'),
            (2_000, b'{"verb":"plan","file":"a.yaml","text":"', b"[", b'"}')):
        yield b"".join(number.to_bytes(2, "little") for number in (repetitions, len(head), len(part))) + head + part + tail


def replies():
    """What was asked, and what came (tests/fuzz/replies.cpp)."""
    row = {"name": "fake", "state": "up\x1b[31m forged\u009b\u202e\r\n", "mtu": 1500, "flow_cache": {"hits": 1}, "addresses": ["::1"], "bridge": None}
    columns = [{"name": "name", "title": "\x1b[2JNAME\n", "kind": "text"}, {"name": "flow_cache.hits", "title": "", "kind": "counter", "unit": "packets"},
               {"name": "mtu"}]
    answers = [{"ok": True, "result": [row, row]}, {"ok": True, "columns": columns, "result": [row, row]},
               {"ok": True, "columns": [{"title": 5}, 5], "result": [row]}, {"ok": True, "result": {"cached": 7, "flows": [row]}},
               {"ok": True, "result": {"drops": {"too_big": 3, "\x1bc": 1}, "workers": [{"id": 0, "drops": {}}]}},
               {"ok": True, "result": {"operations": ["+ port\x07", 5], "warnings": ["w"]}}, {"ok": False, "errors": ["bad\x1b", 7]},
               {"ok": True, "result": [5, [row], None]}, {"ok": 5}, {}, [], {"ok": False, "errors": 5}]
    for question in range(12):
        for answer in answers:
            yield bytes([question]) + json.dumps(answer, ensure_ascii=False).encode() + b"\n"
    yield b"\x00" + b"[" * 10_000
    yield b"\x00\xff\n"


def write(folder, contents):
    os.makedirs(folder, exist_ok=True)
    for number, content in enumerate(contents):
        with open(os.path.join(folder, f"seed-{number:04d}"), "wb") as file:
            file.write(content)


def main():
    frames, folder = sys.argv[1:]
    write(os.path.join(folder, "frames"), [frame_input(*item) for item in read_frames(frames).items()])
    write(os.path.join(folder, "segments"), segment_inputs(frames))
    write(os.path.join(folder, "appctl"), appctl())
    write(os.path.join(folder, "config"), [text.encode() for text in configurations()])
    write(os.path.join(folder, "large_requests"), large_requests())
    write(os.path.join(folder, "replies"), replies())
    write(os.path.join(folder, "requests"), [json.dumps(request).encode() + b"\n" for request in requests()])


if __name__ == "__main__":
    main()
