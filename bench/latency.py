"""How long one job takes on an idle worker, from submission until its result is visible, one at a time."""

import argparse
import subprocess
import time

import question
from scene import TRUE, run_one, scene
from table import Answer, Bar, Figure, Row, part_of, told

FULL = {"jobs": 200, "rounds": 5}
QUICK = {"jobs": 60, "rounds": 3}
PARTS = {"p50": (0.5, Bar("≤", 5)), "p99": (0.99, Bar("≤", 12))}


def measure(asked: argparse.Namespace) -> Answer:
    """A row: p50 and p99, ÷ those of a bare subprocess.run in the same run, in turns."""
    ours: dict[str, list[float]] = {name: [] for name in PARTS}
    bare: dict[str, list[float]] = {name: [] for name in PARTS}
    with scene(slots=1) as here:
        for _ in range(asked.rounds):
            took_ms, bare_ms = [], []
            for _ in range(asked.jobs):
                began = time.monotonic()
                run_one(here.client, command=[TRUE])
                between = time.monotonic()
                subprocess.run([TRUE], check=True)
                took_ms.append((between - began) * 1000)
                bare_ms.append((time.monotonic() - between) * 1000)
            for name, (part, _) in PARTS.items():
                ours[name].append(part_of(took_ms, part))
                bare[name].append(part_of(bare_ms, part))
    figures = [
        Figure([our / its for our, its in zip(ours[name], bare[name], strict=True)], bar, name)
        for name, (_, bar) in PARTS.items()
    ]
    numbers = [f"{name} {told(ours[name], ' ms')}, bare {told(bare[name], ' ms')}" for name in PARTS]
    question_text = "submit → result visible, idle worker, one at a time, ÷ `subprocess.run`"
    return Answer([Row(question_text, figures, "; ".join(numbers) + f"; {asked.jobs} jobs a round")])


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
