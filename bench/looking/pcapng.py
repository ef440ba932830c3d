"""What a capture's file says at its end of what was kept and what was lost (draft-ietf-opsawg-pcapng section 4.6)."""

STATISTICS_BLOCK = 5
# Options of an Interface Statistics Block: isb_ifrecv, isb_ifdrop, isb_filteraccept, isb_usrdeliv.
NUMBERS = {4: "received", 5: "lost", 6: "accepted", 8: "kept"}


def number(data):
    return int.from_bytes(data, "little")


def options(data):
    """Code -> value."""
    found, at = {}, 0
    while at + 4 <= len(data) and (code := number(data[at:at + 2])) != 0:
        length = number(data[at + 2:at + 4])
        found[code] = data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found


def statistics(end):
    """Of all interfaces together, from the last bytes of a file: each block repeats its length at its end."""
    totals = dict.fromkeys(NUMBERS.values(), 0)
    while len(end) >= 24:
        length = number(end[-4:])
        block = end[-length:]
        if not 24 <= length <= len(end) or number(block[:4]) != STATISTICS_BLOCK:
            break
        for code, value in options(block[20:-4]).items():
            if code in NUMBERS:
                totals[NUMBERS[code]] += number(value)
        end = end[:-length]
    return totals
