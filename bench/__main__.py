"""./run bench: one word names the measurement, its options follow (each takes --help)."""

import sys

from bench import lab, micro, pipeline, profile, scale, workers

MEASUREMENTS = {"pipeline": pipeline.main, "lab": lab.main, "profile": profile.main, "scale": scale.main,
                "micro": micro.main, "workers": workers.main}


def main():
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "pipeline"
    if name not in MEASUREMENTS:
        sys.exit(f"bench: no measurement called '{name}'; there are: {', '.join(MEASUREMENTS)}")
    sys.argv = [f"./run bench {name}", *arguments]
    return MEASUREMENTS[name]()


if __name__ == "__main__":
    sys.exit(main())
