"""Lab tests: a network of namespaces per test, a deadline each, and on failure the logs of all that ran."""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.support.lab import Lab  # noqa: E402
from tests.support.process import LabError  # noqa: E402

DEADLINE_S = 90


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: it measures, and nothing else may run beside it (tests/suites.py)")
    config.addinivalue_line("markers", f"deadline(seconds): how long the test may take, {DEADLINE_S} s unless said")


@pytest.fixture(autouse=True)
def deadline(request):
    marker = request.node.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else DEADLINE_S

    def expired(_signum, _frame):
        raise LabError(f"the test is not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def lab():
    with Lab() as network:
        yield network


def _labs_of(item):
    for value in getattr(item, "funcargs", {}).values():
        network = getattr(value, "lab", value)
        if isinstance(network, Lab):
            yield network


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.when == "call":
        for network in _labs_of(item):
            for title, lines in network.logs():
                report.sections.append((f"last lines of {title}", "\n".join(lines)))
