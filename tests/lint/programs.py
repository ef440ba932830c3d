"""The checks that run a program over the tree. Each returns what it found, or None where the program is not to be
had on this Debian."""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess

from tests.lint import rules

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
CLANG_FORMAT = "clang-format-14"  # other versions differ here and there
JOBS = 2
TIDIED = r"(dataplane|pmd|control)/"


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


def headers_alone(files):
    """Every header compiles alone, with the flags of the source that is nearest to it."""
    flags = compile_flags()

    def compile_alone(header):
        nearest = max(flags, key=lambda source: len(os.path.commonprefix([source, header])))
        # As an include, so that `#pragma once` is not "in main file".
        return findings_of(["g++", *flags[nearest], "-fdiagnostics-color=never", "-fsyntax-only", "-x", "c++", "-include", os.path.join(TOP, header),
                            "/dev/null"], BUILD)[:15]

    return findings_of_each(compile_alone, [path for path in files if path.endswith(".h")])


def tidy(_files):
    """clang-tidy over the product. A source that passed is not asked again until it, a header it includes or the
    rules change."""
    flags = compile_flags()
    passed_folder = os.path.join(BUILD, "tidy-passed")
    os.makedirs(passed_folder, exist_ok=True)

    def stamp_of(source):
        digest = hashlib.sha256(repr(flags[source]).encode())
        dependencies = run(["g++", *flags[source], "-MM", os.path.join(TOP, source)], BUILD).stdout
        for path in [os.path.join(TOP, ".clang-tidy"), *dependencies.replace("\\\n", " ").split()[1:]]:
            with open(os.path.join(BUILD, path), "rb") as file:
                digest.update(file.read())
        return os.path.join(passed_folder, f"{source.replace('/', '-')}-{digest.hexdigest()[:24]}")

    def ask(source):
        stamp = stamp_of(source)
        if os.path.exists(stamp):
            return []
        findings = findings_of(["clang-tidy", "-p", BUILD, "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                                source])
        if not findings:
            with open(stamp, "w", encoding="utf-8"):
                pass
        return [line for line in findings if not re.match(r"\d+ warnings?\b", line)]

    return findings_of_each(ask, sorted(source for source in flags if re.match(TIDIED, source)))
