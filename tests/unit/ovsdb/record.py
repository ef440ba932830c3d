#!/usr/bin/python3
"""Records what a real ovsdb-server has after the ovs-vsctl commands of each case: record.py translate.txt writes the rows'
lines of the file anew. Columns with default values are left out, and rows have names in place of UUIDs."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TABLES = ("Bridge", "Port", "Interface", "Mirror")


def value_of(value, kind):
    """As control/ovsdb/rows.h has it: a set is an array, a map an object, a reference its text."""
    if isinstance(kind, dict) and "value" in kind:
        return dict(value[1])
    tag = value[0] if isinstance(value, list) else ""
    atoms = value[1] if tag == "set" else [value]
    atoms = [atom[1] if isinstance(atom, list) else atom for atom in atoms]
    several = isinstance(kind, dict) and (kind.get("min", 1), kind.get("max", 1)) != (1, 1)
    return atoms if several else atoms[0]


def rows_of(socket):
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)["tables"]
    request = ["Open_vSwitch"] + [{"op": "select", "table": table, "where": []} for table in TABLES]
    reply = subprocess.run(["ovsdb-client", "transact", socket, json.dumps(request)], check=True, capture_output=True)
    names = {}
    tables = {}
    for table, result in zip(TABLES, json.loads(reply.stdout)):
        for row in result["rows"]:
            names[row["_uuid"][1]] = f"{table}:{row['name']}"
            columns = {
                column: value_of(value, schema[table]["columns"][column]["type"])
                for column, value in row.items()
                if not column.startswith("_")
            }
            columns = {column: value for column, value in sorted(columns.items()) if value not in ("", 0, False, [], {})}
            tables.setdefault(table, {})[row["_uuid"][1]] = columns
    text = json.dumps(tables, sort_keys=True)
    for uuid, name in names.items():
        text = text.replace(uuid, name)
    return json.dumps(json.loads(text), sort_keys=True)


def record(commands):
    with tempfile.TemporaryDirectory(prefix="causeway-ovsdb-") as folder:
        database, pid = os.path.join(folder, "db"), os.path.join(folder, "pid")
        socket = f"unix:{folder}/db.sock"
        environment = {**os.environ, "OVS_RUNDIR": folder, "OVS_LOGDIR": folder}
        subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
        server = ["ovsdb-server", f"--remote=p{socket}", database, f"--pidfile={pid}", "--detach"]
        subprocess.run(server, check=True, env=environment)
        try:
            for command in ["init", *commands]:
                arguments = ["ovs-vsctl", "--no-wait", f"--db={socket}", *shlex.split(command)]
                subprocess.run(arguments, check=True, env=environment)
            return rows_of(socket)
        finally:
            with open(pid, encoding="ascii") as file:
                os.kill(int(file.read()), signal.SIGTERM)


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        cases = re.split(r"\n(?=# )", file.read())
    for number, case in enumerate(cases):
        lines = case.split("\n")
        commands = [line[2:] for line in lines if line.startswith("$ ")]
        if not commands:
            continue
        kept = [line for line in lines if not line.startswith("{")]
        last = max(place for place, line in enumerate(kept) if line.startswith("$ "))
        kept.insert(last + 1, record(commands))
        cases[number] = "\n".join(kept)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(cases))


if __name__ == "__main__":
    main()
