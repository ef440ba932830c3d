"""The panels of a Grafana dashboard, in its grid and in its dark colours, by matplotlib."""

import datetime
import itertools
import math
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import dates  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402
from PIL import Image  # noqa: E402

COLUMNS = 24
CELL_PX = (62, 36)  # of the grid
GAP_PX = 8
DPI = 100
CANVAS, PANEL, EDGE, TEXT, DIM, GRID = "#111217", "#181b1f", "#2c3035", "#d8d9da", "#8e8e96", "#25282d"
# Grafana's palette-classic and its named colours.
PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a", "#65c5db",
           "#e0752d", "#e24d42", "#5195ce", "#d683ce", "#9ac48a"]
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2"}
SUFFIX = {"bps": "b/s", "pps": "p/s", "ops": "ops/s"}


def text_of(value, unit, digits=3):
    """As Grafana writes a number of this unit."""
    if value is None or math.isnan(value):
        return "No data"
    if unit == "percentunit":
        return f"{100 * value:.{digits}g}%"
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if abs(value) * factor >= 1 or factor == 1e6:
                return f"{value * factor:.{digits}g} {name}"
    magnitude = next(((size, prefix) for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= size), (1, ""))
    number = value / magnitude[0]
    text = f"{number:.0f}" if abs(number) >= 100 else f"{number:.{digits}g}"
    gap = " " if unit in SUFFIX or magnitude[1] else ""
    return f"{text}{gap}{magnitude[1] if unit in SUFFIX else magnitude[1].replace('k', 'K')}{SUFFIX.get(unit, '')}".strip()


def legend_of(target, labels):
    form = target.get("legendFormat") or ""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), form)


def is_negative(panel, name):
    """Whether an override draws it below the axis."""
    for override in panel["fieldConfig"]["overrides"]:
        wanted = override["matcher"]["options"].strip("/")
        if override["matcher"]["id"] == "byRegexp" and re.search(wanted, name):
            if any(entry["id"] == "custom.transform" and entry["value"] == "negative-Y" for entry in override["properties"]):
                return True
    return False


class Canvas:
    """The whole picture; places are of the dashboard's grid."""

    def __init__(self, rows):
        self.width, self.height = COLUMNS * CELL_PX[0] + 2 * GAP_PX, rows * CELL_PX[1] + 2 * GAP_PX
        self.figure = plt.figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI, facecolor=CANVAS)

    def box(self, place):
        """(left, bottom, width, height) in pixels."""
        left, top = GAP_PX + place["x"] * CELL_PX[0] + GAP_PX / 2, GAP_PX + place["y"] * CELL_PX[1] + GAP_PX / 2
        width, height = place["w"] * CELL_PX[0] - GAP_PX, place["h"] * CELL_PX[1] - GAP_PX
        return left, self.height - top - height, width, height

    def share(self, left, bottom, width, height):
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    def text(self, left, bottom, words, **how):
        how = {"color": TEXT, "fontsize": 9, "va": "center", **how}
        return self.figure.text(left / self.width, bottom / self.height, words, **how)

    def frame(self, panel):
        left, bottom, width, height = self.box(panel["gridPos"])
        self.figure.add_artist(FancyBboxPatch(
            (left / self.width, bottom / self.height), width / self.width, height / self.height, transform=self.figure.transFigure,
            boxstyle="square,pad=0", facecolor=PANEL, edgecolor=EDGE, linewidth=0.8, zorder=-1))
        self.text(left + 10, bottom + height - 15, panel["title"], fontsize=9.5, weight="medium")

    def axes(self, left, bottom, width, height):
        return self.figure.add_axes(self.share(left, bottom, width, height), facecolor="none")


def draw_row(canvas, panel, *_):
    left, bottom, _, height = canvas.box(panel["gridPos"])
    canvas.text(left + 2, bottom + height / 2, f"⌄  {panel['title']}", fontsize=11, weight="bold")


def colour_at(panel, value):
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED[reached[-1]]


def draw_stat(canvas, panel, *_):
    canvas.frame(panel)
    left, bottom, width, height = canvas.box(panel["gridPos"])
    rows = [(legend_of(target, labels), values) for target in panel["targets"] for labels, values in target["rows"]]
    if not rows:
        return
    value = rows[0][1][-1][1]
    colour = colour_at(panel, value)
    if panel["options"]["textMode"] == "name":
        names = sorted({name for name, _ in rows})
        for place, name in enumerate(names):
            canvas.text(left + width / 2, bottom + height / 2 - 8 - 22 * place, name, color=colour, fontsize=1.05 * width / len(name),
                        ha="center", weight="bold")
        return
    if panel["options"]["graphMode"] == "area":
        axes = canvas.axes(left + 1, bottom + 1, width - 2, height * 0.34)
        axes.axis("off")
        axes.set_xmargin(0)
        numbers = [number for _, number in rows[0][1]]
        axes.fill_between(range(len(numbers)), numbers, color=colour, alpha=0.25, linewidth=0)
        axes.plot(numbers, color=colour, linewidth=1)
        axes.set_ylim(0, max(max(numbers) * 1.15, 1e-9))
    text = text_of(value, panel["fieldConfig"]["defaults"]["unit"])
    canvas.text(left + width / 2, bottom + height / 2 - 2, text, color=colour, fontsize=21, ha="center", weight="bold")


def series_of(panel, times):
    """[(name, numbers at `times`)]; where there is none, not a number."""
    found = []
    for target in panel["targets"]:
        for labels, values in target["rows"]:
            name = legend_of(target, labels)
            known = {round(time): -value if is_negative(panel, name) else value for time, value in values}
            found.append((name, [known.get(time, math.nan) for time in times]))
    return found


