"""How many jobs a second one worker does, as a part of what `xargs -P2 -n1 /bin/true` does in the same minute."""

import argparse

import question
from limit import between, spawn_limit, xargs_rate
from scene import run_jobs, scene
from spent import spent
from table import Answer, Bar, Figure, Row, told

FULL = {"jobs": 5000, "slots": 64, "rounds": 5}
QUICK = {"jobs": 1000, "rounds": 3}
BARS = {64: Bar("≥", 0.75, aim=0.9), 4: Bar("≥", 0.4), 1: Bar("≥", 0.15, aim=0.25)}


def measure(asked: argparse.Namespace) -> Answer:
    """A row: jobs/s from before the submission to the last recorded result, ÷ the limit right before and after."""
    with scene(asked.slots) as here:
        before = spent(here)
        [rounds] = between(
            xargs_rate, asked.jobs, [lambda: asked.jobs / run_jobs(here.client, asked.jobs)], asked.rounds
        )
        after = spent(here)
    in_c = spawn_limit()
    cpu_us = {who: (after[who] - before[who]) / asked.jobs / asked.rounds * 1e6 for who in after}
    numbers = [
        f"{told([one.rate for one in rounds])} jobs/s; xargs {told([one.limit for one in rounds])}/s",
        f"in C {told([in_c(asked.jobs) for _ in range(2)])}/s" if in_c else "no limit in C: there is no compiler",
        "CPU µs a job: " + ", ".join(f"{who} {us:.0f}" for who, us in cpu_us.items()),
    ]
    slots = f"{asked.slots} slot{'' if asked.slots == 1 else 's'}"
    ratio = Figure([one.ratio for one in rounds], BARS.get(asked.slots))
    return Answer(
        [Row(f"{asked.jobs:,} x /bin/true, {slots}, ÷ `xargs -P2 -n1 /bin/true`", [ratio], "; ".join(numbers))]
    )


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
