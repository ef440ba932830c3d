"""./run test: runs every suite, a line each, and at the end one line that sums them up: 123 passed, 0 failed.

The C++ suites are what meson.build names with test(); the Python ones are the folders that hold a test_*.py.
Passed and failed count test cases, as the frameworks' own XML reports have them.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ASAN_LAB = "tests/lab/test_overlay.py"  # what runs under the address sanitizer besides unit and pipeline
SANITIZED = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
    "LSAN_OPTIONS": f"suppressions={TOP}/tests/support/lsan.supp:print_suppressions=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass
class Outcome:
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    details: str = ""  # of what failed
    second: int = 0  # passed at the second try
    failures: list = dataclasses.field(default_factory=list)  # pytest's ids of cases that may be tried again

    def line(self):
        counts = summary(self.passed, self.failed, self.skipped)
        again = f", {self.second} at the second try" if self.second else ""
        return f"    {self.name:<36} {counts:<36} {self.seconds:6.1f} s{again}"


def summary(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


# --- Catch2 and plain programs --------------------------------------------------------------------------------


def is_catch(test):
    """Our executables are Catch2's, except the fuzzers. Scripts and fuzzers count by their exit code."""
    suites = {suite.split(":")[-1] for suite in test["suite"]}
    return "fuzz" not in suites and not test["cmd"][0].startswith("/usr/")


def catch_details(root):
    """The failed assertions of a Catch2 XML report, for people."""
    lines = []
    for case in root.iter("TestCase"):
        failures = [e for e in case.iter() if e.tag in ("Failure", "Exception", "FatalErrorCondition")
                    or e.tag == "Expression" and e.get("success") == "false"]
        if failures:
            lines.append(f"{case.get('filename')}:{case.get('line')}: {case.get('name')}")
        for failure in failures:
            texts = [failure.findtext("Original"), failure.findtext("Expanded"), failure.text]
            lines.append(f"  {failure.get('filename')}:{failure.get('line')}: {failure.tag}")
            lines += [f"    {text.strip()}" for text in texts if text and text.strip()]
    return lines


def read_catch_report(path, outcome):
    try:
        root = ElementTree.parse(path).getroot()
        # Catch2 2 sums up each group besides the whole; the last sum is the whole's.
        total = root.findall(".//OverallResultsCases")[-1]
    except (ElementTree.ParseError, FileNotFoundError, IndexError):
        return  # it died before the end: its exit code says so
    outcome.passed = int(total.get("successes", 0))
    outcome.failed = int(total.get("failures", 0))
    outcome.skipped = int(total.get("skips", 0))
    outcome.details = "\n".join(catch_details(root))


def run_executable(test, arguments, slowness, catch_filter):
    outcome = Outcome(test["name"].split(":")[-1].strip())
    catch = is_catch(test)
    with tempfile.TemporaryDirectory(prefix="causeway-test-") as folder:
        report = os.path.join(folder, "report.xml")
        command = list(test["cmd"])
        if catch:
            command += ["-r", "xml", "-o", report] + catch_filter
        elif arguments.k:
            return outcome
        started = time.monotonic()
        environment = {**os.environ, **SANITIZED, **(test.get("env") or {})}
        output = b""
        try:
            done = subprocess.run(command, cwd=test.get("workdir") or TOP, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=max(test["timeout"], 60) * slowness, check=False)
            code, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as expired:
            code, output = "no end in time", expired.stdout or b""
        outcome.seconds = time.monotonic() - started
        if catch:
            read_catch_report(report, outcome)
            nothing_matched = catch_filter and not outcome.passed + outcome.failed + outcome.skipped and code in (0, 2)
        else:
            outcome.passed, nothing_matched = int(code == 0), False
        if code != 0 and not outcome.failed and not nothing_matched:
            outcome.failed = 1
            outcome.details += f"\nexit code {code}"
        if outcome.failed:
            tail = output.decode(errors="replace").splitlines()[-60:]
            outcome.details = "\n".join([f"{' '.join(command)}", outcome.details.strip(), *tail])
    return outcome


def meson_tests(build):
    listing = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True)
    return sorted(json.loads(listing.stdout), key=lambda test: test["name"])


def run_executables(build, arguments, slowness=1, tag=None):
    """All at once, as many as there are cores, except those that meson.build marks is_parallel: false."""
    tests = meson_tests(build)
    catch_filter = [f"{tag or ''}*{arguments.k}*" if arguments.k else tag] if arguments.k or tag else []
    if tag:
        tests = [test for test in tests if is_catch(test) and os.path.exists(test["cmd"][0])]
    together = [test for test in tests if test["is_parallel"]]
    alone = [test for test in tests if not test["is_parallel"]]

    def run(test):
        return run_executable(test, arguments, slowness, catch_filter)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(run, together)
    yield from map(run, alone)


# --- pytest ---------------------------------------------------------------------------------------------------


def python_tests(top):
    return [os.path.relpath(os.path.join(folder, name), TOP) for folder, _, names in os.walk(os.path.join(TOP, top))
            for name in names if name.startswith("test_") and name.endswith(".py")]


def python_folders():
    return sorted({"/".join(path.split("/")[:2]) for path in python_tests("tests")})