def add_legend(canvas, panel, names, colours, lines=2):
    """One name behind the other below the axes, as many as there is room for; returns the height that takes."""
    left, bottom, width, _ = canvas.box(panel["gridPos"])
    renderer = canvas.figure.canvas.get_renderer()
    rows, at = [[]], 12
    for name, colour in zip(names, colours):
        artist = canvas.text(0, 0, name, fontsize=8, color=DIM)
        bytes_wide = artist.get_window_extent(renderer).width + 30
        if at + bytes_wide > width and rows[-1]:
            if len(rows) == lines:
                artist.remove()
                break
            rows.append([])
            at = 12
        rows[-1].append((artist, colour, left + at))
        at += bytes_wide
    for number, row in enumerate(reversed(rows)):
        height = bottom + 13 + 16 * number
        for artist, colour, place in row:
            artist.set_position(((place + 18) / canvas.width, height / canvas.height))
            canvas.figure.add_artist(plt.Line2D([place / canvas.width, (place + 13) / canvas.width], [height / canvas.height] * 2,
                                                transform=canvas.figure.transFigure, color=colour, linewidth=2.5))
    return 16 * len(rows) + 8


def draw_timeseries(canvas, panel, start, end):
    canvas.frame(panel)
    times = range(round(start), round(end) + 1)
    series = series_of(panel, times)
    colours = [colour for _, colour in zip(series, itertools.cycle(PALETTE))]
    below = add_legend(canvas, panel, [name for name, _ in series], colours)
    left, bottom, width, height = canvas.box(panel["gridPos"])
    axes = canvas.axes(left + 62, bottom + below + 24, width - 76, height - below - 24 - 36)
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    moments = [datetime.datetime.fromtimestamp(time) for time in times]
    if custom.get("stacking", {}).get("mode") == "normal":
        numbers = [[0 if math.isnan(number) else number for number in row] for _, row in series]
        if numbers:
            axes.stackplot(moments, numbers, colors=colours, alpha=custom["fillOpacity"] / 100, linewidth=0)
            tops = [[sum(column) for column in zip(*numbers[:place + 1])] for place in range(len(numbers))]
            for top, colour in zip(tops, colours):
                axes.plot(moments, top, color=colour, linewidth=1.1)
    else:
        for (_, row), colour in zip(series, colours):
            axes.fill_between(moments, row, color=colour, alpha=custom["fillOpacity"] / 100, linewidth=0)
            axes.plot(moments, row, color=colour, linewidth=1.1)
    low, high = axes.get_ylim()
    axes.set_ylim(defaults.get("min", min(low, custom.get("axisSoftMin", low))), defaults.get("max", max(high, 1e-9)))
    axes.set_xlim(moments[0], moments[-1])
    style(axes, defaults["unit"])
    if not series:
        canvas.text(left + width / 2, bottom + height / 2, "No data", color=DIM, fontsize=11, ha="center")


def style(axes, unit):
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=DIM, labelsize=8, length=0, pad=6)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, unit)))
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=7))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))


def table_of(panel):
    """The titles and the rows of cells, by the panel's `organize`."""
    options = next(step["options"] for step in panel["transformations"] if step["id"] == "organize")
    hidden = {name for name, is_hidden in options["excludeByName"].items() if is_hidden}
    columns = [name for name in sorted(options["indexByName"], key=options["indexByName"].get) if name not in hidden]
    titles = [options["renameByName"].get(name, name) for name in columns]
    rows = [[text_of(value, "short") if name == "Value" else labels.get(name, "") for name in columns]
            for target in panel["targets"] for labels, value in target["rows"]]
    return titles, rows


def draw_table(canvas, panel, *_):
    canvas.frame(panel)
    titles, rows = table_of(panel)
    left, bottom, width, height = canvas.box(panel["gridPos"])
    widths = [max(len(str(cell)) for cell in column) + 3 for column in zip(titles, *rows)]
    places = [0, *itertools.accumulate(widths)]
    per_letter = min((width - 24) / places[-1], 9)
    at = bottom + height - 46
    for row, line in enumerate([titles, *rows]):
        if at < bottom + 8:
            break
        for place, room, cell in zip(places, widths, line):
            most = int(room * per_letter / 5.6)
            cell = cell if len(cell) <= most else cell[:most - 1] + "…"
            canvas.text(left + 12 + place * per_letter, at, cell, fontsize=8.5, color=NAMED["blue"] if row == 0 else TEXT,
                        weight="bold" if row == 0 else "normal")
        canvas.figure.add_artist(plt.Line2D([(left + 8) / canvas.width, (left + width - 8) / canvas.width],
                                            [(at - 12) / canvas.height] * 2, transform=canvas.figure.transFigure, color=GRID, linewidth=0.8))
        at -= 24


DRAWN_BY = {"row": draw_row, "stat": draw_stat, "timeseries": draw_timeseries, "table": draw_table}


def draw(dashboard, start, end, until, output):
    """Writes `output`: the rows in front of the one called `until`; all of them where there is none. Returns an exit code."""
    ends = [panel["gridPos"]["y"] for panel in dashboard["panels"] if panel["type"] == "row" and panel["title"] == until]
    last = ends[0] if ends else max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    canvas = Canvas(last)
    for panel in dashboard["panels"]:
        if panel["gridPos"]["y"] < last:
            DRAWN_BY[panel["type"]](canvas, panel, start, end)
    canvas.figure.savefig(output, dpi=DPI, facecolor=CANVAS)
    # A palette is enough for it, at a third of the size.
    Image.open(output).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(output, optimize=True)
    print(f"{output}: {canvas.width} x {canvas.height}")
    return 0
