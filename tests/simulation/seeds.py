"""Many seeds on all cores, and what became of them."""

import gc
import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulation.scene import simulate

CHUNK = 20


@dataclass(frozen=True)
class Found:
    """How one seed ended, in few numbers. `invariant` None: all held."""

    seed: int
    invariant: str | None
    text: str
    jobs: int
    executions: int
    messages: int
    simulated_s: float
    cpu_s: float


def explore(first: int, count: int, processes: int | None = None) -> Iterator[Found]:
    """The seeds from `first` on, in the order in which they are done."""
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count(), gc.freeze) as pool:
        for found in pool.imap_unordered(_several, chunks):
            yield from found


def one(seed: int) -> Found:
    """In this process."""
    began = time.process_time()
    outcome = simulate(seed)
    violation = outcome.violation
    invariant, text = (None, "") if violation is None else (violation.invariant, violation.text)
    numbers = outcome.jobs, outcome.executions, len(outcome.notes), outcome.simulated_s
    return Found(seed, invariant, text, *numbers, time.process_time() - began)


def _several(seeds: Sequence[int]) -> list[Found]:
    return [one(seed) for seed in seeds]


def until_found(first: int, count: int, processes: int | None = None) -> tuple[Found | None, int]:
    """The first that fails (None: none does), and how many seeds that took."""
    tried = 0
    for tried, found in zip(itertools.count(1), explore(first, count, processes), strict=False):
        if found.invariant is not None:
            return found, tried
    return None, tried
