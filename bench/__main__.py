"""./run bench: one word names the measurement, its options follow (each takes --help). Without a word: all that write
RESULTS.md, one after the other; with --quick alone, the quick part of pipeline."""

import sys

from bench import compare, lab, micro, ovs_ports, pipeline, profile, scale
from bench.fabric import main as fabric
from bench.features import main as features
from bench.large import main as large
from bench.looking import main as looking
from bench.workers import main as workers

MEASUREMENTS = {"pipeline": pipeline.main, "lab": lab.main, "profile": profile.main, "scale": scale.main,
                "micro": micro.main, "workers": workers.main, "compare": compare.main, "ovs-ports": ovs_ports.main,
                "features": features.main, "inspect": looking.main, "large": large.main, "fabric": fabric.main}


def main():
    arguments = sys.argv[1:]
    if not arguments:
        return max(call(name, []) for name in ("pipeline", "features", "scale", "workers", "inspect", "large", "lab"))
    return call("pipeline" if arguments[0].startswith("-") else arguments.pop(0), arguments)


def call(name, arguments):
    if name not in MEASUREMENTS:
        sys.exit(f"bench: no measurement called '{name}'; there are: {', '.join(MEASUREMENTS)}")
    sys.argv = [f"./run bench {name}", *arguments]
    return MEASUREMENTS[name]() or 0


if __name__ == "__main__":
    sys.exit(main())
