"""What changes the cost of a job: slots, workers, the size of its log, the size of its artifact."""

import argparse
import time
from functools import partial

import question
from limit import between, xargs_rate
from scene import Scene, run_jobs, run_one, scene
from table import Answer, Curve, Point

FULL = {"jobs": 1500, "rounds": 5}
QUICK = {"jobs": 200, "rounds": 2}
SLOTS = (1, 2, 4, 8, 16, 32, 64)
WORKERS = (1, 2, 4, 8)
SLOTS_EACH = 8
SIZES_KIB = (1, 16, 64, 256, 1024, 16 * 1024, 64 * 1024)
KIB = 1024


def measure(asked: argparse.Namespace) -> Answer:
    """Four curves."""
    sizes = SIZES_KIB[:4] if asked.quick else SIZES_KIB
    slots = [(count, 1, count) for count in SLOTS]
    workers = [(count, count, SLOTS_EACH) for count in WORKERS]
    with scene(slots=1) as here:
        took = {kind: [_sized(here, kind, size, asked.rounds) for size in sizes] for kind in ("log", "artifact")}
    ratio, ms = "÷ xargs -P2 of the same minute", "ms from submission to visible result"
    return Answer([], [
        Curve("slots", "Throughput against slots, one worker", "slots", ratio, _ratios(asked, slots)),
        Curve("workers", f"Throughput against workers, {SLOTS_EACH} slots each", "workers", ratio,
              _ratios(asked, workers)),
        Curve("log_size", "A job against the size of its log", "KiB printed", ms,
              {"one at a time": took["log"]}, is_log=True),
        Curve("artifact_size", "A job against the size of its artifact", "KiB brought back", ms,
              {"one at a time": took["artifact"]}, is_log=True),
    ])  # fmt: skip


def _ratios(asked: argparse.Namespace, places: list[tuple[int, int, int]]) -> dict[str, list[Point]]:
    points = []
    for x, workers, slots in places:
        jobs = min(asked.jobs, 100 + asked.jobs * slots * workers // 16)  # a slow place needs fewer
        with scene(slots, workers) as here:
            rate = partial(_rate, here, jobs)
            rounds = between([xargs_rate], jobs, rate, asked.rounds)
        points.append(Point(x, [one.ratio for one in rounds]))
    return {"/bin/true": points}


def _rate(here: Scene, jobs: int) -> float:
    return jobs / run_jobs(here.client, jobs)


def _sized(here: Scene, kind: str, kib: int, rounds: int) -> Point:
    """Milliseconds of a job that prints, or brings back, so much."""
    made = f"head -c {kib * KIB} /dev/zero | tr '\\0' x"
    spec = {"command": ["sh", "-c", made if kind == "log" else f"{made} > made"]}
    spec |= {"artifacts": ["made"]} if kind == "artifact" else {}
    took_ms = []
    for _ in range(rounds):
        began = time.monotonic()
        run_one(here.client, **spec)
        took_ms.append((time.monotonic() - began) * 1000)
    return Point(kib, took_ms)


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
