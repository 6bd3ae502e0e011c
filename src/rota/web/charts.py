"""The overview's charts: bars and their heights, worked out here, so that the page needs no script to draw them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rota.protocol.overview import Period
from rota.web.words import duration

WIDTH, HEIGHT = 600, 96
_GAP = 1


@dataclass(frozen=True)
class Bar:
    """A piece of one column: `kind` is its colour's name."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Column:
    """One period: its bars, and what they say in words."""

    bars: list[Bar]
    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Chart:
    """Columns below a title; `most` is what the highest stands for."""

    title: str
    columns: list[Column]
    most: str


@dataclass(frozen=True)
class Totals:
    """The whole window in numbers; `rate` is the share of those that succeeded, in percent (None: nothing ended)."""

    succeeded: int
    failed: int
    cancelled: int
    rate: float | None
    waited_s: float | None
    ran_s: float | None


def charts(periods: Sequence[Period]) -> list[Chart]:
    """What ended, what was open, and how long it waited."""
    return [
        _chart("Ended", periods, ("succeeded", "failed", "cancelled"), str),
        _chart("Open", periods, ("running", "queued"), str),
        _chart("Waited, on average", periods, ("waited_s",), duration),
    ]


def totals(periods: Sequence[Period]) -> Totals:
    """Of all periods together."""
    succeeded, failed = sum(one.succeeded for one in periods), sum(one.failed for one in periods)
    cancelled = sum(one.cancelled for one in periods)
    decided = succeeded + failed + cancelled
    weights = [one.succeeded + one.failed + one.cancelled for one in periods]
    return Totals(
        succeeded, failed, cancelled, 100 * succeeded / (succeeded + failed) if succeeded + failed else None,
        _mean([one.waited_s for one in periods], weights, decided),
        _mean([one.ran_s for one in periods], weights, decided),
    )  # fmt: skip


def _mean(values: Sequence[float], weights: Sequence[int], whole: int) -> float | None:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / whole if whole else None


def _chart(title: str, periods: Sequence[Period], kinds: Sequence[str], say: Callable[[float], str]) -> Chart:
    most = max((sum(getattr(one, kind) for kind in kinds) for one in periods), default=0)
    step = WIDTH / max(1, len(periods))
    columns: list[Column] = []
    for index, one in enumerate(periods):
        y, bars = float(HEIGHT), []
        for kind in kinds:
            height = getattr(one, kind) / most * HEIGHT if most else 0.0
            y -= height
            if height:
                bars.append(Bar(round(index * step, 2), round(y, 2), round(step - _GAP, 2), round(height, 2), kind))
        words = ", ".join(f"{kind.removesuffix('_s')} {say(getattr(one, kind))}" for kind in kinds)
        columns.append(Column(bars, round(index * step, 2), round(step, 2), f"{one.at[11:16]} UTC: {words}"))
    return Chart(title, columns, say(most))
