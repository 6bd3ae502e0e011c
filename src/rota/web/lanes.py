"""The timeline: a lane a worker, a bar an attempt, as deep as attempts overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

from rota.protocol.ids import JobId, WorkerId
from rota.protocol.timeline import Run, Timeline
from rota.protocol.wire import parse_timestamp
from rota.web.words import duration

WIDTH = 1000
ROW = 10
ROWS_MAX = 8
"""Attempts beside each other in one lane; more of them share the lowest row."""
_LEAST = 2.0


@dataclass(frozen=True)
class Bar:
    """One attempt."""

    x: float
    y: int
    width: float
    kind: str
    job_id: JobId
    words: str


@dataclass(frozen=True)
class Lane:
    """One worker's."""

    bars: list[Bar]
    height: int


def lanes(timeline: Timeline) -> dict[WorkerId, Lane]:
    """What each worker ran in the window."""
    runs: dict[WorkerId, list[Run]] = {}
    for run in reversed(timeline.runs):  # the oldest first
        runs.setdefault(run.worker_id, []).append(run)
    return {worker: _lane(timeline, theirs) for worker, theirs in runs.items()}


def _lane(timeline: Timeline, runs: Sequence[Run]) -> Lane:
    end_s = parse_timestamp(timeline.at).timestamp()
    begin_s = end_s - timeline.window_s
    free_from: list[float] = []  # of each row
    bars: list[Bar] = []
    for run in runs:
        began_s = parse_timestamp(run.began_at).timestamp()
        ended_s = end_s if run.ran_s is None else min(end_s, began_s + run.ran_s)
        x = max(0.0, (began_s - begin_s) / timeline.window_s * WIDTH)
        width = max(_LEAST, (ended_s - begin_s) / timeline.window_s * WIDTH - x)
        row = next((index for index, free in enumerate(free_from) if free <= x), len(free_from))
        row = min(row, ROWS_MAX - 1)
        if row == len(free_from):
            free_from.append(0.0)
        free_from[row] = max(free_from[row], x + width)
        bars.append(Bar(round(x, 2), row * ROW, round(width, 2), _kind(run), run.job_id, _words(run)))
    return Lane(bars, max(1, len(free_from)) * ROW)


def _kind(run: Run) -> str:
    if run.state != "finished":
        return str(run.state)
    return "succeeded" if run.exit_code == 0 else "failed"


def _words(run: Run) -> str:
    took = "" if run.ran_s is None else f", {duration(run.ran_s)}"
    return f"{run.name or run.job_id}: {_kind(run)}{took}, from {run.began_at[11:19]} UTC"
