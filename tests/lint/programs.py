"""The checks that run a program over the tree. Each returns what it found, or None where the program is not to be
had on this Debian."""

import concurrent.futures
import functools
import hashlib
import itertools
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import tempfile

from tests.lint import rules

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
CLANG_FORMAT = "clang-format-14"  # other versions differ here and there
JOBS = 2
TIDIED = r"(dataplane|pmd|control)/"
TIDIED_AT_ONCE = 8


def run(command, folder=TOP):
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)


def findings_of(command, folder=TOP):
    done = run(command, folder)
    if done.returncode == 0:
        return []
    return done.stdout.splitlines() or [f"{shlex.join(command)}: exit code {done.returncode}"]


def findings_of_each(work, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [finding for findings in pool.map(work, items) for finding in findings]


def format_of(files):
    if shutil.which(CLANG_FORMAT) is None:
        return None
    findings = findings_of([CLANG_FORMAT, "--dry-run", "-Werror", *filter(rules.is_cpp, files)])
    places = [line.split(": error:")[0] for line in findings if ": error:" in line]
    return [f"{place}: ./run format would change this" for place in places] or findings


def shell_scripts(files):
    return findings_of(["shellcheck", *filter(rules.is_shell, files)])


def python_files(files):
    return findings_of(["/usr/bin/python3", "-m", "pyflakes", *[path for path in files if path.endswith(".py")]])


def compile_flags():
    """source -> the words of its compile command that matter to what it means."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    flags = {}
    for entry in entries:
        words = shlex.split(entry["command"])
        kept = [word for word in words if re.match(r"-(std|I|isystem|D|W|f|m|pthread)", word)]
        for flag, word in zip(words, words[1:]):
            if flag == "-include":
                kept += [flag, word]
        source = os.path.relpath(os.path.join(entry["directory"], entry["file"]), TOP)
        flags.setdefault(source, kept)
    return flags


def passed_before(folder_name, check, sources, flags, program, rules_files=()):
    """What `check()` finds. It is asked again only when the files, what they include, the flags, the rules or the
    program have changed: what passed is kept in the user's cache, so that a fresh clone needn't do it all again."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "causeway", folder_name)
    os.makedirs(folder, exist_ok=True)
    digest = hashlib.sha256(f"{sources} {flags} {version_of(program)}".encode())
    paths = [os.path.join(TOP, path) for path in sources]
    rules_of_make = run(["g++", *flags, "-MM", "-MT", "all", "-x", "c++", *paths], BUILD).stdout.replace("\\\n", " ")
    names = [name for rule in rules_of_make.splitlines() for name in rule.removeprefix("all:").split()]
    for name in [*rules_files, *names]:
        with open(os.path.join(BUILD, name), "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(folder, f"{sources[0].replace('/', '-')}-{digest.hexdigest()[:24]}")
    if names and os.path.exists(stamp):
        return []
    findings = check()
    if not findings:
        with open(stamp, "w", encoding="utf-8"):
            pass
    return findings


@functools.cache
def version_of(program):
    return run([program, "--version"]).stdout


def headers_alone(files):
    """Every header compiles alone, with the flags of the source that is nearest to it."""
    flags = compile_flags()

    def compile_alone(header):
        nearest = flags[max(flags, key=lambda source: len(os.path.commonprefix([source, header])))]
        # As an include, so that `#pragma once` is not "in main file".
        command = ["g++", *nearest, "-fdiagnostics-color=never", "-fsyntax-only", "-x", "c++", "-include",
                   os.path.join(TOP, header), "/dev/null"]
        return passed_before("headers", lambda: findings_of(command, BUILD)[:15], [header], nearest, "g++")

    return findings_of_each(compile_alone, [path for path in files if path.endswith(".h")])


def groups_to_tidy(flags):
    """Sources of one folder with the same flags, by the handful: most of the time goes into what they all include."""
    sources = sorted(source for source in flags if re.match(TIDIED, source))
    for _, alike in itertools.groupby(sources, lambda source: (os.path.dirname(source), flags[source])):
        alike = list(alike)
        count = math.ceil(len(alike) / TIDIED_AT_ONCE)
        for first in range(count):
            yield alike[first::count]


def tidy(_files):
    """clang-tidy over the product."""
    flags = compile_flags()
    rules_file = os.path.join(TOP, ".clang-tidy")

    def look(sources):
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as together:
            together.writelines(f'#include "{source}"\n' for source in sources)
            together.flush()
            findings = findings_of(["clang-tidy", "--quiet", f"--config-file={rules_file}",
                                    "--checks=-bugprone-suspicious-include", f"--header-filter={TIDIED}.*",
                                    together.name, "--", *flags[sources[0]], "-Wno-unknown-warning-option"], BUILD)
        if len(sources) > 1 and any("[clang-diagnostic-error" in finding for finding in findings):
            # Two of them may have names of their own that are the same.
            return [finding for source in sources for finding in look([source])]
        return [line for line in findings if not re.match(r"\d+ warnings?\b", line)]

    def ask(sources):
        return passed_before("tidy", lambda: look(sources), sources, flags[sources[0]], "clang-tidy", [rules_file])

    return findings_of_each(ask, groups_to_tidy(flags))
