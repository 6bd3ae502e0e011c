"""Huey + SQLite with fsync: two worker processes that look every 5 ms, as SQLite wakes nobody."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from measured import PROCESSES, WITHIN_S, children, fail, program, serve

os.environ["ROTA_PEER_URL"] = str(Path(sys.argv[1]) / "huey.db")
LOOK_S = 0.005
WORKER = [
    program("huey_consumer"), "huey_tasks.huey", "-k", "process", "-w", str(PROCESSES), "-n", "-d", str(LOOK_S),
    "-m", str(LOOK_S), "-b", "1.0", "-q",
]  # fmt: skip

import huey_tasks  # noqa: E402  (it reads the variable)


def many(count: int) -> Sequence[object]:
    """Submit, and read every result."""
    sent = [huey_tasks.job() for _ in range(count)]
    end_s = time.monotonic() + WITHIN_S
    found: list[object] = []
    for result in sent:
        while (value := result.get(preserve=True)) is None:
            if time.monotonic() > end_s:
                fail(f"{len(found)} of {count} jobs have ended")
            time.sleep(0.001)
        found.append(value)
    return found


with children(WORKER):
    serve(many)
