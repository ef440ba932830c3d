"""The ways to look at a gateway that works, from the control core. Each is a context that a measurement runs in; its dict says at
the end what was seen, and `wrong`, if that isn't what should have been."""

import contextlib
import http.client
import os
import signal
import threading

from bench import frames
from bench.json_socket import JsonSocket
from bench.looking import pcapng
from bench.looking.jobs import FLOWS, ONE_FLOW
from bench.subject import spawn
from tests.support.causeway import program
from tests.support.process import LabError

SNAP_BYTES = 128
TRACES_S = 0.1      # from one to the next
SCRAPES_S = 1
STATISTICS_BYTES = 65536
ENDS_S = 30
# A filter that keeps one flow of so many: the share it keeps is right within this.
SHARE_WITHIN = 0.1


def socket_path(gateway):
    return os.path.join(gateway.place.directory, "causeway.sock")


def shown(gateway, what):
    return gateway.control.ask({"verb": "show", "what": what})[0]["result"]


@contextlib.contextmanager
def nothing(_gateway):
    yield {}


@contextlib.contextmanager
def capture(gateway, *arguments):
    """`causewayctl capture` of all ports; who reads its file throws all away but the end."""
    place = gateway.place
    here = ["taskset", "-c", str(place.control_core)]
    pipe, seen = os.path.join(place.directory, "capture.pcapng"), {}
    os.mkfifo(pipe)
    reader = spawn(place, [*here, "tail", "-c", STATISTICS_BYTES, pipe], "capture-end")
    client = spawn(place, [*here, program("causewayctl"), "--socket", socket_path(gateway), "capture", "-s", SNAP_BYTES, "-w", pipe,
                           *arguments], "causewayctl-capture")
    try:
        client.wait_for("capturing until")
        yield seen
        client.stop(signal.SIGINT, ENDS_S)
        reader.wait(ENDS_S)
        with open(reader.log, "rb") as end:
            seen.update(pcapng.statistics(end.read()))
    finally:
        client.kill()
        reader.kill()
        os.unlink(pipe)


@contextlib.contextmanager
def capture_one_flow(gateway):
    with capture(gateway, "-f", ONE_FLOW) as seen:
        yield seen
    share = seen["accepted"] * FLOWS / max(seen["received"], 1)
    if abs(share - 1) > SHARE_WITHIN:
        seen["wrong"] = f"the filter was asked of {seen['received']} frames and kept {seen['accepted']}"
    elif seen["kept"] + seen["lost"] != seen["accepted"]:
        seen["wrong"] = f"{seen['accepted']} frames passed the filter, {seen['kept']} were kept, {seen['lost']} lost"


@contextlib.contextmanager
def mirror(gateway):
    def counts():
        return shown(gateway, "mirrors")[0]
    before, seen = counts(), {}
    yield seen
    after = counts()
    seen.update({what: after[what] - before[what] for what in ("copies", "lost")})
    if seen["lost"] or not seen["copies"]:
        seen["wrong"] = f"{seen['copies']} copies were sent, {seen['lost']} lost"


@contextlib.contextmanager
def sflow(gateway):
    def counts():
        return shown(gateway, "control")["sflow"]
    before, seen = counts(), {}
    yield seen
    after = counts()
    seen.update({what: after[what] - before[what] for what in ("samples", "datagrams", "lost", "unsent")})
    if not seen["samples"]:
        seen["wrong"] = "no frame was sampled"


@contextlib.contextmanager
def repeated(gateway, pause_s, ask):
    """`ask` every so often in a thread of its own, which returns what is wrong with the answer."""
    done, seen = threading.Event(), {"times": 0}

    def run():
        os.sched_setaffinity(0, {gateway.place.control_core})
        while "wrong" not in seen:
            try:
                wrong = ask()
            except (OSError, http.client.HTTPException, LabError) as error:
                wrong = str(error)
            if wrong:
                seen["wrong"] = wrong
            seen["times"] += 1
            if done.wait(pause_s):
                break

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def trace(gateway):
    control = JsonSocket(socket_path(gateway))
    question = {"verb": "trace", "port": "src", "text": frames.plain_frame(0, 60).hex()}

    def ask():
        answer = control.ask(question)[0]
        if not answer["ok"]:
            return str(answer["errors"])
        ways_out = [frame["port"] for frame in answer["result"]["out"]]
        return "" if ways_out == ["out"] else f"the frame would leave by {ways_out}"

    try:
        with repeated(gateway, TRACES_S, ask) as seen:
            yield seen
    finally:
        control.close()


@contextlib.contextmanager
def metrics(gateway):
    host, port = gateway.row.system["metrics"].split(":")

    def ask():
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return "" if answer.status == 200 and b'port="src"' in text else f"status {answer.status}, {len(text)} bytes"

    with repeated(gateway, SCRAPES_S, ask) as seen:
        yield seen
