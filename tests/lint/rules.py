"""The house rules that a few lines can check: each function takes the tree's files and yields what breaks them."""

import os
import re

# A file belongs to the first layer whose pattern it matches, and may include its own layer and those listed.
LAYERS = {
    "wire": (r"dataplane/wire/", set()),
    # Words that the tables and the stages share, below both.
    "vocabulary": (r"dataplane/(drop_reason|intent)\.h$", {"wire"}),
    "flow": (r"dataplane/flow/", {"wire", "vocabulary", "port_io"}),
    "worker": (r"dataplane/worker\.", {"wire", "vocabulary", "flow", "stages", "port_io"}),
    "stages": (r"dataplane/", {"wire", "vocabulary", "flow", "port_io"}),
    "port_io": (r"pmd/port_io\.h$", {"wire", "vocabulary"}),
    "pmd": (r"pmd/", {"wire", "vocabulary", "flow", "stages", "worker", "port_io"}),
    "control": (r"control/", {"wire", "vocabulary", "flow", "stages", "worker", "port_io", "pmd"}),
}
DEVICE_HEADERS = {"rte_ethdev.h", "rte_flow.h"}  # for pmd/ alone
NAMELESS = {"util", "utils", "common", "helper", "helpers", "misc", "manager", "stuff"}
MOST_LINES = 600
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def layer_of(path):
    return next((name for name, (pattern, _) in LAYERS.items() if re.match(pattern, path)), None)


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
        for number, line in enumerate(lines_of(path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            layer, other = layer_of(path), layer_of(target)
            if layer and target in DEVICE_HEADERS and layer != "pmd":
                yield f"{path}:{number}: only pmd/ includes {target}"
            if layer and other and other != layer and other not in LAYERS[layer][1]:
                yield f"{path}:{number}: {layer} may not include {target} ({other})"


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
