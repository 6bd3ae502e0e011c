"""How many jobs a second one worker does, as a part of what `xargs -P2 -n1 /bin/true` does in the same minute."""

import argparse

import question
from limit import between, spawn_limit, xargs_rate
from scene import TRUE, run_jobs, scene
from spent import spent
from table import Answer, Bar, Figure, Row, told

FULL = {"jobs": 5000, "slots": 64, "rounds": 5, "prints": 0}
QUICK = {"jobs": 1000, "rounds": 3}
BARS = {64: Bar("≥", 0.75, aim=0.9), 4: Bar("≥", 0.4), 1: Bar("≥", 0.15, aim=0.25)}
COMMANDS = (TRUE,), ("/bin/echo", "hi")
"""Without --prints 1 and with it: a job's output is kept as its log."""


def measure(asked: argparse.Namespace) -> Answer:
    """A row: jobs/s from before the submission to the last recorded result, ÷ the limits right before and after."""
    command, in_c = COMMANDS[asked.prints], spawn_limit()
    limits = [xargs_rate, *([] if in_c is None else [in_c])]
    with scene(asked.slots) as here:
        before = spent(here)
        rounds = between(
            limits, asked.jobs, lambda: asked.jobs / run_jobs(here.client, asked.jobs, command), asked.rounds
        )
        after = spent(here)
    cpu_us = {who: (after[who] - before[who]) / asked.jobs / asked.rounds * 1e6 for who in after}
    figures = [Figure([one.ratio for one in rounds], None if asked.prints else BARS.get(asked.slots), "÷ xargs")]
    numbers = [
        f"{told([one.rate for one in rounds])} jobs/s; xargs {told([one.limits[0] for one in rounds])}/s",
        f"in C {told([one.limits[1] for one in rounds])}/s" if in_c else "no limit in C: there is no compiler",
        "CPU µs a job: " + ", ".join(f"{who} {us:.0f}" for who, us in cpu_us.items()),
    ]
    if in_c:
        figures.append(Figure([one.rate / one.limits[1] for one in rounds], name="÷ in C"))
    slots = f"{asked.slots} slot{'' if asked.slots == 1 else 's'}"
    return Answer(
        [Row(f"{asked.jobs:,} x {' '.join(command)}, {slots}, ÷ the spawn limit", figures, "; ".join(numbers))]
    )


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
