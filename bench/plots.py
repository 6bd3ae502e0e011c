"""Draws what results.json holds: plots/*.png and *.svg, the same each time from the same numbers."""

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Page

from table import Answer, Curve, Figure, Row, load, plain

HERE = Path(__file__).resolve().parent
OURS, LIMIT, GRID = "#2463b4", "#c4571a", "#d9d9d9"
SIZE_INCHES = (7.2, 4.2)
PART = "a part of the limit"
mpl.rcParams.update({"svg.hashsalt": "rota", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})


def main() -> None:
    """Those of `make bench`; `--peers`: that of `make bench-peers`."""
    if sys.argv[1:] == ["--peers"]:
        draw_peers()
        return
    answer = load(HERE / "results.json")
    for curve in answer.curves:
        page, axes = _page(curve.title)
        _lines(axes, curve)
        _save(page, curve.file)
    _bars(answer)


def draw_peers() -> None:
    """Each system's part of the spawn limit, the fastest on top."""
    rows = [row for row in load(HERE / "peers.json").rows if row.failure is None]
    rows.sort(key=lambda row: row.figures[1].median)
    page, axes = _page("Jobs a second as a part of the spawn limit, real processes")
    for place, row in enumerate(rows):
        values, middle = row.figures[1].values, row.figures[1].median
        reach = [[middle - min(values)], [max(values) - middle]]
        colour = OURS if row.question.startswith("Rota") else "#9a9a9a"
        axes.barh(place, middle, 0.6, color=colour, xerr=reach, capsize=3, ecolor="#555555")
        axes.annotate(plain(middle), (max(values), place), (5, 0), textcoords="offset points", va="center")
    axes.axvline(1, color="#333333", linewidth=1, label="the limit")
    axes.set_yticks(range(len(rows)), [row.question for row in rows])
    axes.grid(axis="y", visible=False)
    axes.legend(frameon=False, loc="lower right")
    _save(page, "peers")


def _lines(axes: Axes, curve: Curve) -> None:
    """Medians as a line, least to greatest as its shade."""
    for (name, points), colour in zip(curve.lines.items(), (OURS, LIMIT, "#3a8a4d", "#7a4fa3"), strict=False):
        xs = [point.x for point in points]
        middles = [sorted(point.values)[len(point.values) // 2] for point in points]
        axes.plot(xs, middles, marker="o", color=colour, label=name)
        axes.fill_between(
            xs, [min(p.values) for p in points], [max(p.values) for p in points], color=colour, alpha=0.15
        )
        axes.set_xscale("log", base=2 if max(xs) < 1000 else 10)
        axes.set_xticks(xs, [f"{x:,.0f}" for x in xs], rotation=30 if max(xs) >= 1000 else 0)
        axes.minorticks_off()
    axes.set_xlabel(curve.x)
    axes.set_ylabel(curve.y)
    if curve.is_log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _bars(answer: Answer) -> None:
    """Throughput next to the spawn limit; latency next to a bare process: medians with their bars."""
    for file, title, words, unit in (
        ("throughput", "Throughput as a part of the spawn limit", "x /bin/", PART),
        ("latency", "Submission to visible result, as a multiple of a bare subprocess.run", "one at a time", "÷ bare"),
    ):
        rows = [row for row in answer.rows if words in row.question and row.failure is None]
        if rows:
            _judged(file, title, rows, unit)


def _judged(file: str, title: str, rows: list[Row], unit: str) -> None:
    page, axes = _page(title)
    figures = [(_label(row, figure, unit), figure) for row in rows for figure in row.figures]
    for place, (_, figure) in enumerate(figures):
        middle = figure.median
        reach = [[middle - min(figure.values)], [max(figure.values) - middle]]
        axes.bar(place, middle, 0.6, color=OURS, yerr=reach, capsize=4, ecolor="#555555")
        axes.annotate(plain(middle), (place, max(figure.values)), (0, 4), textcoords="offset points", ha="center")
        if figure.bar is not None:
            axes.hlines(figure.bar.value, place - 0.4, place + 0.4, color=LIMIT, linestyles="dashed")
    if unit == PART:
        axes.axhline(1, color="#333333", linewidth=1, label="the limit, in the same minute")
    axes.plot([], [], color=LIMIT, linestyle="dashed", label="the bar")
    axes.set_xticks(range(len(figures)), [name for name, _ in figures])
    axes.set_ylabel(unit)
    axes.legend(frameon=False)
    _save(page, file)


def _label(row: Row, figure: Figure, unit: str) -> str:
    """What stands under a bar."""
    if unit != PART:
        return figure.name
    what, slots, _ = row.question.rsplit(", ", 2)
    return f"{'echo' if 'echo' in what else 'true'}, {slots}\n{figure.name}"


def _page(title: str) -> tuple[Page, Axes]:
    page = Page(figsize=SIZE_INCHES, layout="constrained")
    axes = page.subplots()
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    return page, axes


def _save(page: Page, file: str) -> None:
    (HERE / "plots").mkdir(exist_ok=True)
    for form, facts in (("svg", {"Date": None}), ("png", {"Software": None})):
        page.savefig(HERE / "plots" / f"{file}.{form}", dpi=110, metadata=facts)


if __name__ == "__main__":
    main()
