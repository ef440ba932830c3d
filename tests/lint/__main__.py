"""./run lint [CHECK...]: a line for each check, what it found below it, and at the end: 9 passed, 0 failed."""

import os
import sys
import time

from tests.lint import programs, rules

CHECKS = {
    "dependencies": rules.broken_dependencies,
    "folders": rules.full_folders,
    "names": rules.nameless_files,
    "lengths": rules.long_files,
    "guards": rules.headers_without_guard,
    "format": programs.format_of,
    "shell": programs.shell_scripts,
    "python": programs.python_files,
    "headers": programs.headers_alone,
    "tidy": programs.tidy,
}


def tracked_files():
    listing = programs.run(["git", "-c", f"safe.directory={programs.TOP}", "ls-files", "-co", "--exclude-standard"])
    if listing.returncode != 0:
        sys.exit(f"git ls-files: {listing.stdout.strip()}")
    return [path for path in listing.stdout.splitlines() if os.path.isfile(path)]


def main():
    os.chdir(programs.TOP)
    wanted = sys.argv[1:] or list(CHECKS)
    if unknown := set(wanted) - set(CHECKS):
        sys.exit(f"no check called {', '.join(sorted(unknown))}: there are {', '.join(CHECKS)}")
    files = tracked_files()
    verdicts = []
    for name in wanted:
        started = time.monotonic()
        findings = CHECKS[name](files)
        findings = findings if findings is None else list(findings)
        verdict = "skipped" if findings is None else "failed" if findings else "passed"
        verdicts.append(verdict)
        print(f"    {name:<14} {verdict:<8} {time.monotonic() - started:6.1f} s", flush=True)
        for line in findings or []:
            print(f"        {line}")
    skipped = verdicts.count("skipped")
    print(f"{verdicts.count('passed')} passed, {verdicts.count('failed')} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return 1 if "failed" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
