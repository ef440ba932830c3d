"""A capture of every frame at every port, while these come at a rate that the gateway manages: what it keeps and what it says it
lost, beside the frames that passed, and what the gateway itself loses, with a capture and without."""

import time

from bench.looking.jobs import generator, plain
from bench.looking.looks import capture, nothing
from bench.switch_causeway import unaccounted
from tests.support.process import LabError

RATE_SHARE = 0.5    # of what the worker can without a capture
STILL_S = 0.2
PATIENCE_S = 60


def still_job():
    return plain("still", source={"flows": 0})


def moving_job(rate, seconds):
    return plain("moving", source=generator(rate=rate, limit=int(rate * seconds)))


def all_passed(gateway):
    """The counters, once nothing has come for a while."""
    deadline = time.monotonic() + PATIENCE_S
    came = 0
    while True:
        time.sleep(STILL_S)
        packets, _, extra = gateway.read()
        if packets and packets == came:
            return extra
        if time.monotonic() > deadline:
            raise LabError(f"frames still come after {PATIENCE_S} s, or none did: {packets}")
        came = packets


def passing(bench, rate, look):
    """One gateway, all of the generator's frames through it. Returns (what the counters say, what the look has seen)."""
    with bench.gateway(still_job()) as gateway:
        waited = gateway.waited_ms()
        with look(gateway) as seen:
            gateway.apply(moving_job(rate, bench.seconds))
            extra = all_passed(gateway)
        source, out = extra["ports"]["src"], extra["ports"]["out"]
        dropped = sum(extra["drops"].values())
        return {"came": source["rx_packets"], "went": out["tx_packets"], "missed": source["rx_drops"], "dropped": dropped,
                "unaccounted": unaccounted(extra["sent"], extra),
                "waited_ms": round(gateway.waited_ms() - waited, 2)}, seen


def verdict(counts, seen):
    """What is wrong with the books; nothing: ''."""
    passed = counts["came"] + counts["went"]
    if counts["unaccounted"] or counts["dropped"]:
        return f"of {counts['came']} frames {counts['unaccounted']} vanished, {counts['dropped']} were dropped"
    if seen and not seen["received"] == seen["accepted"] == seen["kept"] + seen["lost"] == passed:
        return f"{passed} frames passed both ports, the capture saw {seen['received']}, kept {seen['kept']}, lost {seen['lost']}"
    return ""


def keep_everything(bench, most_mpps):
    rate = int(most_mpps * 1e6 * RATE_SHARE)
    alone, _ = passing(bench, rate, nothing)
    counts, seen = passing(bench, rate, capture)
    wrong = verdict(alone, {}) or verdict(counts, seen)
    return {"rate": rate, "alone": alone, "captured": counts, "capture": seen, **({"wrong": wrong} if wrong else {})}
