"""./run install and ./run deb, which take what is in build/ and change the prefix it is set up with: no test that runs
beside these may need its units or examples."""

import contextlib
import json
import os

import pytest

from tests.support.causeway import TOP
from tests.support.process import run

BUILD = os.path.join(TOP, "build")


def run_script(*arguments):
    """What it said. Not from the top: a relative PREFIX is the caller's."""
    return run([os.path.join(TOP, "run"), *arguments], timeout=600, cwd="/").stdout


@contextlib.contextmanager
def prefix_kept():
    """The build folder is somebody's, and so is its prefix."""
    if os.path.realpath(os.environ.get("CAUSEWAY_BUILD", BUILD)) != BUILD:
        pytest.skip("./run takes what is in build/")
    options = json.loads(run(["meson", "introspect", "--buildoptions", BUILD]).stdout)
    prefix = next(option["value"] for option in options if option["name"] == "prefix")
    try:
        yield
    finally:
        run(["meson", "setup", "--reconfigure", BUILD, f"--prefix={prefix}"], timeout=120, cwd=TOP)
