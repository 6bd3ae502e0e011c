"""What a question's file hands on: rows of the table, each with figures and their bars, and curves for the plots."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

SHORT = 100
"""From here on a figure is shown without decimals; below a tenth of it with two."""


class Bar(msgspec.Struct, frozen=True):
    """What a median must keep to. `aim` is what it should reach one day."""

    sign: Literal["≥", "≤"]
    value: float
    aim: float | None = None

    def is_kept_by(self, measured: float) -> bool:
        """Whether the value is on the right side."""
        return measured >= self.value if self.sign == "≥" else measured <= self.value

    def __str__(self) -> str:
        aim = f", aim at {self.aim:g}" if self.aim is not None else ""
        return f"{self.sign} {self.value:g}{aim}"


class Figure(msgspec.Struct, frozen=True):
    """One number of a row, measured once a round."""

    values: list[float]
    bar: Bar | None = None
    name: str = ""
    unit: str = ""

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)

    @property
    def is_kept(self) -> bool | None:
        """Whether the bar is kept; None where it has none."""
        return None if self.bar is None else self.bar.is_kept_by(self.median)

    def __str__(self) -> str:
        words = [self.name, f"**{plain(self.median)}**", self.unit, spread_of(self.values)]
        return " ".join(word for word in words if word)


class Row(msgspec.Struct, frozen=True):
    """A line of the table. `failure`: it could not be measured, and why."""

    question: str
    figures: list[Figure] = []
    numbers: str = ""
    failure: str | None = None

    @property
    def is_kept(self) -> bool | None:
        """Whether all its bars are kept; None where it has none."""
        kept = [figure.is_kept for figure in self.figures if figure.bar is not None]
        if self.failure is not None:
            return False
        return all(kept) if kept else None

    def cells(self) -> list[str]:
        """Question, measured, bar, whether it is kept, and the numbers behind it."""
        bars = [f"{figure.name} {figure.bar}".strip() for figure in self.figures if figure.bar is not None]
        measured = f"**not measured**: {self.failure}" if self.failure else "; ".join(map(str, self.figures))
        kept = {True: "yes", False: "**no**", None: ""}[self.is_kept]
        return [self.question, measured, "; ".join(bars), kept, self.numbers]


class Point(msgspec.Struct, frozen=True):
    """Measured values at one place of the x axis."""

    x: float
    values: list[float]


class Curve(msgspec.Struct, frozen=True):
    """A plot: lines by their names. `x` and `y` say what the axes are; `is_log` is of y, as x always is."""

    file: str
    title: str
    x: str
    y: str
    lines: dict[str, list[Point]]
    is_log: bool = False


class Answer(msgspec.Struct, frozen=True):
    """All that a question's file measured."""

    rows: list[Row] = []
    curves: list[Curve] = []


def plain(value: float) -> str:
    """With as many decimals as mean something."""
    if abs(value) >= SHORT:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= SHORT / 10 else f"{value:.2f}"


def spread_of(values: Sequence[float]) -> str:
    """Least, greatest, and how many; nothing where there is one only."""
    return f"({plain(min(values))} to {plain(max(values))}, n={len(values)})" if len(values) > 1 else ""


def told(values: Sequence[float], unit: str = "") -> str:
    """Median and spread, in words for the last column."""
    return " ".join(word for word in (plain(statistics.median(values)) + unit, spread_of(values)) if word)


def part_of(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def save(answer: Answer, path: Path) -> None:
    """As JSON, indented, for a later plot or comparison."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(answer), indent=1) + b"\n")


def load(path: Path) -> Answer:
    """What `save` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Answer)
