"""What the benches make of what they measured."""

import struct

import pytest

from bench import report
from bench.features import main as features
from bench.features.rows import ROWS
from bench.large import main as large
from bench.looking import keeping, main as looking, pcapng
from bench.workers import main as workers

# --- the end of a capture's file, as draft-ietf-opsawg-pcapng draws it ------------------------------------------------


def block(kind, body):
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def statistics_block(interface, received, dropped, accepted, kept):
    numbers = {4: received, 5: dropped, 6: accepted, 8: kept}
    comment = struct.pack("<HH", 1, 5) + b"tunny\0\0\0"
    options = comment + b"".join(struct.pack("<HHQ", code, 8, value) for code, value in numbers.items())
    return block(5, struct.pack("<III", interface, 0, 0) + options + struct.pack("<HH", 0, 0))


def test_statistics_of_all_interfaces_are_added():
    packet = block(6, struct.pack("<IIIII", 0, 0, 0, 4, 4) + b"abcd")
    end = packet + statistics_block(0, 10, 1, 4, 3) + statistics_block(1, 1 << 40, 2, 5, 3)
    assert pcapng.statistics(end) == {"received": 10 + (1 << 40), "lost": 3, "accepted": 9, "kept": 6}
    # The end may begin in the middle of a block.
    assert pcapng.statistics(end[7:]) == pcapng.statistics(end)
    assert pcapng.statistics(end + packet)["received"] == 0
    assert pcapng.statistics(b"") == dict.fromkeys(("received", "lost", "accepted", "kept"), 0)


@pytest.mark.parametrize("change, wrong", [
    ({}, False), ({"lost": 31}, True), ({"received": 201}, True), ({"accepted": 199}, True)])
def test_the_books_of_a_capture(change, wrong):
    counts = {"came": 100, "went": 100, "dropped": 0, "unaccounted": 0}
    seen = {"received": 200, "accepted": 200, "kept": 170, "lost": 30}
    assert bool(keeping.verdict(counts, {**seen, **change})) == wrong
    assert keeping.verdict({**counts, "dropped": 1}, seen) and keeping.verdict({**counts, "unaccounted": -1}, {})


# --- ratios and bars ----------------------------------------------------------------------------------------------------


def test_a_look_is_held_against_what_nobody_looked_at():
    runs = {slot.name: {"cycles": 100.0} for slot in looking.SLOTS}
    runs["capture"]["cycles"], runs["plain-again"]["cycles"] = 121.0, 140.0
    by_slot = {(row.slot, row.over): row for row in looking.ROWS}
    assert looking.ratio(runs, by_slot["capture", ""]) == pytest.approx(1.1)
    assert looking.ratio(runs, by_slot["capture-off", "plain"]) == 1
    runs["flooded"]["wrong"] = "a frame was lost"
    assert looking.ratio(runs, by_slot["mirror", "flooded"]) is None
    del runs["plain"]
    assert looking.ratio(runs, by_slot["capture", ""]) is None


def feature(name):
    return next(row for row in ROWS if row.name == name)


@pytest.mark.parametrize("name, bar", [
    ("decap-geneve-checksum-1400", 1.32), ("decap-vxlan-ipv6-1400", 1.32), ("decap-gretap-checksum-1400", 1.32),
    ("decap-geneve-verified-1400", None), ("encap-geneve-checksum-1400", None), ("decap-geneve-checksum", 1.35)])
def test_the_bar_of_a_sum(name, bar):
    assert features.bar_of(feature(name), 200.0, 40.0) == bar


def test_a_sum_that_nobody_measured_sets_no_bar():
    assert features.bar_of(feature("decap-geneve-checksum-1400"), 200.0, None) is None


def test_what_two_workers_gain():
    one, two, wrong = {"cycles": 300.0}, {"cycles": 400.0}, {"wrong": "drops"}
    row = next(row for row in workers.ROWS if isinstance(row, workers.SpreadRow))
    (entry,) = workers.collect([row], {row.name: {"causeway": [[one, two], [one, one], [one, wrong]]}})
    assert entry["causeway"]["gain"] == {"median": 1.75, "min": 1.5, "max": 2, "rounds": 2}
    assert "met" in workers.table([entry]) and "FAILED" in workers.table([entry])


def test_with_checksums_over_without():
    rate = {"bits_per_second": 10e9, "cpu_s_per_gb": 1}
    pairs = [[rate, {**rate, "bits_per_second": 9e9}], [rate, {"wrong": "no tunnel"}], [rate, rate]]
    row = large.connection_row(large.CONNECTIONS[0], pairs)
    assert row["ratio"] == {"median": 0.95, "min": 0.9, "max": 1, "rounds": 2}
    assert large.failures([row]) == ["tcp-geneve: no tunnel"]
    nothing = large.connection_row(large.CONNECTIONS[0], [])
    assert nothing["ratio"] is None and "-" in large.table([nothing])


def test_a_table_of_what_was_cut_short(monkeypatch):
    monkeypatch.setattr(report, "circumstances", lambda _: {})
    collected = looking.collect([{"plain": {"cycles": 50.0, "share": 1}}], [{"wrong": "frames still come"}], None)
    assert "FAILED: capture of every frame: frames still come" in looking.table(collected)