LANES = 3  # labs at a time: most of what they do is wait
ALONE = "alone"  # pytest's mark of a lab that measures, and has the machine to itself
# Labs that may be tried twice in a run: peers keep times of their own, which a machine that pauses can miss. More
# failures than that are no pause, and neither is a program's end: what it did once in a while it does still.
MOST_AGAIN = 5
NO_PAUSE = ("Sanitizer", "runtime error:", "exited with -", "ended in the midst of it")


def id_of(case):
    """What pytest runs this case of its XML report by."""
    return "/".join(case.get("classname", "").split(".")) + f".py::{case.get('name')}"


def run_pytest(target, arguments, build, extra=(), progress=True):
    """`target`: a folder, a file or a case. `progress`: pytest's own output goes straight through. Otherwise it is told
    when something failed."""
    outcome = Outcome(target)
    with tempfile.TemporaryDirectory(prefix="causeway-test-") as folder:
        report = os.path.join(folder, "report.xml")
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--durations=5",
                   f"--junitxml={report}", *extra, target]
        if arguments.k:
            command += ["-k", arguments.k]
        started = time.monotonic()
        done = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, check=False,
                              stdout=None if progress else subprocess.PIPE,
                              stderr=None if progress else subprocess.STDOUT,
                              env={**os.environ, **SANITIZED, "CAUSEWAY_BUILD": build})
        outcome.seconds = time.monotonic() - started
        try:
            cases = list(ElementTree.parse(report).getroot().iter("testcase"))
        except (ElementTree.ParseError, FileNotFoundError):
            cases = []
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            text = "".join(case.itertext())
            if not any(words in text for words in NO_PAUSE):
                outcome.failures.append(id_of(case))
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    if done.returncode not in (0, 5) and not outcome.failed:  # 5: -k or -m matched nothing
        outcome.failed = 1
    if outcome.failed and not progress:
        outcome.details = done.stdout.decode(errors="replace")
    return outcome


def run_labs(folder, arguments, build):
    """A line each, as they end: file by file, some side by side; then those that measure, one by one. What failed comes
    last: it is tried once more, with the machine to itself, and told apart if it passes then."""
    files = python_tests(folder)
    files.sort(key=lambda path: -os.path.getsize(os.path.join(TOP, path)))  # the longest first, roughly
    failed = []
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        runs = [pool.submit(run_pytest, path, arguments, build, ["-m", f"not {ALONE}"], False) for path in files]
        for done in concurrent.futures.as_completed(runs):
            outcome = done.result()
            if outcome.failed:
                failed.append(outcome)
            elif outcome.passed + outcome.skipped:
                yield outcome
    alone = run_pytest(folder, arguments, build, ["-m", ALONE])
    alone.name += f" ({ALONE})"
    if alone.failed:
        failed.append(alone)
    else:
        yield alone
    again = sum(outcome.failed for outcome in failed) <= MOST_AGAIN
    for outcome in failed:
        if again:
            try_again(outcome, arguments, build)
        yield outcome


def try_again(outcome, arguments, build):
    for case in outcome.failures:
        second = run_pytest(case, arguments, build)
        outcome.seconds += second.seconds
        if second.passed and not second.failed:
            outcome.failed, outcome.passed, outcome.second = outcome.failed - 1, outcome.passed + 1, outcome.second + 1


# --- the whole ------------------------------------------------------------------------------------------------


def chosen_suites(arguments):
    """Yields the title of each part, then its outcomes."""
    if arguments.asan:
        yield "under the address and undefined behaviour sanitizers", run_executables(arguments.asan, arguments, 10)
        if os.path.exists(os.path.join(TOP, ASAN_LAB)):
            yield "a lab under the address sanitizer", [run_pytest(ASAN_LAB, arguments, arguments.asan, ["-x"])]
        yield "tests across threads under the thread sanitizer", run_executables(arguments.tsan, arguments, 10,
                                                                                  "[threads]")
        return
    build = os.environ.get("CAUSEWAY_BUILD", os.path.join(TOP, "build"))
    if not arguments.lab:
        yield "unit and pipeline", run_executables(build, arguments)
    for folder in python_folders():
        lab = folder == "tests/lab"
        if not (arguments.quick if lab else arguments.lab):
            yield folder, run_labs(folder, arguments, build) if lab else [run_pytest(folder, arguments, build)]


def main():
    parser = argparse.ArgumentParser(prog="./run test")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--quick", action="store_true", help="without the network labs")
    only.add_argument("--lab", action="store_true", help="only the network labs")
    only.add_argument("--san", action="store_true", help="under the sanitizers")
    parser.add_argument("-k", metavar="WORD", help="only tests whose name has this word")
    parser.add_argument("--asan", help=argparse.SUPPRESS)  # build folders, from ./run
    parser.add_argument("--tsan", help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    everything = []
    for title, outcomes in chosen_suites(arguments):
        print(f"==> {title}", flush=True)
        for outcome in outcomes:
            print(outcome.line(), flush=True)
            everything.append(outcome)
    failed = [outcome for outcome in everything if outcome.failed]
    for outcome in everything:
        if outcome.details:
            print(f"\n--- {outcome.name}\n{outcome.details}")
    print("\n==> all suites")
    for outcome in everything:
        print(outcome.line())
    print(summary(*(sum(getattr(outcome, what) for outcome in everything) for what in ("passed", "failed", "skipped"))))
    return 1 if failed or not any(outcome.passed for outcome in everything) else 0


if __name__ == "__main__":
    sys.exit(main())
