"""Inputs to start from: seeds.py PIPELINE_FRAMES FOLDER writes FOLDER/frames/*, FOLDER/config/* and FOLDER/requests/*."""

import glob
import json
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNDERLAY, CHECKSUMS_GOOD, CHAIN, BIG_FRAMES, BOUND = 1, 4, 8, 16, 32  # tests/fuzz/frames.cpp
MAX_FRAME = 9000  # bytes


def frame_input(name, frames):
    """One input: the frames of a name, whence they come in the tests of the pipeline."""
    from_underlay = not name.startswith(("encap.", "bridge.", "big.", "stream", "told.", "silent.", "super.", "syn.", "bound."))
    flags = UNDERLAY if from_underlay else 0
    parts = [bytes([BIG_FRAMES if name.startswith("rx.") else BOUND if name.startswith("bound.") else 0])]
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


def configurations():
    for path in sorted(glob.glob(os.path.join(TOP, "conf", "*.yaml"))):
        with open(path, encoding="utf-8") as file:
            yield file.read()
    with open(os.path.join(TOP, "tests", "unit", "config_errors.txt"), encoding="utf-8") as file:
        for case in re.split(r"(?m)^=== .*\n", file.read())[1:]:
            yield case.split("~~~\n")[0].replace("TAB", "\t")


def requests():
    for what in ("ports", "bridges", "tunnels", "fdb", "neighbors", "flows", "workers", "offloads", "multicast"):
        yield {"verb": "show", "what": what}
    yield {"verb": "stats", "per_worker": True}
    yield {"verb": "reload"}
    for action in ("add", "del", "flush"):
        yield {"verb": "fdb", "action": action, "bridge": "br0", "mac": "02:00:00:00:02:01", "port": "gnv4", "vlan": 5}
    for text in configurations():
        yield {"verb": "plan", "file": "a.yaml", "text": text}
        yield {"verb": "apply", "file": "a.yaml", "text": text}


def write(folder, contents):
    os.makedirs(folder, exist_ok=True)
    for number, content in enumerate(contents):
        with open(os.path.join(folder, f"seed-{number:04d}"), "wb") as file:
            file.write(content)


def main():
    frames, folder = sys.argv[1:]
    write(os.path.join(folder, "frames"), [frame_input(*item) for item in read_frames(frames).items()])
    write(os.path.join(folder, "config"), [text.encode() for text in configurations()])
    write(os.path.join(folder, "requests"), [json.dumps(request).encode() + b"\n" for request in requests()])


if __name__ == "__main__":
    main()
