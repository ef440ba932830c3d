"""What a demo says as it runs: headings, steps, what came of them."""

import os
import sys

from tests.support.process import LabError

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "cyan": "36"}


def paint(text, *colours):
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{';'.join(COLOURS[colour] for colour in colours)}m{text}\033[0m"


def heading(text):
    print(f"\n{paint(text, 'bold', 'cyan')}", flush=True)


def indented(text, colour="dim"):
    for line in text.rstrip().splitlines():
        print("    " + paint(line, colour))


class Step:
    """One line of progress: what happens now, then what came of it."""

    def __init__(self, what):
        print(f"  {what:<44}", end=" ", flush=True)

    def done(self, result):
        print(f"{paint('ok', 'green')}  {result}", flush=True)


def run(main_of):
    """Runs a demo's main(); what goes wrong in the lab is the last thing said."""
    try:
        main_of()
    except LabError as error:
        print(paint("failed", "red"), flush=True)
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
