"""The JSON Schema and the loader agree: every example passes, and of the files in errors.txt the schema
refuses those marked `schema` and accepts those marked `loader`, whose errors no schema can express. And the manual page
has every key of the schema."""

import json
import pathlib
import re
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Yaml12(yaml.SafeLoader):
    """The YAML 1.2 core schema's null, booleans and integers; PyYAML's own are those of 1.1."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in [
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|false)$", ["t", "f"]),
    ("int", r"^(-?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$", list("-0123456789")),
]:
    Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)


def cases():
    text = (ROOT / "tests/unit/config/errors.txt").read_text()
    for case in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        title, rest = case.split("\n", 1)
        kind, what = title.split(": ", 1)
        yield kind, what, re.split(r"^~~~$", rest, flags=re.MULTILINE)[0]


def keys_of(node):
    """Every key that the schema knows, wherever it stands."""
    if isinstance(node, dict):
        properties = node.get("properties", {})
        yield from (key for key, value in properties.items() if isinstance(value, dict))
        for value in node.values():
            yield from keys_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of(value)


def missing_from_manual(schema, page):
    page = page.replace("\\-", "-")
    words = set(re.findall(r"[a-z][a-z0-9-]*", re.sub(r"\\f[BR]", " ", page)))
    return sorted(set(keys_of(schema)) - words)


def main(schema_path, manual_path):
    schema = json.loads(pathlib.Path(schema_path).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = []

    examples = sorted(set((ROOT / "conf").glob("*.yaml")) - {ROOT / "conf/alerts.yaml"})  # that one is for Prometheus
    assert len(examples) >= 6
    for example in examples:
        for error in validator.iter_errors(yaml.load(example.read_text(), Yaml12)):
            failures.append(f"{example.name}: {error.json_path}: {error.message}")

    counts = {"schema": 0, "loader": 0, "syntax": 0}
    for kind, what, text in cases():
        counts[kind] += 1
        if kind == "syntax":
            continue
        try:
            document = yaml.load(text, Yaml12)
        except yaml.constructor.ConstructorError:  # a list as a key, which Python's dict cannot have
            continue
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
        if kind == "schema" and not errors:
            failures.append(f"accepted, should be refused: {what}")
        if kind == "loader" and errors:
            failures.append(f"refused, should be accepted: {what}: {errors}")
    assert min(counts.values()) > 5, counts

    failures += [f"causeway.yaml(5) has no word of {key}" for key in missing_from_manual(schema, pathlib.Path(manual_path).read_text())]

    print(f"{len(examples)} examples, {counts}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
