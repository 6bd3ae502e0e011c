"""`make bench-guard`: the small ratios in under a minute, a line each; exit code 1 where one is past its bar.

A guard's bar is what this code holds on a shared machine, with some room: a loss of a third is found, noise is not.
Where that is short of the issue's bar, the line says so.
"""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

import commands
import depth
import idle
import latency
import listing
import no_op
import submit
import throughput
from table import Answer, Bar, Figure, plain

BUSY = 1.5
"""A load of more than so many a core is not this measurement's own."""


class Guard(NamedTuple):
    """One figure of a question's answer, and what it must keep to here."""

    name: str
    bar: Bar
    row: int = 0
    figure: int = 0


Question = tuple[Callable[[Namespace], Answer], dict[str, int], list[Guard]]

QUESTIONS: list[Question] = [
    (
        throughput.measure,
        {"jobs": 1000, "slots": 64, "prints": 0, "rounds": 3},
        [Guard("64 slots ÷ xargs", Bar("≥", 0.5))],
    ),
    (
        throughput.measure,
        {"jobs": 400, "slots": 4, "prints": 0, "rounds": 3},
        [Guard("4 slots ÷ xargs", Bar("≥", 0.16))],
    ),
    (
        throughput.measure,
        {"jobs": 150, "slots": 1, "prints": 0, "rounds": 3},
        [Guard("1 slot ÷ xargs", Bar("≥", 0.06))],
    ),
    (
        no_op.measure,
        {"jobs": 4000, "slots": 500, "workers": 2, "rounds": 3},
        [Guard("no-op jobs ÷ spawn limit", Bar("≥", 1.2))],
    ),
    (
        latency.measure,
        {"jobs": 50, "rounds": 3},
        [Guard("latency p50 ÷ bare", Bar("≤", 15)), Guard("latency p99 ÷ bare", Bar("≤", 20), figure=1)],
    ),
    (
        depth.measure,
        {"most": 20_000, "submitters": 10_000, "priorities": 50, "claims": 30, "slots": 10, "rounds": 5},
        [
            Guard("claims/s at 20,000 ÷ at 1,000", Bar("≥", 0.7)),
            Guard("the same of 10,000 submitters", Bar("≥", 0.7), row=1),
            Guard("the same in 50 priorities", Bar("≥", 0.4), row=2),
        ],
    ),
    (submit.measure, {"specs": 10_000, "rounds": 3}, [Guard("submit 10,000, s", Bar("≤", 1))]),
    (listing.measure, {"jobs": 20_000, "rounds": 5}, [Guard("list by name and tag, ms", Bar("≤", 20), figure=4)]),
    (
        commands.measure,
        {"rounds": 3},
        [
            Guard("rota --version, ms", Bar("≤", 120)),
            Guard("rota dev to ready, ms", Bar("≤", 1800), row=1),
            Guard("rota run -- true, ms", Bar("≤", 450), row=2),
        ],
    ),
    (
        idle.measure,
        {"seconds": 2, "rounds": 1},
        [Guard("server idle, MB", Bar("≤", 80)), Guard("worker idle, MB", Bar("≤", 70), figure=1)],
    ),
]


def main() -> int:
    """Measure and judge; the exit code."""
    began = time.monotonic()
    past = 0
    for measure, sizes, guards in QUESTIONS:
        rows = measure(Namespace(**sizes)).rows
        for guard in guards:
            kept, line = judge(guard.name, guard.bar, rows[guard.row].figures[guard.figure])
            past += not kept
            print(line, flush=True)
    print(f"{past or 'none'} past its bar, {time.monotonic() - began:.0f} s")
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > BUSY * cores:
        print(f"a load of {load:.1f} on {cores} cores: others use the machine, so what is past its bar may be theirs")
    return int(past > 0)


def judge(name: str, bar: Bar, figure: Figure) -> tuple[bool, str]:
    """Whether the median keeps to the guard's bar, and the line that says it."""
    kept = bar.is_kept_by(figure.median)
    line = f"{'ok  ' if kept else 'PAST'}  {name:<32} {plain(figure.median):>7}  bar {bar}{_range(figure.values)}"
    if figure.bar is not None and (bar.sign, bar.value) != (figure.bar.sign, figure.bar.value):
        line += f"  (bar of the issue: {figure.bar})"
    return kept, line


def _range(values: Sequence[float]) -> str:
    return f"  {plain(min(values))} to {plain(max(values))}" if len(values) > 1 else ""


if __name__ == "__main__":
    sys.exit(main())
