"""The house rules that a few lines can check: each function takes the tree's files and yields what breaks them."""

import collections
import os
import posixpath
import re

# The house from the ground up. A file belongs to the first room whose pattern it matches, and may include its own room
# and what is on the floors below; rooms of one floor don't know each other.
FLOORS = (
    (r"dataplane/wire/",),
    (r"dataplane/frame/",),
    (r"dataplane/drop_reason\.h$",),
    (r"dataplane/port_io\.h$",),
    (r"dataplane/flow/",),
    (r"dataplane/(batch|counters|spsc_ring)\.",),
    (r"dataplane/exchange\.h$",),
    # What a worker keeps for its stages stands in its context, below them.
    (r"dataplane/(gso/(segment|segment_layout|merged_datagrams)|egress/tx_buffers|inspect/(capture|capture_ring|drop_examples|sample))\.h$",),
    (r"dataplane/(context|to_control)\.",),
    (r"dataplane/gso/",),
    (r"dataplane/ingress/", r"dataplane/egress/", r"dataplane/inspect/"),
    (r"dataplane/bridging/",),
    (r"dataplane/worker\.",),
    (r"pmd/[^/]*$",),
    (r"pmd/kernel/",),
    (r"pmd/ethdev/", r"pmd/generator/", r"pmd/routes/"),
    (r"pmd/nic_model/",),
    (r"control/config/", r"control/process/"),
    (r"control/yaml/", r"control/publish/", r"control/underlay/", r"control/api/"),
    (r"control/check/",),
    (r"control/bridge/", r"control/port/", r"control/tunnel/"),
    (r"control/evpn/",),
    (r"control/hosts/",),
    (r"control/offload/",),
    (r"control/sflow/",),
    (r"control/gateway/",),
    (r"control/view/", r"control/keep/"),
    (r"control/capture/", r"control/change/", r"control/metrics/", r"control/ovsdb/", r"control/trace/", r"control/unixctl/"),
    (r"control/doctor/", r"control/import/"),
    (r"control/(daemon|vswitch|main)\.", r"control/ctl/"),
)
# causewayctl asks a gateway, or reads files and databases without one: it never has one of its own.
WITHOUT_GATEWAY = re.compile(r"control/(ctl|import)/")
OF_GATEWAY = re.compile(r"control/(bridge|capture|change|doctor|evpn|hosts|keep|port|tunnel|offload|gateway|trace|view|daemon|vswitch|main)[/.]")
PRODUCT = re.compile(r"(dataplane|pmd|control)/")
MOST_FILES = 30  # in a folder
DEVICE_HEADERS = {"rte_ethdev.h", "rte_flow.h"}  # for pmd/ alone
NAMELESS = {"util", "utils", "common", "helper", "helpers", "misc", "manager", "stuff"}
MOST_LINES = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def room_of(path):
    """(floor, room) of a file of the product; None of any other."""
    for floor, rooms in enumerate(FLOORS):
        for room in rooms:
            if re.match(room, path):
                return floor, room
    return None


def is_cpp(path):
    return path.endswith((".cpp", ".h"))


def is_shell(path):
    if path.endswith(".sh"):
        return True
    if os.path.splitext(path)[1] or not os.access(path, os.X_OK):
        return False
    with open(path, "rb") as file:
        return re.match(rb"#!/(usr/)?bin/(env )?(ba)?sh\b", file.readline()) is not None


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def broken_dependencies(files):
    for path in filter(is_cpp, files):
        if not PRODUCT.match(path):
            continue
        room = room_of(path)
        if room is None:
            yield f"{path}: in no room of FLOORS (tests/lint/rules.py)"
            continue
        for number, line in enumerate(lines_of(path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            if target in DEVICE_HEADERS and not path.startswith("pmd/"):
                yield f"{path}:{number}: only pmd/ includes {target}"
            if WITHOUT_GATEWAY.match(path) and OF_GATEWAY.match(target):
                yield f"{path}:{number}: has no gateway, and so no {target}"
            other = room_of(target)
            if '"' in line and (other is None or target != posixpath.normpath(target)):
                yield f"{path}:{number}: {target} is no file of the product, by its whole path"
                continue
            if other and other != room and other[0] >= room[0]:
                yield f"{path}:{number}: may not include {target}, which is {'beside' if other[0] == room[0] else 'above'} it"


def full_folders(files):
    for folder, count in sorted(collections.Counter(map(os.path.dirname, files)).items()):
        if count > MOST_FILES:
            yield f"{folder}: {count} files, more than {MOST_FILES}: two rooms?"


def nameless_files(files):
    for path in files:
        if words := set(re.split(r"[/_.\-]", path.lower())) & NAMELESS:
            yield f"{path}: '{min(words)}' says nothing about what is inside"


def long_files(files):
    for path in files:
        if is_cpp(path) or path.endswith(".py") or is_shell(path):
            count = len(lines_of(path))
            if count > MOST_LINES:
                yield f"{path}: {count} lines, more than {MOST_LINES}: two subjects?"


def headers_without_guard(files):
    for path in files:
        if path.endswith(".h") and "#pragma once" not in lines_of(path):
            yield f"{path}: no #pragma once"
